#!/usr/bin/env bash
# A run that is asked to stop ends by itself, says so, and leaves a readable run directory.
# Arguments: build folder, source folder.
set -u
flowgap=$(realpath "$1")/flowgap
[ -x "$flowgap" ] || { echo "no $flowgap: the command was not built"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
bad=0

# stop SIGNAL STATUS: a run of minutes is stopped after it has begun.
stop() {
  "$flowgap" compare exact:gmm9 --set compare.particles=3000000 --out "run-$1" >out.txt 2>err.txt &
  local pid=$!
  for _ in $(seq 100); do
    [ -s "run-$1/log.txt" ] && break
    sleep 0.1
  done
  sleep 0.3
  local begin=$SECONDS
  kill "-$1" $pid
  wait $pid
  local got=$?
  if [ $got != "$2" ] || [ $((SECONDS - begin)) -gt 20 ] || ! grep -q '^flowgap: ' err.txt || [ -s out.txt ]; then
    echo "FAILED: $1: status $got, expected $2, after $((SECONDS - begin)) s"
    cat err.txt out.txt
    bad=1
  fi
  if [ ! -s "run-$1/config.yaml" ]; then
    echo "FAILED: $1: no config.yaml is left"
    bad=1
  fi
}

stop INT 130
stop TERM 143
[ $bad = 0 ]
