#!/usr/bin/env bash
# flowgap distance: kinds of files, columns, weights, table, JSON, warnings, and what is refused. Arguments: build
# folder, source folder.
set -u
# shellcheck source=tests/e2e/expect.sh
. "$(dirname "$0")/expect.sh"

fast=(--set compare.replicates=10 --set compare.permutations=9)

# 300 points on a lattice-like sequence; b.csv is a.csv moved by (3, 4): every W2 is 5, whatever the estimator
awk -v OFS=, 'BEGIN { print "x,y"; for (i = 0; i < 300; i++) print (i * 0.618034) % 1, (i * 0.414214) % 1 }' >a.csv
awk -F, 'NR == 1 { print; next } { print $1 + 3, $2 + 4 }' OFS=, a.csv >b.csv

# figure JSON KEY ESTIMATOR: within 1e-6 of a number
near() { # TEXT NUMBER WANTED
  cases=$((cases + 1))
  awk -v a="$2" -v b="$3" 'BEGIN { exit !(a - b < 1e-6 && b - a < 1e-6) }' || {
    echo "FAILED: $1: $2, expected $3"
    bad=$((bad + 1))
  }
}
value() { # ESTIMATOR: of the last JSON output
  grep -A1 "\"$1\": {" out.txt | sed -n 's/.*"value": \([^,]*\),*/\1/p'
}

# ---- figures
good distance a.csv b.csv --estimator exact,gaussian --json "${fast[@]}"
near 'exact, a translation' "$(value exact)" 5
near 'gaussian, a translation' "$(value gaussian)" 5
for key in '"schema": 1' '"verb": "distance"' '"dimension": 2' '"rows": 300' '"weighted": false' \
  '"effective_rows": 300.0' '"confidence": 0.9' '"divergences": {}' '"warnings": []' '"p_value"' '"ci_low"'; do
  holds "$key"
done
good distance a.csv b.csv --columns y --estimator exact --json "${fast[@]}"
near 'one column' "$(value exact)" 4
good distance a.csv b.csv --columns 2,1 --estimator exact --json "${fast[@]}"
near 'columns the other way round' "$(value exact)" 5

# ---- the table
good distance a.csv b.csv "${fast[@]}" --estimator exact,sliced
holds 'A: a.csv, 300 rows, 2 coordinates'
holds '90 % interval'
holds 'value     in the units of the columns'
holds 'floor     what the same estimator gives between two samples of one law'
holds 'less bias'
holds 'along the best of its directions'
good distance a.csv b.csv "${fast[@]}" --estimator exact --quiet
if grep -qE '^(A:|floor)' out.txt; then
  echo 'FAILED: --quiet does not leave out the notes'
  bad=$((bad + 1))
fi

# ---- out
good distance a.csv b.csv --estimator gaussian "${fast[@]}" --out d.json
holds 'gaussian'
cp d.json out.txt
near 'the file' "$(value gaussian)" 5
expect 4 'cannot write none/d.json: No such file or directory' distance a.csv b.csv --estimator gaussian "${fast[@]}" \
  --out none/d.json

# ---- weights: doubling a row and giving it weight 2 are the same law
printf 'x,y,mass\n0,0,2\n1,0,1\n0,1,1\n1,1,1\n5,5,0\n' >weighted.csv
printf '0 0\n0 0\n1 0\n0 1\n1 1\n' >doubled.txt
printf '2\n1\n1\n1\n0\n' >mass.txt
printf '0 0\n1 0\n0 1\n1 1\n5 5\n' >bare.txt
for words in 'weighted.csv doubled.txt --weights mass,none' 'weighted.csv doubled.txt --weights 3,none' \
  'bare.txt doubled.txt --weights mass.txt,none' 'doubled.txt bare.txt --weights none,mass.txt'; do
  # shellcheck disable=SC2086
  good distance $words --estimator exact --json "${fast[@]}"
  near "$words" "$(value exact)" 0
  holds '"weighted": true'
done
expect 2 'there is no column weight for weights, nor a file of that name; it has: x, y, mass' distance weighted.csv \
  doubled.txt --weights weight
expect 2 '--weights is "mass,": give W, or W,V' distance weighted.csv doubled.txt --weights mass,
expect 4 'it has 300 x 2 numbers, weights of doubled.txt are 5 in one column' distance doubled.txt bare.txt \
  --weights a.csv

# ---- kinds: the same numbers through each
good sample exact:gmm9 --count 300 --out s.h5 --quiet
good sample exact:gmm9 --count 300 --out s.npy --quiet
good sample exact:gmm9 --count 300 --out s.csv --quiet
corpus=$source/tests/fuzz/corpus
for pair in 's.h5 s.npy' 's.h5:x s.csv' 's.npy s.csv' "$corpus/npz/stored.npz:x $corpus/npy/plain.npy --weights none"; do
  # shellcheck disable=SC2086
  good distance $pair --estimator exact --json "${fast[@]}"
  near "$pair" "$(value exact)" 0
done
expect 4 'there is no array y; it holds: x, weights' distance "$corpus/npz/stored.npz:y" a.csv
printf 'PAR1....' >p.parquet
expect 4 "p.parquet: a Parquet file: convert it with  python3 -c \"import pandas; pandas.read_parquet" distance p.parquet \
  a.csv
printf 'x,y\n1,2\n3,\n' >missing.csv
expect 4 'missing.csv, line 3 (row 2), column 2: "" is not a number: a missing value' distance missing.csv a.csv
printf 'x,y\n1,2\nnan,4\n' >nan.csv
expect 4 'nan.csv, line 3 (row 2), column 1: the value nan is not finite' distance nan.csv a.csv
expect 2 'there is no column z; it has: x, y' distance a.csv b.csv --columns x,z

# ---- an estimator that fails leaves its place empty; alone, it ends the call
hopeless=(--set compare.sinkhorn.epsilon=1e-12 --set compare.sinkhorn.tolerance=1e-12 --set compare.pair_points=64)
good distance a.csv s.csv --estimator exact,sinkhorn "${fast[@]}" "${hopeless[@]}"
holds 'sinkhorn   not had: Sinkhorn between the samples did not converge'
holds 'warning: sinkhorn failed: Sinkhorn between'
good distance a.csv s.csv --estimator exact,sinkhorn --json "${fast[@]}" "${hopeless[@]}"
holds '"missing": "Sinkhorn between the samples did not converge'
holds '"primal"'
expect 3 'flowgap: Sinkhorn between the samples did not converge' distance a.csv s.csv --estimator sinkhorn "${fast[@]}" \
  "${hopeless[@]}"
expect 3 'no estimator gave a distance; the first: Sinkhorn between' distance a.csv s.csv --estimator sinkhorn,entropic \
  "${fast[@]}" "${hopeless[@]}"

# ---- warnings
good distance doubled.txt bare.txt --estimator exact "${fast[@]}"
holds 'warning: A has only 5 rows'
good distance a.csv a.csv --estimator grid "${fast[@]}" --set compare.grid.half_width=0.8
cases=$((cases + 1))
grep -qE '^warning: grid: [1-9][0-9]* of 300 rows of A and [1-9][0-9]* of 300 of B lie beyond its half width 0.8' out.txt || {
  echo 'FAILED: rows outside the grid are not named'
  bad=$((bad + 1))
}
awk 'BEGIN { for (i = 0; i < 300; i++) { for (j = 1; j < 7; j++) printf "%g ", (i * (j + 0.618) ^ 1.5) % 1; print 1e5 * ((i * 7.3) % 1) } }' >wide.txt
good distance wide.txt wide.txt --set 'compare.estimators=[exact, grid]' --set compare.exact_points=100 \
  "${fast[@]}"
holds 'warning: grid is left out: it needs two columns, these files have 7'
holds 'warning: coordinate 7 of A spreads'
holds 'hides smaller differences'

finish
