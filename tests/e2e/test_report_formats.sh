#!/usr/bin/env bash
# flowgap report RUN... --format: runs of every kind side by side in a browser, pages on paper and as pictures, names of the
# files, and what is refused. Pages stay in BUILD/report-formats. Arguments: build folder, source folder.
set -u
# shellcheck source=tests/e2e/browser.sh
. "$(dirname "$0")/browser.sh"
flowgap=$build/flowgap
[ -x "$flowgap" ] || { echo "no $flowgap: the command was not built"; exit 77; }
pages=$build/report-formats
rm -rf "$pages"
mkdir -p "$pages"
cd "$pages" || exit 2

run() {
  "$flowgap" "$@" >out.txt 2>err.txt || fail "flowgap $*: $(cat err.txt)"
}

refuse() { # STATUS TEXT WORDS...
  local status=$1 text=$2
  shift 2
  "$flowgap" "$@" >out.txt 2>err.txt
  expect "status of flowgap $*" $? "$status"
  grep -qF -- "$text" err.txt || fail "flowgap $*: $(cat err.txt)"
}

small=(--set compare.particles=1500 --set compare.exact_points=200 --set compare.replicates=10
  --set compare.pair_points=200 --set compare.directions=10
  --set compare.permutations=9 --set 'flow.sde.grid=[]' --set flow.sde.steps=100 --quiet)
run compare exact:gmm9 "${small[@]}" --set 'compare.lambdas=[0.5,1]' --set 'compare.snapshots=[3,1]' --out exact
run compare perturbed:gmm9 "${small[@]}" --set 'compare.lambdas=[0.5,1]' --out perturbed
run residual perturbed:gmm9 --set residual.points=300 --quiet --out residual
run density perturbed:gmm9 --set density.cells=48 --quiet --out density

# ---- side by side: of every kind, and many
run report exact perturbed residual density --out mixed.html
expect 'the file that is named' "$(cat out.txt)" mixed.html
grep -q '2 comparisons, 1 residual, 1 density' mixed.html || fail 'kinds are not told apart'
for figure in distances-exact distances-grid distances-sinkhorn distances-sliced distances-gaussian lambda residual ode-0 sde-1 gap-1; do
  grep -q "<figure id=\"figure-side-$figure\">" mixed.html || fail "no figure $figure"
done
check_page mixed "$pages/mixed.html" 14
many=()
for k in 1 2 3 4 5 6 7 8 9 10 11 12; do
  cp -r perturbed "run-with-a-long-name-$k"
  sed -i "s/^seed: .*/seed: $k/" "run-with-a-long-name-$k/config.yaml"
  many+=("run-with-a-long-name-$k")
done
run report "${many[@]}" --out many
check_page many "$pages/many.html" 44
run report residual density --out few.html
check_page few "$pages/few.html" 1

# ---- formats of one run
run report perturbed --format html,pdf,png,json,md
expect 'files' "$(tr '\n' ' ' <out.txt)" \
  'perturbed/report.html perturbed/report.pdf perturbed/report.png perturbed/report.json perturbed/report.md '
check_page perturbed "$pages/perturbed/report.html" 12+
[ "$(head -c 5 perturbed/report.pdf)" = '%PDF-' ] || fail 'the PDF is none'
[ "$(grep -ac '/Type */Page\b' perturbed/report.pdf)" -ge 2 ] || fail 'the PDF has less than two pages'
# width and height of a PNG, which is not one colour
size() {
  od -An -tu1 -j16 -N8 "$1" | awk '{ print ($1 * 16777216 + $2 * 65536 + $3 * 256 + $4), ($5 * 16777216 + $6 * 65536 + $7 * 256 + $8) }'
}
read -r width height < <(size perturbed/report.png)
expect 'width of the picture' "$width" 1200
[ "$height" -gt 3000 ] || fail "the picture is $height high"
[ "$(stat -c %s perturbed/report.png)" -gt 100000 ] || fail 'the picture is blank'
read -r width height < <(size perturbed/report_figures/residual.png)
expect 'a figure' "$width $height" '920 580'
[ "$(grep -c '^!\[' perturbed/report.md)" -ge 5 ] || fail 'the Markdown has no pictures'
grep -q '^## Wasserstein distances$' perturbed/report.md || fail 'the Markdown has no distances'
grep -q '"verb": "report"' perturbed/report.json || fail 'the JSON is none'
# wide tables are not cut off in a picture
run report "${many[@]}" --format png --out many.png
read -r width height < <(size many.png)
[ "$width" -gt 1500 ] || fail "twelve columns in $width pixels"

# ---- names
mkdir folder
run report exact --format json,md --out folder
[ -s folder/report.json ] && [ -s folder/report.md ] || fail 'no files in the folder'
run report exact --format json,html --out both.html
[ -s both.json ] && [ -s both.html ] || fail 'an ending is not replaced'
run report exact perturbed
[ -s report.html ] || fail 'no page of two runs'
run report exact --format json --json
expect 'JSON' "$(cat out.txt)" '{"report": "exact/report.json", "files": ["exact/report.json"]}'
refuse 2 '--format: "doc" is none of html, pdf, png, json, md' report exact --format doc
refuse 2 '--format names pdf twice' report exact --format pdf,pdf
refuse 2 '--out ends in .pdf and --format is png: let both agree' report exact --format png --out x.pdf
refuse 4 'nothing/results.json' report exact nothing
refuse 4 'nowhere/x.html' report exact --out nowhere/x.html
# as if no browser were installed
mkdir bin
ln -s "$(command -v gnuplot)" bin/gnuplot
PATH=$pages/bin "$flowgap" report exact --format pdf 2>err.txt
expect 'status without a browser' $? 2
grep -q 'install the package chromium' err.txt || fail "without a browser: $(cat err.txt)"
rm -rf bin "${many[@]}"

finish
