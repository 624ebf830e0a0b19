# Sourced by tests of the command's messages, with the build folder and the source folder as arguments: goes to a
# folder of its own and defines expect, good and holds.
# shellcheck shell=bash
flowgap=$(realpath "$1")/flowgap
source=$(realpath "$2")
[ -x "$flowgap" ] || { echo "no $flowgap: the command was not built"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
bad=0
cases=0

# expect STATUS TEXT WORDS...: standard error holds TEXT, and begins with "flowgap: ".
expect() {
  local status=$1 text=$2
  shift 2
  "$flowgap" "$@" >out.txt 2>err.txt
  check $? "$status" "$text" "$*"
}

check() {
  cases=$((cases + 1))
  if [ "$1" != "$2" ] || ! grep -qF -- "$3" err.txt || ! grep -q '^flowgap: ' err.txt; then
    echo "FAILED: flowgap $4"
    echo "  status $1, expected $2; expected text: $3"
    sed 's/^/  /' err.txt
    bad=$((bad + 1))
  fi
}

# good WORDS...: status 0 and nothing on standard error.
good() {
  "$flowgap" "$@" >out.txt 2>err.txt
  local got=$?
  cases=$((cases + 1))
  if [ $got != 0 ] || [ -s err.txt ]; then
    echo "FAILED: flowgap $*: status $got"
    sed 's/^/  /' err.txt
    bad=$((bad + 1))
  fi
}

# holds TEXT: the last output holds it.
holds() {
  cases=$((cases + 1))
  if ! grep -qF -- "$1" out.txt; then
    echo "FAILED: not in the output: $1"
    bad=$((bad + 1))
  fi
}

# linear FILE ROWS COLUMNS BYTES: a network of one linear map, F64; BYTES: of the weights, as printf takes them
# shellcheck disable=SC2059
linear() {
  local size=$((8 * $2 * $3))
  local header="{\"0.weight\":{\"dtype\":\"F64\",\"shape\":[$2,$3],\"data_offsets\":[0,$size]}}"
  { printf "\\x$(printf %x ${#header})\\0\\0\\0\\0\\0\\0\\0%s" "$header"; printf "$4"; } >"$1"
}

finish() {
  echo "$cases cases, $bad failed"
  [ $bad = 0 ]
}
