/* The rest of the page: time sliders that go together, copying, printing. */
(function () {
'use strict';
var figures = flowgap.figures, all = flowgap.all, element = flowgap.element, players = [];
document.documentElement.classList.add('js');

/* ---- one noising time for all sliders ------------------------------------------------------------------- */

function setTime(t, source) {
  flowgap.now = t;
  players.forEach(function (player) {
    if (player !== source) player.follow(t);
  });
  figures.forEach(function (one) { one.drawDots(); });
}

/* `times` fall; show(i) is called with the place of the slider. */
function Player(box, times, pause, show) {
  var self = this;
  this.times = times;
  this.slider = box.querySelector('input');
  this.button = box.querySelector('button');
  this.output = box.querySelector('output');
  this.show = show;
  this.pause = pause;
  this.timer = 0;
  this.slider.addEventListener('input', function () {
    self.stop();
    self.moved();
  });
  this.button.addEventListener('click', function () {
    if (self.timer) self.stop(); else self.play();
  });
}

Player.prototype.paint = function () {
  var text = this.show(+this.slider.value);
  this.output.textContent = text;
  this.slider.setAttribute('aria-valuetext', text);
};

Player.prototype.moved = function () {
  this.paint();
  setTime(this.times[+this.slider.value], this);
};

Player.prototype.stop = function () {
  clearInterval(this.timer);
  this.timer = 0;
  this.button.textContent = 'Play';
};

Player.prototype.play = function () {
  var self = this;
  players.forEach(function (player) { player.stop(); });
  if (+this.slider.value === +this.slider.max) this.slider.value = 0;
  this.button.textContent = 'Pause';
  this.moved();
  this.timer = setInterval(function () {
    if (+self.slider.value === +self.slider.max) {
      self.stop();
      return;
    }
    self.slider.value = +self.slider.value + 1;
    self.moved();
  }, this.pause);
};

/* To the nearest of its own times, by their ratio. */
Player.prototype.follow = function (t) {
  var best = 0, least = Infinity, floor = 1e-6 * this.times[0];
  this.times.forEach(function (own, i) {
    var apart = Math.abs(Math.log((own + floor) / (t + floor)));
    if (apart < least) {
      least = apart;
      best = i;
    }
  });
  this.slider.value = best;
  this.paint();
};

function start() {
  all('script.readout').forEach(function (script) {
    var svg = script.previousElementSibling;
    if (!svg || svg.tagName.toLowerCase() !== 'svg') return;
    var one = new flowgap.Figure(svg, JSON.parse(script.textContent));
    figures.push(one);
    one.listen();
  });
  var frames = all('.frame'), box = document.querySelector('.player:not(.paths)');
  if (box) players.push(new Player(box, frames.map(function (f) { return +(f.getAttribute('data-at') || f.getAttribute('data-t')); }), 600,
    function (i) {
      frames.forEach(function (f, k) { f.hidden = k !== i; });
      return 't = ' + frames[i].getAttribute('data-t');
    }));
  var paths = figures.filter(function (one) { return one.data.s.length && one.data.s[0].t; })[0];
  box = document.querySelector('.player.paths');
  if (paths && box) {
    var times = paths.data.s[0].t, end = times.indexOf(null);
    times = times.slice(0, end < 0 ? times.length : end);
    box.querySelector('input').max = times.length - 1;
    box.querySelector('input').value = times.length - 1;
    players.push(new Player(box, times, 40, function (i) { return 't = ' + flowgap.number(times[i]); }));
  }
  if (players.length) players[0].moved();
}

/* ---- the rest of the page ------------------------------------------------------------------------------- */

function copy(text, button) {
  var done = function () {
    button.textContent = 'Copied';
    setTimeout(function () { button.textContent = 'Copy'; }, 1500);
  };
  if (navigator.clipboard && window.isSecureContext) {
    navigator.clipboard.writeText(text).then(done);
    return;
  }
  var room = element('textarea', {readonly: ''}, document.body);
  room.value = text;
  room.select();
  if (document.execCommand('copy')) done();
  document.body.removeChild(room);
}

start();
all('pre').forEach(function (pre) {
  var text = pre.textContent, button = element('button', {type: 'button', 'class': 'copy'});
  button.textContent = 'Copy';
  pre.parentNode.insertBefore(button, pre);
  button.addEventListener('click', function () { copy(text, button); });
});
all('.scroll').forEach(function (box) { /* what scrolls can be reached by keyboard */
  var table = box.querySelector('table'), section = box.closest('section');
  if (!table || box.scrollWidth <= box.clientWidth) return;
  box.setAttribute('tabindex', '0');
  box.setAttribute('role', 'region');
  box.setAttribute('aria-label', (section ? section.querySelector('h2').textContent + ': ' : '') + 'table that scrolls');
});
if (figures.length) {
  var help = element('p', {'class': 'help'});
  help.textContent = matchMedia('(hover: none)').matches
    ? 'Tap a curve or a map for its values, tap twice to enlarge.'
    : 'Point at a curve or a map for its values; drag to enlarge a part, double-click for all of it. ' +
      'By keyboard: Tab to a figure, then arrows, + and \u2212, Esc.';
  var head = document.querySelector('header');
  if (head) head.appendChild(help);
}
var sections = all('main > section[id]'), header = document.querySelector('header');
if (header && sections.length > 4) { /* a long page: what is on it */
  var contents = element('nav', {'class': 'contents', 'aria-label': 'On this page'});
  sections.forEach(function (section) {
    var title = section.querySelector('h2');
    if (title) element('a', {href: '#' + section.id}, contents).textContent = title.textContent;
  });
  header.appendChild(contents);
}
var opened = [];
window.addEventListener('beforeprint', function () {
  opened = all('details:not([open])');
  opened.forEach(function (d) { d.open = true; });
  figures.forEach(function (one) { if (one.zoomed()) one.apply(null); one.hush(); });
});
window.addEventListener('afterprint', function () {
  opened.forEach(function (d) { d.open = false; });
});
})();
