# Sourced by tests of pages, with the build folder as argument: defines browser, browse, fail, expect, count, check_page and
# finish. Skips the test where there is no browser, or FLOWGAP_NO_BROWSER is set.
# shellcheck shell=bash
build=$(cd "$1" && pwd) || exit 2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
if [ -n "${FLOWGAP_NO_BROWSER:-}" ]; then
  echo "skipped: FLOWGAP_NO_BROWSER is set"
  exit 77
fi
if [ -z "$browser" ]; then
  echo "skipped: no chromium on the PATH (apt-get install chromium)"
  exit 77
fi
failures=0

fail() {
  echo "FAILED: $*"
  failures=$((failures + 1))
}

expect() { # WHAT GOT WANTED
  [ "$2" = "$3" ] || fail "$1: $2, expected $3"
}

# count PATTERN FILE: how often it occurs
count() {
  grep -o -- "$1" "$2" | wc -l
}

# browse LOG ARGUMENTS...: a fresh profile each time, network off
browse() {
  local log=$1 profile
  shift
  profile=$(mktemp -d)
  timeout 120 "$browser" --headless --no-sandbox --disable-gpu --disable-background-networking \
    --hide-scrollbars --host-resolver-rules='MAP * ~NOTFOUND' --enable-logging=stderr \
    --user-data-dir="$profile" "$@" 2>"$log"
  local code=$?
  rm -rf "$profile"
  return $code
}

# inject PAGE SCRIPT COPY: the page with the script before its end
inject() {
  # the script may hold what sed or awk would read, so it is put in as a file
  { sed '/<\/body>/,$d' "$1"; echo '<script>'; cat "$2"; echo '</script></body></html>'; } >"$3"
}

# check_page NAME HTML FIGURES (shown at once; "9+": at least nine): at the width of a desktop and of a phone nothing is cut off, every figure is there and not
# blank; no console message, nothing from outside, below 5 MB
check_page() {
  local name=$1 html=$2 width copy dom log title figures
  copy=$(dirname "$html")/checked.html dom=$(dirname "$html")/$name.dom log=$(dirname "$html")/$name.log
  inject "$html" "$here/page_checks.js" "$copy"
  for width in 1200 400; do
    browse "$log" --window-size=$width,1000 --virtual-time-budget=5000 --dump-dom "file://$copy" >"$dom" ||
      fail "$name: the browser failed"
    title=$(grep -o '<title>[^<]*' "$dom" | head -1)
    figures=$(echo "$title" | sed -n 's/.*; figures \([0-9]*\); blank.*/\1/p')
    if [ "${3%+}" != "$3" ] && [ "${figures:-0}" -lt "${3%+}" ]; then fail "$name: only $figures figures"; fi
    [ "${3%+}" != "$3" ] || expect "$name: figures" "$figures" "$3"
    expect "$name at $width px" "${title#<title>}" "checks: none; figures $figures; blank none."
    grep CONSOLE "$log" && fail "$name: console messages"
  done
  grep -qE '(src|href)="?(https?:)?//' "$dom" && fail "$name: an address outside the page"
  grep -qE '@import|url\((https?:|//)' "$html" && fail "$name: a style from outside"
  [ "$(stat -c %s "$html")" -lt 5000000 ] || fail "$name: the page has $(stat -c %s "$html") bytes"
  local twice
  twice=$(grep -oE ' id="[^"]*"' "$html" | sort | uniq -d)
  [ -z "$twice" ] || fail "$name: ids used twice: $twice"
  # read as XML, one tag left open is an error page
  cp "$html" "${html%.html}.xhtml"
  browse "$log" --dump-dom "file://${html%.html}.xhtml" >"$dom"
  grep -q 'parsererror' "$dom" && fail "$name: not well-formed: $(grep -o 'error on line[^<]*' "$dom")"
  grep -q '</footer>' "$dom" || fail "$name: the page ends early"
  rm -f "$copy" "${html%.html}.xhtml"
}

finish() {
  [ "$failures" = 0 ] && return 0
  echo "$failures failures"
  return 1
}
