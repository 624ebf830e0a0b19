#!/usr/bin/env bash
# residual from a model to a run directory: 0 for exact models, the same bits on any number of threads, a run that its
# own config.yaml repeats, vector models, values that are not finite, and what is refused.
# usage: test_residual.sh BUILD SOURCE
set -u
# shellcheck source=tests/e2e/expect.sh
. "$2/tests/e2e/expect.sh" "$1" "$2"

fail() {
  echo "FAILED: $*"
  bad=$((bad + 1))
}
small=(--set residual.points=200 --set residual.times=12)
# figures, without what depends on the clock and the machine
figures() { grep -vE '"(seconds|wall_seconds|created|threads|command)"' "$1/results.json"; }

# ---- exact models: rounding, under every measure, at every time
for name in exact:gaussian exact:gmm9 exact:blobs; do
  good residual "$name" "${small[@]}" --out exact
  holds 'report: exact/report.html'
  for measure in box data sde ode; do holds "  $measure "; done
  awk '/"relative":/ { sub(",", "", $2); if (!($2 + 0 < 1e-10)) bad++; n++ } END { exit n < 40 || bad }' exact/results.json ||
    fail "$name: a relative residual above rounding"
done
for file in config.yaml results.json maps.h5 report.html log.txt; do
  [ -s "exact/$file" ] || fail "exact/$file is missing or empty"
done

# ---- the same bits, and again from config.yaml
for threads in 1 2 5; do
  good residual perturbed:gmm9 "${small[@]}" --threads $threads --quiet --out run$threads
  [ -s out.txt ] && fail "--quiet is not quiet"
done
for threads in 2 5; do
  diff <(figures run1) <(figures run$threads) >diff.txt || fail "results differ between 1 and $threads threads"
  cmp -s run1/maps.h5 run$threads/maps.h5 || fail "maps differ between 1 and $threads threads"
done
good residual run1/config.yaml --quiet --out again
diff <(figures run1) <(figures again) >diff.txt || fail "config.yaml does not repeat its run"
good residual perturbed:gmm9 "${small[@]}" --seed 2 --quiet --out other
diff -q <(figures run1) <(figures other) >/dev/null && fail "another seed gives the same figures"
cp run1/report.html page.html
good report run1
cmp -s run1/report.html page.html || fail "report does not write the same page again"
for key in form trace mean_square mean_square_se mean_absolute_se mean_se centred_mean_square relative_se quantiles \
  largest nonfinite nonfinite_named nonfinite_paths profile probe_error cells; do
  grep -q "\"$key\"" run1/results.json || fail "results.json lacks $key"
done
grep -q '"command": "flowgap residual run1/config.yaml --out again"' run1/results.json || fail "no command to repeat it"
good residual perturbed:gaussian "${small[@]}" --set residual.measures=[box] --json --out json
holds '"verb": "residual"'
holds '"measure": "box"'
[ "$(grep -c '"profile"' json/results.json)" = 1 ] || fail "not the one measure that was asked for"

# ---- the page in a browser: every figure there, well-formed, nothing fetched
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
[ -z "${FLOWGAP_NO_BROWSER:-}" ] || browser=
browse() { # PAGE
  timeout 120 "$browser" --headless --no-sandbox --disable-gpu --disable-background-networking \
    --host-resolver-rules='MAP * ~NOTFOUND' --enable-logging=stderr --user-data-dir="$work/profile" \
    --dump-dom "file://$work/$1" 2>browser.txt
}
if [ -n "$browser" ]; then
  browse run1/report.html >page.dom || fail "the browser failed"
  grep CONSOLE browser.txt && fail "console messages"
  [ "$(grep -o '<svg ' page.dom | wc -l)" = 10 ] || fail "not four profiles and six maps"
  [ "$(grep -o '<image [^>]*href="data:image/png;base64,[^"]\{100,\}' page.dom | wc -l)" = 6 ] || fail "not six pictures"
  grep -qE '(src|href)="?(https?:)?//' page.dom && fail "an address outside the page"
  grep -qE '>-?(nan|inf)' page.dom && fail "a figure that is not finite"
  [ -z "$(grep -oE ' id="[^"]*"' page.dom | sort | uniq -d)" ] || fail "ids used twice"
  cp run1/report.html page.xhtml
  browse page.xhtml >page.xml
  grep -q 'parsererror' page.xml && fail "not well-formed: $(grep -o 'error on line[^<]*' page.xml)"
  grep -q '</footer>' page.xml || fail "the page ends early"
fi

# ---- probes, other dimensions, vector models
good residual perturbed:gmm9 "${small[@]}" --set residual.trace=probes --quiet --out probes
grep -q '"probes": 8' probes/results.json || fail "no probes"
cat >wide.yaml <<'Y'
process: {kind: ou}
target: {kind: gaussian, dimension: 40}
model: {kind: perturbed}
flow: {sde: {steps: 50, t_end: 0.01}}
Y
good residual wide.yaml "${small[@]}" --set residual.points=50 --quiet --out wide
grep -q '"trace": "probes"' wide/results.json || fail "40 dimensions are not probed"
grep -q '"maps": null' wide/results.json || fail "maps in 40 dimensions"
cat >line.yaml <<'Y'
process: {kind: ou}
target: {kind: mixture, means: [[-2], [1.5]], variance: 0.3}
model: {kind: perturbed}
flow: {sde: {steps: 50, t_end: 0.01}, ode: {method: heun, steps: 40}}
residual: {map_times: [1, 0.1]}
Y
good residual line.yaml "${small[@]}" --out line
[ "$(grep -o 'figure-residual-map-[0-9]' line/report.html | wc -l)" = 2 ] || fail "not two curves"
fixtures=$source/tests/parity/fixtures
sed -n "s|^v_silu_first \(.*\)}|model: \1}|p; " "$fixtures/networks.txt" | sed "s|networks.safetensors|$fixtures/&|" >vector.yaml
printf 'process: {kind: vp}\nflow: {sde: {steps: 40, t_end: 0.05}}\n' >>vector.yaml
good residual vector.yaml "${small[@]}" --out vector
holds 'residual of the score'
holds 'mean |E|^2/d'
grep -q '<h1>.*has a mean |<i>E</i>|².<i>d</i> of ' vector/report.html || fail "the headline calls |E|^2/d a mean square"
holds 'warning: The measure data is left out: the settings name no target.'
grep -q '"form": "score"' vector/results.json || fail "not the score form"
sed 's/output": "score/output": "control/' vector.yaml >control.yaml
expect 2 'not a control' residual control.yaml "${small[@]}" --out no

# ---- the quadrature in time: its error is beyond the standard error here, and what is reported covers it
figure() { awk -v key="\"$2\":" '$1 == key { sub(",", "", $2); print $2; exit }' "$1/results.json"; } # of the one measure
for times in 16 200; do
  good residual perturbed:gmm9 --set process.kind=vp --set model.decay=0 --set residual.points=2000 \
    --set residual.measures=[sde] --set residual.times=$times --quiet --out times$times
done
awk -v a="$(sed -n '/"measures"/,$p' times16/results.json | awk '$1 == "\"mean\":" { print $2 + 0; exit }')" \
  -v b="$(sed -n '/"measures"/,$p' times200/results.json | awk '$1 == "\"mean\":" { print $2 + 0; exit }')" \
  -v se="$(figure times16 mean_se)" -v change="$(figure times16 mean_time)" \
  'BEGIN { off = a > b ? a - b : b - a; exit !(off > 4 * se && off < 1.5 * change) }' ||
  fail "the error of the time average is not covered"
grep -q 'with every other time left out' times16/report.html || fail "the page does not say it"

# ---- a potential 4 t: R is 4 - d at every point, and the warning says that it is a function of time
nought='\0\0\0\0\0\0\0\0'
linear time.safetensors 1 3 "\0\0\0\0\0\0\20\100$nought$nought"
cat >time.yaml <<'Y'
process: {kind: ou, horizon: 2}
target: {kind: blobs}
model: {kind: network, form: potential, file: time.safetensors}
flow: {sde: {steps: 20, t_end: 0.05}}
compare: {particles: 200, residual_points: 20, replicates: 2, permutations: 2, exact_points: 50}
Y
good residual time.yaml "${small[@]}" --out time
holds 'for the most part a function of time alone'
good compare time.yaml --out time
holds 'for the most part a function of time alone'
grep -qE '"centred_mean_square": (0\.0|[0-9.]+e-)' time/results.json || fail "the centred residual is not 0"
for name in exact:gmm9 perturbed:gmm9; do
  good residual "$name" "${small[@]}" --out time
  grep -q 'function of time alone' out.txt && fail "$name has a warning about c(t)"
done

# ---- values that are not finite: counted, named, in no figure
good residual perturbed:gmm9 "${small[@]}" --set model.decay=-100 --set residual.measures=[box] --out lost
holds 'not finite]'
holds 'warning: Measure box: '
grep -A4 '"nonfinite_named": \[' lost/results.json | grep -q '"t": ' || fail "lost values have no names"
grep -q 'Not finite, box: ' lost/report.html || fail "lost values are not on the page"
grep -qiE '(nan|inf)[ ,]' lost/results.json && fail "a figure that is not finite"

# ---- what is refused
expect 2 'residual needs' residual
expect 2 'residual.measures' residual exact:gmm9 --set 'residual.measures=[box, nowhere]' --out no
expect 2 'residual.measures is empty' residual exact:gmm9 --set 'residual.measures=[]' --out no
expect 2 'residual.points' residual exact:gmm9 --set residual.points=1 --out no
expect 2 'residual.times' residual exact:gmm9 --set residual.times=1 --out no
expect 2 'residual.t_end is 10: it must be below process.horizon, 10' residual exact:gmm9 --set residual.t_end=10 --out no
expect 2 'residual.probes changes nothing while residual.trace is exact' residual exact:gmm9 \
  --set residual.trace=exact --set residual.probes=4 --out no
expect 2 'residual.map_times has 11' residual exact:gmm9 --set 'residual.map_times=[1, 11]' --out no
expect 2 'maps are made in one or two dimensions, the model has 40' residual wide.yaml --set 'residual.map_times=[1]' --out no
expect 2 'residual.measures has data, but there is no target' residual vector.yaml --set 'residual.measures=[data]' --out no
expect 2 'exact derivatives only' residual vector.yaml --set residual.trace=probes --out no
[ -e no ] && fail "a run that was refused has left a folder"
mkdir mine && echo data >mine/notes.txt
expect 2 'not a run directory' residual exact:gmm9 "${small[@]}" --out mine
mkdir trained && touch trained/checkpoint.h5
expect 2 'holds a training' residual exact:gmm9 "${small[@]}" --out trained

finish
