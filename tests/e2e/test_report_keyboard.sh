#!/usr/bin/env bash
# The time slider of a page follows real keys: they are sent through the browser's debugging pipe, so that what moves is
# what a reader's keyboard would move. Arguments: build folder, source folder.
set -u
# shellcheck source=tests/e2e/browser.sh
. "$(dirname "$0")/browser.sh"
[ -x "$build/tests/test_report" ] || { echo "skipped: test_report is not built"; exit 77; }
work=$(mktemp -d)
"$build/tests/test_report" --make full "$work/run" || exit 1
mkfifo "$work/in" "$work/out"
# 3 is read by the browser, 4 written
"$browser" --headless --no-sandbox --disable-gpu --disable-background-networking --user-data-dir="$work/profile" \
  --remote-debugging-pipe about:blank 3<"$work/in" 4>"$work/out" 2>"$work/log" &
child=$!
trap 'kill $child 2>/dev/null; wait $child 2>/dev/null; rm -rf "$work"' EXIT
exec 5>"$work/in" 6<"$work/out"

number=0
# call METHOD PARAMETERS [SESSION]: answer in $reply
call() {
  number=$((number + 1))
  printf '{"id":%d,"method":"%s","params":%s%s}\0' "$number" "$1" "$2" "${3:+,\"sessionId\":\"$3\"}" >&5
  while IFS= read -r -d '' -t 60 reply <&6; do
    case $reply in *"\"id\":$number,"*) return 0 ;; esac
  done
  fail "no answer to $1: $(tail -3 "$work/log")"
  finish
  exit 1
}
field() { # NAME: of the reply
  echo "$reply" | grep -o "\"$1\":\"[^\"]*\"" | head -1 | cut -d'"' -f4
}
value() { # SCRIPT: its text
  call Runtime.evaluate "{\"expression\":\"$1\",\"returnByValue\":true}" "$session"
  field value
}
press() { # KEY CODE
  call Input.dispatchKeyEvent "{\"type\":\"rawKeyDown\",\"key\":\"$1\",\"code\":\"$1\",\"windowsVirtualKeyCode\":$2}" "$session"
  call Input.dispatchKeyEvent "{\"type\":\"keyUp\",\"key\":\"$1\",\"code\":\"$1\",\"windowsVirtualKeyCode\":$2}" "$session"
}

call Target.createTarget "{\"url\":\"file://$work/run/report.html\"}"
call Target.attachToTarget "{\"targetId\":\"$(field targetId)\",\"flatten\":true}"
session=$(field sessionId)
shown="var f=document.querySelectorAll('.frame:not([hidden])');f.length+' '+(f[0]?f[0].getAttribute('data-t'):'')"
for _ in $(seq 100); do # until the script of the page has run
  [[ $(value "$shown") == '1 '* ]] && break
  sleep 0.1
done
slider="document.querySelector('#snapshots input[type=range]')"
expect 'at first' "$(value "$shown")" '1 0.205'
value "$slider.focus();'focused'" >/dev/null
press ArrowRight 39
expect 'one to the right' "$(value "$shown")" '1 0.0819'
press ArrowLeft 37
press ArrowLeft 37
expect 'two to the left' "$(value "$shown")" '1 0.512'
press End 35
expect 'the end' "$(value "$shown")" '1 0.00524'
press Home 36
expect 'the beginning' "$(value "$shown")" '1 8.00'
expect 'what is read out' "$(value "$slider.getAttribute('aria-valuetext')")" 't = 8.00'
call Browser.close '{}'

finish
