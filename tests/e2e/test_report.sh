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

check_kind full 39 31 9 grid
check_kind within 39 31 9 grid
check_kind line 18 0 9 exact
check_kind high 8 3 0 exact
check_kind bare 6 3 0 grid
check_kind certified 9 0 0 exact
check_slider
check_widths

echo "pages and screenshots in $pages"
finish
