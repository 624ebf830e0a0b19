/* Figures of the pages: read-out and zoom. The page shows the same figures and numbers without any script. What a
 * figure's points are stands beside it as JSON (readout.h). */
var flowgap = (function () {
'use strict';

function all(what, from) {
  return Array.prototype.slice.call((from || document).querySelectorAll(what));
}

function element(name, attributes, parent) {
  var one = document.createElement(name);
  for (var key in attributes) one.setAttribute(key, attributes[key]);
  if (parent) parent.appendChild(one);
  return one;
}

function shape(name, attributes, parent) {
  var one = document.createElementNS(document.querySelector('svg').namespaceURI, name);
  for (var key in attributes) one.setAttribute(key, attributes[key]);
  if (parent) parent.appendChild(one);
  return one;
}

function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

/* four digits: 0.1184, 1.2 x 10^-5 */
function number(value) {
  if (value === 0) return '0';
  var size = Math.abs(value), text;
  if (size >= 1e-3 && size < 1e6) {
    text = String(parseFloat(value.toPrecision(4)));
  } else {
    var parts = value.toExponential(2).split('e');
    text = parseFloat(parts[0]) + ' \u00d7 10' + parts[1].replace('+', '').split('').map(function (c) {
      return c === '-' ? '\u207b' : '\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079'.charAt(+c);
    }).join('');
  }
  return text.replace(/^-/, '\u2212');
}

function finite(value) {
  return typeof value === 'number' && isFinite(value);
}

/* ---- figures ------------------------------------------------------------------------------------------- */

var figures = [], PLOT = '[id*="gnuplot_plot_"]';

function Figure(svg, data) {
  var a = data.a;
  this.svg = svg;
  this.data = data;
  this.home = svg.closest('figure');
  this.area = {l: a[0], r: a[1], t: a[2], b: a[3]};
  this.view = this.area; /* what of it is shown, in units of the unscaled figure */
  this.map = data.m || null;
  this.at = null;
  var section = svg.closest('section');
  this.link = this.map ? (section ? section.id : '') + a.join() : '';
  this.dress();
}

/* From values to units of the unscaled figure, and back. */
Figure.prototype.place = function (axis, value) {
  var a = this.data.a, low = a[axis ? 6 : 4], high = a[axis ? 7 : 5], u;
  if (!finite(value)) return NaN;
  u = a[8 + axis] ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
  return axis ? a[3] - u * (a[3] - a[2]) : a[0] + u * (a[1] - a[0]);
};

Figure.prototype.value = function (axis, place) {
  var a = this.data.a, low = a[axis ? 6 : 4], high = a[axis ? 7 : 5];
  var u = axis ? (a[3] - place) / (a[3] - a[2]) : (place - a[0]) / (a[1] - a[0]);
  return a[8 + axis] ? low * Math.pow(high / low, u) : low + u * (high - low);
};

/* From the unscaled figure to the enlarged one. */
Figure.prototype.shownX = function (x) {
  return this.area.l + (x - this.view.l) * (this.area.r - this.area.l) / (this.view.r - this.view.l);
};

Figure.prototype.shownY = function (y) {
  return this.area.t + (y - this.view.t) * (this.area.b - this.area.t) / (this.view.b - this.view.t);
};

Figure.prototype.unshown = function (p) {
  return {
    x: this.view.l + (p.x - this.area.l) * (this.view.r - this.view.l) / (this.area.r - this.area.l),
    y: this.view.t + (p.y - this.area.t) * (this.view.b - this.view.t) / (this.area.b - this.area.t)
  };
};

Figure.prototype.inside = function (p) {
  var q = this.area;
  return p.x >= q.l - 4 && p.x <= q.r + 4 && p.y >= q.t - 4 && p.y <= q.b + 4;
};

/* Groups of gnuplot's figure: what is drawn goes in a group of its own that can be scaled, ticks can be hidden. */
Figure.prototype.dress = function () {
  var svg = this.svg, q = this.area, canvas = svg.querySelector('[id$="gnuplot_canvas"]') || svg;
  var id = 'clip-' + figures.length, clip = shape('clipPath', {id: id}, svg);
  shape('rect', {x: q.l, y: q.t, width: q.r - q.l, height: q.b - q.t}, clip);
  this.clip = 'url(#' + id + ')';
  this.frame = shape('g', {});
  this.body = shape('g', {'class': 'body'}, this.frame);
  this.axes = [];
  var lowest = Infinity, self = this, children = Array.prototype.slice.call(canvas.children), first = null;
  all('text', canvas).forEach(function (text) {
    var place = /translate\(([^,]+),([^)]+)\)/.exec(text.parentNode.getAttribute('transform') || '');
    if (place && +place[2] > q.b) lowest = Math.min(lowest, +place[2]);
  });
  children.forEach(function (child) {
    if (child.matches(PLOT)) {
      first = first || child;
      return;
    }
    var title = false, tick = false;
    all('text', child).forEach(function (text) {
      var transform = text.parentNode.getAttribute('transform') || '';
      var place = /translate\(([^,]+),([^)]+)\)/.exec(transform);
      if (/rotate/.test(transform) || (place && +place[2] > lowest + 5)) title = true; else tick = true;
    });
    var path = child.querySelector('path'), d = path ? path.getAttribute('d') : '';
    var border = (d.match(/M/g) || []).length === 1 && (d.match(/L/g) || []).length > 1;
    if (child.tagName === 'g' && !title && (tick || (path && !border))) self.axes.push(child);
  });
  if (first) {
    canvas.insertBefore(this.frame, first);
    children.filter(function (child) { return child.matches(PLOT); }).forEach(function (child) {
      self.body.appendChild(child);
    });
  }
  this.ticks = shape('g', {'class': 'ticks'}, svg);
  this.dots = shape('g', {'clip-path': this.clip}, svg);
  this.over = shape('g', {'class': 'over', 'clip-path': this.clip}, svg);
  this.tip = element('div', {'class': 'tip', role: 'status', hidden: ''}, this.home);
  svg.setAttribute('tabindex', '0');
  svg.setAttribute('role', 'application');
  svg.setAttribute('aria-roledescription', 'figure; arrow keys read its values');
};

/* ---- read-out ------------------------------------------------------------------------------------------ */

Figure.prototype.say = function (lines, x, y) {
  var tip = this.tip, box = this.svg.getBoundingClientRect(), home = this.home.getBoundingClientRect();
  var scale = box.width / this.svg.viewBox.baseVal.width;
  tip.textContent = '';
  lines.forEach(function (line) { element('div', {}, tip).textContent = line; });
  tip.hidden = false;
  var px = box.left - home.left + x * scale, py = box.top - home.top + y * scale;
  tip.style.left = clamp(px + 12, 0, Math.max(home.width - tip.offsetWidth, 0)) + 'px';
  tip.style.top = (py - tip.offsetHeight - 12 > 0 ? py - tip.offsetHeight - 12 : py + 16) + 'px';
};

Figure.prototype.hush = function () {
  this.tip.hidden = true;
  this.at = null;
  (this.map ? this.neighbours() : [this]).forEach(function (one) { one.over.textContent = ''; });
};

/* The maps that stand in one row with this one. */
Figure.prototype.neighbours = function () {
  var row = this.svg.closest('.maps'), m = this.map;
  return figures.filter(function (one) {
    return one.map && one.map.b === m.b && one.map.w === m.w && one.map.o.join() === m.o.join() &&
        one.svg.closest('.maps') === row;
  });
};

function bytesOf(text) {
  var raw = atob(text), bytes = new Uint8Array(raw.length);
  for (var i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
  return bytes;
}

Figure.prototype.cells = function () {
  var m = this.map;
  if (m.values) return m.values;
  if (m.r) {
    var view = new DataView(bytesOf(m.r).buffer);
    m.values = [];
    for (var k = 0; k < m.b * m.b; k++) m.values.push(view.getFloat32(4 * k, true));
  } else if (m.c) {
    var bytes = bytesOf(m.c), at = 0;
    m.values = [];
    while (at < bytes.length) {
      var count = 0, place = 1;
      for (; bytes[at] > 127; place *= 128) count += place * (bytes[at++] & 127);
      m.values.push((count + place * bytes[at++]) * m.u);
    }
  } else {
    m.values = [];
  }
  return m.values;
};

Figure.prototype.showCell = function (i, j) {
  var m = this.map, side = m.w / m.b, row = this.neighbours(), found = {}, lines;
  i = clamp(i, 0, m.b - 1);
  j = clamp(j, 0, m.b - 1);
  lines = ['x\u2081 = ' + number(m.o[0] + (i + 0.5) * side) + ', x\u2082 = ' + number(m.o[1] + (j + 0.5) * side)];
  var alone = row.length > 1 && row.every(function (one) { return one.map.n === m.n; });
  (alone ? [this] : row).forEach(function (one) {
    if (one.map.g) return;
    var value = one.cells()[j * m.b + i];
    if (!finite(value)) return;
    found[one.map.n] = value;
    lines.push(one.map.n + ': ' + number(value));
  });
  if (finite(found.ODE) && finite(found.SDE)) lines.push('SDE \u2212 ODE: ' + number(found.SDE - found.ODE));
  (alone ? [this] : row).forEach(function (one) {
    var x = one.shownX(one.place(0, m.o[0] + i * side)), y = one.shownY(one.place(1, m.o[1] + (j + 1) * side));
    var right = one.shownX(one.place(0, m.o[0] + (i + 1) * side)), low = one.shownY(one.place(1, m.o[1] + j * side));
    one.over.textContent = '';
    shape('rect', {x: x - 1, y: y - 1, width: right - x + 2, height: low - y + 2, 'class': 'cell'}, one.over);
  });
  this.at = {i: i, j: j};
  this.say(lines, this.shownX(this.place(0, m.o[0] + (i + 0.5) * side)),
           this.shownY(this.place(1, m.o[1] + (j + 0.5) * side)));
};

function interval(s, i, value) {
  if (s.e && finite(s.e[i])) return ' (' + number(value - 2 * s.e[i]) + ' to ' + number(value + 2 * s.e[i]) + ')';
  if (s.l && s.h && finite(s.l[i]) && finite(s.h[i]) && s.l[i] !== s.h[i])
    return ' (' + number(s.l[i]) + ' to ' + number(s.h[i]) + ')';
  return '';
}

Figure.prototype.showPoint = function (k, i) {
  var data = this.data, s = data.s[k], lines = [], head = [s.n, s.p ? s.p[i] : ''].filter(Boolean).join(', ');
  if (head) lines.push(head);
  if (data.flat) {
    var told = s.v ? s.v[i] : s.x[i];
    lines.push(data.x + ' = ' + number(told) + interval(s, i, told));
  } else {
    if (s.t && data.x !== 't' && finite(s.t[i])) lines.push('t = ' + number(s.t[i]));
    if (data.x) lines.push(data.x + ' = ' + number(s.x[i]));
    lines.push(data.y + ' = ' + number(s.y[i]) + interval(s, i, s.y[i]));
  }
  if (s.f && finite(s.f[i])) lines.push('noise floor ' + number(s.f[i]));
  var x = this.shownX(this.place(0, s.x[i])), y = this.shownY(this.place(1, s.y[i]));
  this.over.textContent = '';
  shape('circle', {cx: x, cy: y, r: 5, 'class': 'mark'}, this.over);
  this.at = {k: k, i: i};
  this.say(lines, x, y);
};

/* What lies nearest to a point of the figure as it is shown; false when nothing is near. */
Figure.prototype.read = function (p) {
  if (!this.inside(p)) return false;
  if (this.map) {
    var q = this.unshown(p), m = this.map;
    this.showCell(Math.floor((this.value(0, q.x) - m.o[0]) / m.w * m.b),
                  Math.floor((this.value(1, q.y) - m.o[1]) / m.w * m.b));
    return true;
  }
  var best = 70 * 70, found = null, self = this;
  this.data.s.forEach(function (s, k) {
    for (var i = 0; i < s.x.length; i++) {
      if (!finite(s.x[i]) || !finite(s.y[i])) continue;
      var dx = self.shownX(self.place(0, s.x[i])) - p.x, dy = self.shownY(self.place(1, s.y[i])) - p.y;
      if (self.data.flat) dx *= 0.3;
      if (dx * dx + dy * dy < best) {
        best = dx * dx + dy * dy;
        found = [k, i];
      }
    }
  });
  if (found) this.showPoint(found[0], found[1]);
  return !!found;
};

/* The next point of a series that can be shown, from i in steps of `way`. */
Figure.prototype.next = function (k, i, way) {
  var s = this.data.s[k];
  for (i += way; i >= 0 && i < s.x.length; i += way)
    if (finite(s.x[i]) && finite(s.y[i])) return i;
  return -1;
};

Figure.prototype.walk = function (across, up) {
  if (this.map) {
    var half = this.map.b >> 1, at = this.at || {i: half, j: half};
    this.showCell(at.i + across, at.j + up);
    return;
  }
  var series = this.data.s, now = this.at, i;
  if (!series.length) return;
  if (!now) {
    i = this.next(0, -1, 1);
    if (i >= 0) this.showPoint(0, i);
  } else if (across && !this.data.flat) {
    /* to the right on the screen, whichever way the axis runs */
    var s = series[now.k], ahead = this.next(now.k, now.i, 1), way = across;
    if (ahead >= 0 && this.place(0, s.x[ahead]) < this.place(0, s.x[now.i])) way = -across;
    if (ahead < 0 && now.i > 0 && this.place(0, s.x[now.i - 1]) > this.place(0, s.x[now.i])) way = -across;
    i = this.next(now.k, now.i, s.t ? across : way);
    if (i >= 0) this.showPoint(now.k, i);
  } else if (this.data.flat) {
    i = this.next(now.k, now.i, across - up);
    if (i >= 0) this.showPoint(now.k, i);
  } else {
    var k = (now.k + series.length - up) % series.length;
    i = this.next(k, Math.min(now.i, series[k].x.length - 1) - 1, 1);
    if (i < 0) i = this.next(k, -1, 1);
    if (i >= 0) this.showPoint(k, i);
  }
};

/* ---- zoom ---------------------------------------------------------------------------------------------- */

function niceStep(width, most) {
  var power = Math.pow(10, Math.floor(Math.log10(width / most))), k;
  for (k = 0; k < 4; k++) if ([1, 2, 5, 10][k] * power * most >= width) return [1, 2, 5, 10][k] * power;
  return 10 * power;
}

/* Ticks between two values: powers of ten where there are two of them, else equal steps. */
function tickValues(low, high, logarithmic, most) {
  var from = Math.min(low, high), to = Math.max(low, high), list = [], k;
  if (logarithmic && Math.floor(Math.log10(to)) > Math.ceil(Math.log10(from))) {
    for (k = Math.ceil(Math.log10(from)); k <= Math.floor(Math.log10(to)); k++) list.push(Math.pow(10, k));
    return list;
  }
  var step = niceStep(to - from, most);
  for (k = Math.ceil(from / step); k * step <= to + 1e-9 * step; k++) list.push(k * step);
  return list;
}

Figure.prototype.drawTicks = function () {
  var q = this.area, v = this.view, g = this.ticks, self = this, small = q.r - q.l < 260;
  g.textContent = '';
  tickValues(this.value(0, v.l), this.value(0, v.r), this.data.a[8], small ? 4 : 6).forEach(function (x) {
    var at = self.shownX(self.place(0, x));
    shape('path', {d: 'M' + at + ',' + q.b + 'v4'}, g);
    shape('text', {x: at, y: q.b + 18, 'text-anchor': 'middle'}, g).textContent = number(x);
  });
  tickValues(this.value(1, v.b), this.value(1, v.t), this.data.a[9], small ? 4 : 6).forEach(function (y) {
    var at = self.shownY(self.place(1, y));
    shape('path', {d: 'M' + q.l + ',' + at + 'h-4'}, g);
    shape('text', {x: q.l - 7, y: at + 4, 'text-anchor': 'end'}, g).textContent = number(y);
  });
};

Figure.prototype.zoomed = function () {
  return this.view !== this.area;
};

Figure.prototype.apply = function (view) {
  var q = this.area, zoomed = view !== null;
  this.view = zoomed ? view : q;
  var sx = (q.r - q.l) / (this.view.r - this.view.l), sy = (q.b - q.t) / (this.view.b - this.view.t);
  this.svg.classList.toggle('zoomed', zoomed);
  this.axes.forEach(function (one) { one.style.display = zoomed ? 'none' : ''; });
  if (zoomed) {
    this.frame.setAttribute('clip-path', this.clip);
    this.body.setAttribute('transform', 'translate(' + (q.l - this.view.l * sx) + ',' + (q.t - this.view.t * sy) +
                           ') scale(' + sx + ',' + sy + ')');
    this.drawTicks();
  } else {
    this.frame.removeAttribute('clip-path');
    this.body.removeAttribute('transform');
    this.ticks.textContent = '';
  }
  all('use', this.body).forEach(function (use) { /* points keep their size */
    use.origin = use.origin || use.getAttribute('transform');
    use.setAttribute('transform', zoomed ? use.origin + ' scale(' + 1 / sx + ',' + 1 / sy + ')' : use.origin);
  });
  if (zoomed && !this.button) {
    this.button = element('button', {type: 'button', 'class': 'reset'}, this.home);
    this.button.textContent = 'Whole figure';
    this.button.addEventListener('click', this.zoom.bind(this, null));
  }
  if (this.button) this.button.hidden = !zoomed;
  this.over.textContent = '';
  this.tip.hidden = true;
  this.at = this.map ? this.at : null;
  this.drawDots();
};

/* `view` within the area, or null for all of it; maps of one view go together. */
Figure.prototype.zoom = function (view) {
  var q = this.area, link = this.link;
  if (this.data.fixed) return;
  if (view) {
    var w = Math.min(view.r - view.l, q.r - q.l), h = Math.min(view.b - view.t, q.b - q.t);
    if (w < 0.002 * (q.r - q.l) || h < 0.002 * (q.b - q.t)) return;
    var l = clamp(view.l, q.l, q.r - w), t = clamp(view.t, q.t, q.b - h);
    view = w > 0.995 * (q.r - q.l) && h > 0.995 * (q.b - q.t) ? null : {l: l, r: l + w, t: t, b: t + h};
  }
  (link ? figures.filter(function (one) { return one.link === link; }) : [this]).forEach(function (one) {
    one.apply(view);
  });
};

/* By a factor about a point of the figure as it is shown. */
Figure.prototype.zoomAt = function (p, factor) {
  var at = this.unshown(p), v = this.view;
  this.zoom({l: at.x - (at.x - v.l) / factor, r: at.x + (v.r - at.x) / factor,
             t: at.y - (at.y - v.t) / factor, b: at.y + (v.b - at.y) / factor});
};

Figure.prototype.middle = function () {
  var mark = this.over.firstChild, q = this.area;
  if (!mark) return {x: (q.l + q.r) / 2, y: (q.t + q.b) / 2};
  var box = mark.getBBox();
  return {x: clamp(box.x + box.width / 2, q.l, q.r), y: clamp(box.y + box.height / 2, q.t, q.b)};
};

/* ---- hands --------------------------------------------------------------------------------------------- */

Figure.prototype.point = function (event) {
  var box = this.svg.getBoundingClientRect(), scale = this.svg.viewBox.baseVal.width / box.width;
  return {x: (event.clientX - box.left) * scale, y: (event.clientY - box.top) * scale};
};

Figure.prototype.listen = function () {
  var self = this, svg = this.svg, from = null, box = null;
  svg.addEventListener('pointermove', function (event) {
    if (event.pointerType === 'touch') return;
    var p = self.point(event), q = self.area;
    if (!from) {
      if (!self.read(p)) self.hush();
      return;
    }
    if (!box && Math.abs(p.x - from.x) + Math.abs(p.y - from.y) < 6) return;
    if (!box) {
      self.hush();
      box = shape('rect', {'class': 'box'}, svg);
    }
    p = {x: clamp(p.x, q.l, q.r), y: clamp(p.y, q.t, q.b)};
    box.setAttribute('x', Math.min(p.x, from.x));
    box.setAttribute('y', Math.min(p.y, from.y));
    box.setAttribute('width', Math.abs(p.x - from.x));
    box.setAttribute('height', Math.abs(p.y - from.y));
  });
  svg.addEventListener('pointerdown', function (event) {
    var p = self.point(event);
    if (event.pointerType === 'touch' || event.button !== 0 || self.data.fixed || !self.inside(p)) return;
    from = {x: clamp(p.x, self.area.l, self.area.r), y: clamp(p.y, self.area.t, self.area.b)};
    if (svg.setPointerCapture && event.isTrusted) svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener('pointerup', function () {
    if (box) {
      var x = +box.getAttribute('x'), y = +box.getAttribute('y');
      var a = self.unshown({x: x, y: y});
      var b = self.unshown({x: x + +box.getAttribute('width'), y: y + +box.getAttribute('height')});
      svg.removeChild(box);
      self.zoom({l: a.x, r: b.x, t: a.y, b: b.y});
    }
    from = box = null;
  });
  svg.addEventListener('pointercancel', function () {
    if (box) svg.removeChild(box);
    from = box = null;
  });
  svg.addEventListener('pointerleave', function () { if (!from) self.hush(); });
  svg.addEventListener('click', function (event) { self.read(self.point(event)); }); /* and a tap */
  svg.addEventListener('dblclick', function (event) {
    event.preventDefault();
    if (self.zoomed()) self.zoom(null); else self.zoomAt(self.point(event), 2);
  });
  svg.addEventListener('wheel', function (event) { /* without a key the page scrolls */
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    self.zoomAt(self.point(event), event.deltaY < 0 ? 1.25 : 0.8);
  }, {passive: false});
  svg.addEventListener('keydown', function (event) {
    var across = {ArrowLeft: -1, ArrowRight: 1}[event.key] || 0, up = {ArrowUp: 1, ArrowDown: -1}[event.key] || 0;
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (across || up) self.walk(across * (event.shiftKey ? 5 : 1), up * (event.shiftKey ? 5 : 1));
    else if (event.key === '+' || event.key === '=') self.zoomAt(self.middle(), 1.6);
    else if (event.key === '-') self.zoomAt(self.middle(), 0.625);
    else if (event.key === 'Escape' || event.key === '0') { self.zoom(null); self.hush(); }
    else return;
    event.preventDefault();
  });
  svg.addEventListener('blur', function () { self.hush(); });
};

/* ---- where the paths are at the time of the sliders ------------------------------------------------------- */

/* Where a path is at time t: its points run from large t to small; null marks the end of a path. */
function positions(s, t) {
  var list = [], last = null;
  for (var i = 0; i <= s.x.length; i++) {
    if (i === s.x.length || !finite(s.x[i]) || !finite(s.t[i])) {
      if (last) list.push(last);
      last = null;
      continue;
    }
    var here = {x: s.x[i], y: s.y[i], t: s.t[i]};
    if (last && last.t < t) continue; /* found */
    if (last && here.t < t && last.t > t) {
      var u = (last.t - t) / (last.t - here.t);
      here = {x: last.x + u * (here.x - last.x), y: last.y + u * (here.y - last.y), t: -Infinity};
    } else if (last && here.t < t) {
      here = {x: last.x, y: last.y, t: -Infinity};
    }
    last = here;
  }
  return list;
}

Figure.prototype.drawDots = function () {
  var self = this;
  this.dots.textContent = '';
  if (flowgap.now === null) return;
  this.data.s.forEach(function (s, k) {
    if (!s.t) return;
    positions(s, flowgap.now).forEach(function (p) {
      shape('circle', {cx: self.shownX(self.place(0, p.x)), cy: self.shownY(self.place(1, p.y)), r: 4.5,
                       'class': k ? 'dot sde' : 'dot ode'}, self.dots);
    });
  });
};

return {figures: figures, Figure: Figure, all: all, element: element, number: number, now: null};
})();
