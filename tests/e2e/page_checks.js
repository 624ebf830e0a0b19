/* Put into a copy of a page by tests: what a reader would stumble over, as the title of the page.
 * "checks: none; figures 5; blank none" when all is well. */
(function () {
  'use strict';
  var bad = [], wide = document.documentElement.scrollWidth - innerWidth, left = 0;
  if (wide > 0) bad.push('the page is ' + wide + ' px too wide');

  /* a hidden snapshot or a folded part has no boxes */
  var seen = function (e) { return e.getClientRects().length > 0; };
  /* inside something that scrolls sideways, text may run on */
  var scrolls = function (e) {
    for (; e && e !== document.body; e = e.parentElement)
      if (/auto|scroll/.test(getComputedStyle(e).overflowX)) return true;
    return false;
  };

  document.querySelectorAll('h1,h2,h3,p,li,dt,dd,small,figcaption,summary,th,td,.legend,.bar,.kicker').forEach(function (e) {
    if (!seen(e) || scrolls(e)) return;
    var box = e.getBoundingClientRect();
    if (box.right > innerWidth + 1 || e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0)
      bad.push('cut off: "' + e.textContent.slice(0, 40) + '"');
  });

  var figures = Array.prototype.filter.call(document.querySelectorAll('figure'), seen);
  figures.forEach(function (f) {
    var svg = f.querySelector('svg'), box = svg && svg.getBoundingClientRect();
    if (!svg) { bad.push(f.id + ' holds no drawing'); return; }
    if (box.width < 100 || box.height < 60) bad.push(f.id + ' is ' + box.width + ' x ' + box.height);
    if (!f.textContent.trim()) bad.push(f.id + ' has no title');
    /* small maps let their labels stand out on phones: they need only stay on the screen */
    var free = getComputedStyle(svg).overflow === 'visible';
    svg.querySelectorAll('text').forEach(function (t) {
      var r = t.getBoundingClientRect();
      if (!r.width) return;
      var l = free ? 0 : box.left, to = free ? innerWidth : box.right;
      if (r.left < l - 2 || r.right > to + 2 || !free && (r.top < box.top - 2 || r.bottom > box.bottom + 2))
        bad.push(f.id + ' cuts "' + t.textContent + '"');
    });
  });

  /* The share of a drawing that is not blank, by painting it. */
  var blank = [], say = function () {
    document.title = 'checks: ' + (bad.length ? bad.join('; ') : 'none') + '; figures ' + figures.length +
        '; blank ' + (blank.length ? blank.join(', ') : 'none') + '.';
  };
  var weigh = function (f, picture) {
    var canvas = document.createElement('canvas'), pen = canvas.getContext('2d');
    canvas.width = 300; canvas.height = 200;
    pen.drawImage(picture, 0, 0, 300, 200);
    var data = pen.getImageData(0, 0, 300, 200).data, inked = 0;
    for (var i = 3; i < data.length; i += 4) inked += data[i] > 20;
    if (inked < 0.01 * 300 * 200) blank.push(f.id);
    if (--left === 0) say();
  };
  figures.forEach(function (f) {
    var svg = f.querySelector('svg');
    if (!svg) return;
    var copy = svg.cloneNode(true), picture = new Image();
    copy.setAttribute('width', 300);
    copy.setAttribute('height', 200);
    left++;
    picture.onload = function () { weigh(f, picture); };
    picture.onerror = function () { blank.push(f.id + ' (cannot be painted)'); if (--left === 0) say(); };
    picture.src = 'data:image/svg+xml,' +
        encodeURIComponent(new XMLSerializer().serializeToString(copy).replace(/var\(--[a-z]+\)/g, '#000'));
  });
  if (left === 0) say();
})();
