#!/usr/bin/env bash
# Sweeps: members, results, the page, going on, refusals. Arguments: build folder, source folder.
set -u
# shellcheck source=tests/e2e/expect.sh
. "$(dirname "$0")/expect.sh" "$@"

cat >tiny.yaml <<'END'
process: {kind: ou, rate: 1, diff: 1, horizon: 2}
prior: {kind: gaussian, variance: 0.5}
target: {kind: circles}
model: {kind: network, form: potential, activation: softplus, beta: 10}
train: {method: dsm, steps: 20, batch: 64, hidden: [16, 16], evaluate_paths: 320, time_least: 0.01,
        residual: {points: 64, box: 2}}
flow: {sde: {steps: 20, t_end: 0.01}, ode: {method: euler, steps: 20}}
compare: {particles: 300, residual_points: 20, replicates: 10, permutations: 9, exact_points: 200}
END

in_file() { # FILE TEXT
  cases=$((cases + 1))
  grep -qF -- "$2" "$1" || { echo "FAILED: $1 does not hold: $2"; bad=$((bad + 1)); }
}
stamp() { stat -c %Y.%s%z "$1"; }
same() { # WHAT A B
  cases=$((cases + 1))
  [ "$2" = "$3" ] || { echo "FAILED: $1: $2, expected $3"; bad=$((bad + 1)); }
}

grid=(--set-grid train.residual.weight=0,0.5)
good sweep tiny.yaml "${grid[@]}" --out sweep
holds '2 runs, 0 failed'
holds 'weight-0.5'
for file in config.yaml results.json report.html weight-0/results.json weight-0/checkpoint.h5 weight-0-compare/report.html \
  weight-0.5/metrics.jsonl weight-0.5-compare/results.json; do
  cases=$((cases + 1))
  [ -s "sweep/$file" ] || { echo "FAILED: there is no sweep/$file"; bad=$((bad + 1)); }
done
for word in '"verb": "sweep"' '"key": "train.residual.weight"' '"name": "weight-0.5"' '"ode_sde": {' '"mean_square":' \
  '"loss":' '"failed": 0'; do
  in_file sweep/results.json "$word"
done
for word in 'id="figure-sweep-trade"' 'id="figure-sweep-distances"' 'id="figure-sweep-residual"' 'train.residual.weight' \
  'at the points of the training'; do
  in_file sweep/report.html "$word"
done
in_file sweep/report.html '<a href="./weight-0.5-compare/report.html">weight-0.5</a>'
good report sweep

# ---- the page in a browser, where there is one: read as XML, three figures, no messages, as narrow as a phone
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
[ -z "${FLOWGAP_NO_BROWSER:-}" ] || browser=
browse() {
  local profile
  profile=$(mktemp -d)
  timeout 120 "$browser" --headless --no-sandbox --disable-gpu --disable-background-networking --window-size=400,1000 \
    --host-resolver-rules='MAP * ~NOTFOUND' --enable-logging=stderr --user-data-dir="$profile" --dump-dom "file://$PWD/$1" 2>browser.log
  rm -rf "$profile"
}
if [ -n "$browser" ]; then
  sed 's|</body>|<script>document.title="over "+(document.documentElement.scrollWidth-innerWidth);</script></body>|' \
    sweep/report.html >sweep/wide.html
  browse sweep/wide.html >dom.html
  same 'browser messages' "$(grep -c CONSOLE browser.log)" 0
  same 'figures' "$(grep -o '<svg ' dom.html | wc -l)" 3
  same 'ids used twice' "$(grep -oE ' id="[^"]*"' dom.html | sort | uniq -d | wc -l)" 0
  same 'wider than a phone' "$(grep -cE '<title>over (-[0-9]+|0)</title>' dom.html)" 1
  cp sweep/report.html sweep/report.xhtml
  browse sweep/report.xhtml >dom.html
  same 'errors of XML' "$(grep -c parsererror dom.html)" 0
  same 'ends of the page' "$(grep -c '</footer>' dom.html)" 1
fi
good sweep tiny.yaml "${grid[@]}" --out sweep --json
holds '"verb": "sweep"'

# ---- again: what is finished stays; more values are added; a comparison is made anew where its settings change
trained=$(stamp sweep/weight-0.5/checkpoint.h5)
compared=$(stamp sweep/weight-0.5-compare/results.json)
good sweep tiny.yaml --set-grid train.residual.weight=0,0.5,2 --out sweep
holds '3 runs, 0 failed'
same 'training made again' "$(stamp sweep/weight-0.5/checkpoint.h5)" "$trained"
same 'comparison made again' "$(stamp sweep/weight-0.5-compare/results.json)" "$compared"
good sweep tiny.yaml "${grid[@]}" --out sweep --set compare.particles=400
same 'training made again' "$(stamp sweep/weight-0.5/checkpoint.h5)" "$trained"
in_file sweep/weight-0.5-compare/results.json '"particles": 400'
expect 2 'was trained with another train.steps' sweep tiny.yaml "${grid[@]}" --out sweep --set train.steps=25
in_file sweep/results.json '"verb": "sweep"' # a refusal leaves what is there

# ---- stopped in the second training, and gone on with: the metrics of a sweep that was not
good sweep tiny.yaml "${grid[@]}" --out whole --set train.checkpoint_every=5 --set train.evaluate_every=5 --no-compare
"$flowgap" sweep tiny.yaml "${grid[@]}" --out parts --set train.checkpoint_every=5 --set train.evaluate_every=5 --no-compare \
  --set train.steps=20 --set train.evaluate_paths=320 >out.txt 2>err.txt &
pid=$!
for _ in $(seq 200); do [ -s parts/weight-0.5/checkpoint.h5 ] && break; sleep 0.02; done
kill -TERM $pid 2>/dev/null
wait $pid
status=$?
# a machine in a hurry may have finished
[ $status = 0 ] || { same 'status of SIGTERM' "$status" 143; in_file err.txt 'the same command goes on'; }
good sweep tiny.yaml "${grid[@]}" --out parts --set train.checkpoint_every=5 --set train.evaluate_every=5 --no-compare
lines() { sed 's/"seconds":[^,}]*//g' "$1"; }
same 'metrics of the resumed sweep' "$(lines parts/weight-0.5/metrics.jsonl | md5sum)" "$(lines whole/weight-0.5/metrics.jsonl | md5sum)"
in_file parts/report.html 'No run of this sweep was compared'
same 'links of a sweep without comparisons' "$(grep -c -- '-compare/report.html' parts/report.html)" 0
# the trainings have pages, and the sweep leads to them
grep -o 'href="[^"]*"' parts/report.html | sed 's/href="//; s/"//' >links.txt
[ -s links.txt ] || { bad=$((bad + 1)); echo 'FAILED: a sweep of trainings has no links'; }
while read -r link; do in_file "parts/$link" 'The training'; done <links.txt

# ---- models that are there already; two keys
good sweep perturbed:gmm9 --set-grid model.epsilon=0,0.5 --set-grid flow.sde.lambda=1,0.5 --out given --set 'flow.sde.grid=[]' --set flow.sde.steps=20 \
  --set compare.particles=300 --set compare.replicates=4 --set compare.permutations=0 --set compare.residual_points=20 \
  --set compare.exact_points=100
holds 'epsilon-0.5_lambda-0.5'
in_file given/report.html 'flow.sde.lambda = 0.5'
in_file given/report.html '<span class="detail">(flow.sde.lambda = 1)</span></h1>'

# ---- one that fails is kept as failed, the others go on
good sweep tiny.yaml --set-grid train.loss_most=0,1e-9 --out some --no-compare
holds '2 runs, 1 failed'
in_file some/results.json 'beyond train.loss_most'
in_file some/report.html 'beyond train.loss_most'

# ---- refusals
expect 2 '--set-grid KEY=V1,V2' sweep tiny.yaml --out x
expect 2 'did you mean train.rate?' sweep tiny.yaml --out x --set-grid train.rat=1,2
expect 2 'value 2 is empty' sweep tiny.yaml --out x --set-grid train.steps=1,,2
expect 2 'train.residual.weight is -1' sweep tiny.yaml --out x --set-grid train.residual.weight=0,-1
expect 2 'would share the folder steps-20' sweep tiny.yaml --out x --set-grid train.steps=20,20
expect 2 'is given twice' sweep tiny.yaml --out x --set-grid train.steps=20 --set-grid train.steps=30
expect 2 'so nothing is trained' sweep exact:gmm9 --out x --set-grid train.steps=20,30
expect 2 'nothing is left to do' sweep exact:gmm9 --out x --set-grid flow.sde.steps=20,30 --no-compare
expect 2 'holds a run that is no sweep' sweep tiny.yaml --out sweep/weight-0 "${grid[@]}"
expect 2 'holds a sweep' train tiny.yaml --out sweep
expect 2 'holds a sweep' compare exact:gmm9 --out sweep
in_file sweep/results.json '"verb": "sweep"'
expect 2 'train has no option --set-grid' train tiny.yaml "${grid[@]}"
[ -e x ] && { echo 'FAILED: a refused sweep made a folder'; bad=$((bad + 1)); }
finish
