#!/bin/bash
# The page of a run in a browser: every figure present and not empty, nothing cut off on a desktop and a phone, the slider
# works, nothing is fetched, no console error, and the text is well-formed. Screenshots stay in BUILD/report-pages.
# usage: test_report.sh BUILD SOURCE
set -u
# shellcheck source=tests/e2e/browser.sh
. "$(dirname "$0")/browser.sh"
maker=$build/tests/test_report
if [ ! -x "$maker" ]; then
  echo "skipped: $maker is not built"
  exit 77
fi
pages=$build/report-pages
rm -rf "$pages"
mkdir -p "$pages"

make_page() { # KIND FOLDER
  if [ "$1" = certified ]; then
    "$build/tests/test_report_certificate" --make "$2"
  else
    "$maker" --make "$1" "$2"
  fi
}

check_kind() { # KIND SVGS IMAGES FRAMES ESTIMATOR
  local kind=$1 run=$pages/$1 dom=$pages/$1.dom log=$pages/$1.log
  make_page "$kind" "$run" || { fail "$kind: no page"; return; }
  local html=$run/report.html
  browse "$log" --virtual-time-budget=3000 --dump-dom "file://$html" >"$dom" || fail "$kind: the browser failed"
  grep CONSOLE "$log" && fail "$kind: console messages"
  expect "$kind: figures" "$(count '<svg ' "$dom")" "$2"
  expect "$kind: pictures" "$(count '<image [^>]*href="data:image/png;base64,[^"]\{100,\}' "$dom")" "$3"
  expect "$kind: snapshots" "$(count 'class="frame"' "$dom")" "$4"
  # headline and tiles name one estimator
  expect "$kind: estimator" "$(grep -o 'class="by">[^<]*' "$dom" | sort -u)" "class=\"by\">$5"
  # the script ran: one snapshot is shown, the others are hidden, the label follows
  if [ "$4" -gt 1 ]; then
    expect "$kind: hidden snapshots" "$(count 'class="frame" data-t="[^"]*" hidden=""' "$dom")" $(($4 - 1))
    grep -q '<output>t = ' "$dom" || fail "$kind: the slider has no label"
  fi
  check_page "$kind" "$html" 1+
}

# The slider, driven as a reader would: a copy of the page moves it to both ends and plays it.
check_slider() {
  local page=$pages/full/slider.html dom=$pages/slider.dom
  sed 's|</body>|<script>var s=document.querySelector(".player input");\
    var go=function(v){s.value=v;s.dispatchEvent(new Event("input"));\
    return document.querySelector(".frame:not([hidden])").getAttribute("data-t");};\
    document.title="ends "+go(0)+" "+go(s.max);document.querySelector(".player button").click();</script></body>|' \
    "$pages/full/report.html" >"$page"
  browse "$pages/slider.log" --virtual-time-budget=20000 --dump-dom "file://$page" >"$dom"
  grep -q '<title>ends 8.00 0.00524</title>' "$dom" || fail "slider: $(grep -o '<title>[^<]*' "$dom")"
  # it was at the end, so playing began anew, reached the end and stopped
  grep -q '<output>t = 0.00524</output>' "$dom" || fail "playing: $(grep -o '<output>[^<]*' "$dom")"
  grep -q '>Play</button>' "$dom" || fail "playing does not stop at the end"
}

# Widths of a desktop and of a phone: the page must not be wider than its window.
check_widths() {
  local width page=$pages/full/width.html
  sed 's|</body>|<script>document.title="over "+(document.documentElement.scrollWidth-innerWidth);</script></body>|' \
    "$pages/full/report.html" >"$page"
  for width in 1400 400; do
    browse "$pages/width.log" --window-size=$width,1000 --dump-dom "file://$page" >"$pages/width.dom"
    grep -qE '<title>over (-[0-9]+|0)</title>' "$pages/width.dom" ||
      fail "width $width: $(grep -o '<title>[^<]*' "$pages/width.dom")"
  done
  for width in 1400 400; do
    browse "$pages/shot.log" --window-size=$width,5000 --screenshot="$pages/full-$width.png" \
      "file://$pages/full/report.html"
    [ "$(stat -c %s "$pages/full-$width.png" 2>/dev/null || echo 0)" -gt 100000 ] || fail "no screenshot at $width"
  done
}

# What hands do: read-out of points and cells, a box dragged to enlarge, Escape, arrows, one time for both sliders.
check_hands() {
  local page=$pages/full/hands.html dom=$pages/hands.dom title
  cat >"$pages/hands.js" <<'END'
var said = [];
function figure(name) { return flowgap.figures.filter(function (f) { return f.home.id === 'figure-' + name; })[0]; }
function at(f, x, y) {
  var box = f.svg.getBoundingClientRect(), scale = box.width / f.svg.viewBox.baseVal.width;
  return {bubbles: true, pointerType: 'mouse', button: 0, clientX: box.left + x * scale, clientY: box.top + y * scale};
}
function hand(f, what, x, y) { f.svg.dispatchEvent(new PointerEvent(what, at(f, x, y))); }
function key(f, name) { f.svg.dispatchEvent(new KeyboardEvent('keydown', {key: name, bubbles: true})); }
function tip(f) { return f.tip.hidden ? '' : f.tip.textContent; }
function tell(ok, what) { if (!ok) said.push(what); }
try {
  /* the point of the line that is under the pointer, with interval and floor */
  var gap = figure('gap-time'), s = gap.data.s[0], x = gap.place(0, s.x[4]), y = gap.place(1, s.y[4]);
  hand(gap, 'pointermove', x + 2, y + 2);
  tell(/^t = 0.2048W\u2082\(ODE, SDE\) = 0.2237 \(0.2013 to 0.2461\)noise floor 0.03$/.test(tip(gap)), 'point: ' + tip(gap));
  hand(gap, 'pointerleave', 0, 0);
  tell(tip(gap) === '', 'the read-out stays');
  /* a cell, in all maps of the row at once */
  var map = figure('map-ode'), other = figure('map-gap');
  hand(map, 'pointermove', (map.area.l + map.area.r) / 2, (map.area.t + map.area.b) / 2);
  tell(/^x\u2081 = .*, x\u2082 = .*ODE: .*SDE: .*target: .*SDE \u2212 ODE: /.test(tip(map)), 'cell: ' + tip(map));
  tell(other.over.children.length === 1, 'the cell is not marked in the other map');
  /* a box enlarges all maps of one view, and ticks follow */
  hand(map, 'pointerdown', 100, 60);
  hand(map, 'pointermove', 160, 120);
  hand(map, 'pointerup', 160, 120);
  tell(map.zoomed() && other.zoomed() && !gap.zoomed(), 'the box does not enlarge the maps together');
  tell(Math.abs(other.view.l - 100) < 0.01 && Math.abs(other.view.b - 120) < 0.01, 'the view is not the box');
  tell(map.ticks.querySelectorAll('text').length > 3, 'no ticks in the enlarged map');
  key(map, 'Escape');
  tell(!map.zoomed() && !other.zoomed() && !other.body.getAttribute('transform'), 'Escape does not go back');
  /* the same by keyboard; a logarithmic axis keeps its values */
  key(gap, 'ArrowRight');
  var first = tip(gap);
  key(gap, 'ArrowRight');
  tell(first && tip(gap) && first !== tip(gap), 'arrows: ' + first + ' / ' + tip(gap));
  key(gap, '+');
  var middle = {x: (gap.view.l + gap.view.r) / 2, y: (gap.view.t + gap.view.b) / 2};
  tell(gap.zoomed() && Math.abs(Math.log(gap.place(0, gap.value(0, middle.x)) / middle.x)) < 1e-9, 'axes when enlarged');
  key(gap, '0');
  /* names on an axis: no enlarging */
  figure('estimates').zoomAt({x: 300, y: 60}, 2);
  tell(!figure('estimates').zoomed(), 'names are enlarged');
  /* one time for both sliders; a dot on each path of both laws */
  var frames = document.querySelector('.player.frames input'), paths = document.querySelector('.player.paths input');
  frames.value = 0;
  frames.dispatchEvent(new Event('input'));
  var early = +paths.value, plane = figure('plane'), before = plane.dots.innerHTML;
  frames.value = frames.max;
  frames.dispatchEvent(new Event('input'));
  tell(+paths.value > early && plane.dots.innerHTML !== before, 'the paths do not follow the maps');
  tell(plane.dots.children.length === 10, plane.dots.children.length + ' dots for 5 paths of each law');
  paths.value = 0;
  paths.dispatchEvent(new Event('input'));
  tell(+frames.value === 0, 'the maps do not follow the paths');
} catch (error) {
  said.push(error.stack);
}
document.title = said.length ? 'failed: ' + said.join('; ') : 'hands work';
END
  sed -e "/<\/body>/{r $pages/hands.js" -e 'd}' "$pages/full/report.html" |
    sed -e 's|^var said = \[\];|<script>//<![CDATA[\n&|' -e 's|^document.title = said.*|&\n//]]></script></body>|' >"$page"
  browse "$pages/hands.log" --window-size=1200,2000 --virtual-time-budget=3000 --dump-dom "file://$page" >"$dom"
  title=$(grep -o '<title>[^<]*' "$dom")
  [ "$title" = '<title>hands work' ] || fail "hands: $title"
  grep CONSOLE "$pages/hands.log" && fail 'hands: console messages'
}

# A phone, as a frame of 400 pixels (a window cannot be that narrow): nothing sticks out but what scrolls in its own
# box, and what is tapped is 40 pixels high.
check_phone() { # KIND
  local dom=$pages/phone-$1.dom title
  cat >"$pages/phone.html" <<END
<html><body style="margin:0"><iframe src="file://$pages/$1/report.html" style="border:0;width:400px;height:3000px"></iframe>
<script>onload = function () {
  var page = document.querySelector('iframe').contentDocument, list = function (what) {
    return [].slice.call(page.querySelectorAll(what));
  };
  var wide = list('main *').filter(function (e) {
    return !e.closest('.scroll, svg, pre') && e.getBoundingClientRect().right > 401;
  }).length;
  var small = list('button, input, summary').filter(function (e) {
    var height = e.getBoundingClientRect().height;
    return height > 0 && height < 40;
  }).length;
  document.title = 'over ' + (page.documentElement.scrollWidth - 400) + ', wide ' + wide + ', small ' + small;
};</script></body></html>
END
  browse "$pages/phone.log" --allow-file-access-from-files --virtual-time-budget=3000 --dump-dom \
    "file://$pages/phone.html" >"$dom"
  title=$(grep -o '<title>[^<]*' "$dom")
  [ "$title" = '<title>over 0, wide 0, small 0' ] || fail "phone, $1: $title"
}

# The page of a training: its figures, well-formed, nothing on the console.
check_training() {
  local run=$pages/training dom=$pages/training.dom
  "$build/tests/test_report_training" --make "$run" || { fail 'training: no page'; return; }
  browse "$pages/training.log" --virtual-time-budget=3000 --dump-dom "file://$run/report.html" >"$dom"
  grep CONSOLE "$pages/training.log" && fail 'training: console messages'
  expect 'training: figures' "$(count '<svg ' "$dom")" 5
  grep -q 'class="ticks"' "$dom" || fail 'training: the script did not dress the figures'
  cp "$run/report.html" "$run/report.xhtml"
  browse "$pages/training.log" --dump-dom "file://$run/report.xhtml" >"$dom.xml"
  grep -q 'parsererror' "$dom.xml" && fail 'training: not well-formed'
  grep -q '</footer>' "$dom.xml" || fail 'training: the page ends early'
}

check_kind full 40 31 9 grid
check_kind within 40 31 9 grid
check_kind line 19 0 9 exact
check_kind high 9 3 0 exact
check_kind bare 7 3 0 grid
check_kind certified 10 0 0 exact
check_slider
check_widths
check_training
check_hands
for kind in full high training; do check_phone $kind; done

echo "pages and screenshots in $pages"
finish
