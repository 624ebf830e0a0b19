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

run density perturbed:gmm9 --set density.cells=32 --quiet --out rough
cat >tiny.yaml <<'YAML'
process: {kind: vp, beta_min: 0.1, beta_max: 10, horizon: 1}
prior: {kind: truncated, variance: 1}
target: {kind: gmm9}
train: {method: dis, steps: 20, batch: 64, time_steps: [10, 20], hidden: [16, 16], frequencies: 8, embedding_width: 16,
        log_every: 5, evaluate_every: 10, evaluate_paths: 300}
YAML
run train tiny.yaml --quiet --out first
run train tiny.yaml --seed 2 --quiet --out second

# ---- side by side: of every kind, and many
run report exact perturbed residual density rough first second --out mixed.html
expect 'the file that is named' "$(cat out.txt)" mixed.html
grep -q '2 comparisons, 1 residual, 2 densities, 2 trainings' mixed.html || fail 'kinds are not told apart'
for figure in distances-exact distances-grid distances-sinkhorn distances-sliced distances-gaussian lambda residual ode-0 sde-1 gap-1 \
  solved-ode-3 solved-sde-4 solved-gap-4 loss log-z ess; do
  grep -q "<figure id=\"figure-side-$figure\">" mixed.html || fail "no figure $figure"
done
expect 'read-outs of figures' "$(count 'class="readout"' mixed.html)" "$(count '<figure id=' mixed.html)"
check_page mixed "$pages/mixed.html" 23

# what is told of points and cells, by name of the run; the maps of a row that have one view tell of each other
cat >hands.js <<'END'
var said = [];
function figure(name) { return flowgap.figures.filter(function (f) { return f.home.id === 'figure-' + name; })[0]; }
function tell(name, what) {
  var f = figure(name);
  if (!f) { said.push('no ' + name); return; }
  if (f.map) f.showCell(5, 5); else f.showPoint(f.data.s.length - 1, 1);
  if (!what.test(f.tip.textContent)) said.push(name + ': ' + f.tip.textContent);
}
tell('side-distances-grid', /^SDE and target, perturbedW\u2082 = [0-9.]+ \([0-9.]+ to [0-9.]+\)noise floor [0-9.]+$/);
tell('side-gap-time', /^perturbedt = [0-9.]+W\u2082\(ODE, SDE\) = [0-9.]+$/);
tell('side-lambda', /^perturbed\u03bb = 1W\u2082 = [0-9.]+$/);
tell('side-loss', /^secondstep = 10loss = [0-9.]+$/);
tell('side-ess', /^secondstep = 20ESS \/ n = [0-9.]+$/);
tell('side-ode-1', /^x\u2081 = .*, x\u2082 = .*exact: .*perturbed: /);
tell('side-gap-0', /^x\u2081 = .*, x\u2082 = .*exact: .*perturbed: /);
tell('side-solved-sde-4', /^x\u2081 = .*, x\u2082 = .*rough: [^:]*$/);
document.title = said.length ? 'failed: ' + said.join('; ') : 'hands work';
END
inject "$pages/mixed.html" hands.js "$pages/hands.html"
browse hands.log --window-size=1200,2000 --virtual-time-budget=3000 --dump-dom "file://$pages/hands.html" >hands.dom
expect 'read-outs' "$(grep -o '<title>[^<]*' hands.dom)" '<title>hands work'
for width in 1200 400; do
  browse shot.log --window-size=$width,4000 --screenshot="$pages/mixed-$width.png" "file://$pages/mixed.html"
done
# densities of one dimension are curves
run density perturbed:gaussian --set target.dimension=1 --set density.cells=64 --quiet --out line
run report line line --out line.html
grep -q '<figure id="figure-side-solved-laws">' line.html || fail 'no curves of densities'
check_page line "$pages/line.html" 1
many=()
for k in 1 2 3 4 5 6 7 8 9 10 11 12; do
  cp -r perturbed "run-with-a-long-name-$k"
  sed -i "s/^seed: .*/seed: $k/" "run-with-a-long-name-$k/config.yaml"
  many+=("run-with-a-long-name-$k")
done
run report "${many[@]}" --out many
check_page many "$pages/many.html" 44
run report residual density --out few.html
check_page few "$pages/few.html" 4

# ---- formats of one run
run report perturbed --format html,pdf,png,json,md
expect 'files' "$(tr '\n' ' ' <out.txt)" \
  'perturbed/report.html perturbed/report.pdf perturbed/report.png perturbed/report.json perturbed/report.md '
check_page perturbed "$pages/perturbed/report.html" 12+
# the budget tells what each part adds, the bias figure ends at infinity
cat >hands.js <<'END'
var said = [];
function point(name, series, i) {
  var f = flowgap.figures.filter(function (one) { return one.home.id === 'figure-' + name; })[0];
  f.showPoint(series < 0 ? f.data.s.length + series : series, i);
  return f.tip.textContent;
}
function tell(text, what) { if (!what.test(text)) said.push(text); }
tell(point('budget', 0, 0), /^measuredW\u2082 = [0-9.]+$/);
tell(point('budget', 0, 1), /^SDE time step addsW\u2082 = .* \(.* to .*\)$/);
tell(point('bias', 0, 0), /^exact, 200 rowsW\u2082\(ODE, SDE\) = [0-9.]+/);
tell(point('bias', -1, 0), /^[a-z]+, infinitely many rowsW\u2082\(ODE, SDE\) = [0-9.]+/);
if (!/\u221e/.test(document.getElementById('figure-bias').querySelector('svg').textContent)) said.push('no tick at infinity');
document.title = said.length ? 'failed: ' + said.join('; ') : 'hands work';
END
inject "$pages/perturbed/report.html" hands.js "$pages/hands.html"
browse hands.log --window-size=1200,2000 --virtual-time-budget=3000 --dump-dom "file://$pages/hands.html" >hands.dom
expect 'read-outs of budget and bias' "$(grep -o '<title>[^<]*' hands.dom)" '<title>hands work'
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
