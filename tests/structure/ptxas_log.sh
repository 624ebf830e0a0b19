#!/bin/sh
# nvcc as CMake calls it, with what ptxas says of each kernel kept beside the object: X.cu.o.ptxas for X.cu.o
for word; do
  [ "$before" = -o ] && object=$word
  before=$word
done
"$@" -Xptxas -v 2>"$object.ptxas" && exit
status=$?
grep -v '^ptxas info\|^ *[0-9]* bytes stack frame' "$object.ptxas" >&2
exit $status
