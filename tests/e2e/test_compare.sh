#!/usr/bin/env bash
# compare from a built-in model to a run directory: every file there, the same bits on any number of threads,
# a run that its own config.yaml repeats, counts that show, and a gap that is there when it should be.
set -eu
flowgap=$1/flowgap
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
fail() { echo "$*" >&2; exit 1; }

small=(--set compare.particles=1024 --set compare.exact_points=150 --set compare.permutations=19
       --set compare.replicates=8 --set compare.residual_points=200 --set compare.pair_points=200
       --set compare.directions=10 --set compare.estimators=exact,grid,gaussian --quiet)
for threads in 1 2 5; do
  "$flowgap" compare perturbed:gmm9 "${small[@]}" --set model.epsilon=1 --threads $threads --out run$threads
done
for file in config.yaml results.json samples.h5 log.txt report.html; do
  [ -s "run1/$file" ] || fail "run1/$file is missing or empty"
done

# figures, without what depends on the clock and the machine
figures() { grep -vE '"(seconds|wall_seconds|created|threads|command)"' "$1/results.json"; }
for threads in 2 5; do
  diff <(figures run1) <(figures run$threads) || fail "results differ between 1 and $threads threads"
  cmp run1/samples.h5 run$threads/samples.h5 || fail "samples differ between 1 and $threads threads"
done

"$flowgap" compare run1/config.yaml --quiet --out again
diff <(figures run1 | grep -v '"name"') <(figures again | grep -v '"name"') || fail "config.yaml does not repeat its run"
cmp run1/samples.h5 again/samples.h5 || fail "config.yaml does not repeat its samples"

"$flowgap" compare perturbed:gmm9 "${small[@]}" --seed 2 --out other
! cmp -s run1/samples.h5 other/samples.h5 || fail "another seed gives the same samples"

# a narrow box: counts are shown, with and without
"$flowgap" compare exact:gmm9 "${small[@]}" --set compare.box=3 --out boxed
grep -q '"boxed"' boxed/results.json || fail "no figures inside the box"
grep -q 'The box leaves out' boxed/results.json || fail "no warning about the box"

"$flowgap" compare exact:gmm9 "${small[@]}" --set compare.particles=8192 --set compare.box=0.1 --set compare.permutations=0 \
  --set compare.replicates=2 --set compare.estimators=[gaussian] --out speck
grep -q 'The box leaves out .*(at most \(99\.[0-9]\|100\) %)' speck/results.json || fail "the share outside a speck is not 99.x %"

# sliced alone: its own members, and a page that says what it is
"$flowgap" compare exact:gmm9 "${small[@]}" --set compare.estimators=[sliced] \
  --set 'compare.lambdas=[0, 1]' --out slices
[ "$(grep -c '"direction_error"' slices/results.json)" -ge 3 ] || fail "no errors over directions: $(cat slices/results.json)"
grep -q 'Sliced distance, which is smaller than' slices/report.html || fail "the page does not say what sliced is"
grep -q '<b>sliced</b>: root of the mean' slices/report.html || fail "no note on sliced"

# all of them, by one word
"$flowgap" compare exact:gmm9 "${small[@]}" --set compare.estimators=all --set compare.particles=512 --out every
for name in exact grid sinkhorn sliced max_sliced gaussian entropic mmd energy; do
  grep -q "\"$name\": {" every/results.json || fail "all lacks $name"
done

# an estimator that cannot do it leaves its place empty, with the reason, and the others stand; alone, it fails
hopeless=("${small[@]:0:${#small[@]}-1}" --set compare.particles=512 --set compare.pair_points=64 --set compare.sinkhorn.epsilon=1e-12
          --set compare.sinkhorn.tolerance=1e-12)
"$flowgap" compare exact:gmm9 "${hopeless[@]}" --set compare.estimators=gaussian,sinkhorn --out missing >terminal ||
  fail "an estimator that fails takes the others with it"
[ "$(grep -c '"missing": "Sinkhorn between the samples did not converge' missing/results.json)" = 3 ] ||
  fail "no reason in results.json"
grep -q 'The sinkhorn estimator failed on 3 of 3 pairs' missing/results.json || fail "no warning"
[ "$(grep -c '^  gaussian .*[0-9]' terminal)" = 3 ] || fail "gaussian is gone: $(cat terminal)"
[ "$(grep -c '^  sinkhorn .* not had: Sinkhorn between the samples did not' terminal)" = 3 ] ||
  fail "the terminal does not say why: $(cat terminal)"
[ "$(grep -c '>not had: Sinkhorn between the samples did not' missing/report.html)" = 3 ] ||
  fail "the page does not say why"
"$flowgap" compare exact:gmm9 "${hopeless[@]}" --set compare.estimators=gaussian,sinkhorn \
  --set compare.budget_estimator=sinkhorn --quiet --out unbudgeted
grep -q 'There is no error budget: sinkhorn gave no distance of ODE and SDE' unbudgeted/results.json ||
  fail "a budget without its estimator"
status=0
"$flowgap" compare exact:gmm9 "${hopeless[@]}" --set compare.estimators=sinkhorn --out none 2>message || status=$?
[ $status = 3 ] || fail "no estimate at all, and status $status"
grep -q 'no estimator gave a distance; sinkhorn: Sinkhorn' message || fail "no reason given: $(cat message)"

# an ODE on a grid of its own: states are kept at the times that both grids have
"$flowgap" compare exact:gmm9 "${small[@]}" --set flow.sde.steps=50 --set 'flow.sde.grid=[]' \
  --set flow.ode.method=heun --set flow.ode.steps=70 --out grids
grep -q 'share 11 times of 71 and 51' grids/log.txt || fail "not the common times: $(cat grids/log.txt)"
[ "$(grep -c '"w2_ode_sde"' grids/results.json)" = 4 ] || fail "no snapshots at the common times"

# the bound of the gap, on the terminal and in the page
"$flowgap" compare "$2/examples/certificate.yaml" --set compare.particles=500 --set compare.replicates=4 \
  --set compare.directions=10 \
  --set compare.certificate_cells=300 --set compare.certificate_paths=200 --out certified >terminal
grep -q 'Certificate: identity on the grid: left 0.0044[0-9]*, right 0.0044[0-9]*; W2 <= 0.19' terminal ||
  fail "no certificate: $(cat terminal)"
grep -q 'id="lambda-curve"' certified/report.html || fail "no curve over lambda in the page"

# a run that fails leaves an earlier one as it was, settings and figures
cp -r boxed spoilt
if "$flowgap" compare exact:blobs "${small[@]}" --set compare.box=1e-9 --out spoilt 2>message; then
  fail "a box without particles is taken"
fi
grep -q 'compare.box' message || fail "no reason given: $(cat message)"
grep -q 'compare.box' spoilt/log-failed.txt || fail "the log does not say why"
rm spoilt/log-failed.txt
diff -r boxed spoilt || fail "a run that fails changes what an earlier one left"
"$flowgap" compare exact:blobs "${small[@]}" --out spoilt
for file in samples.h5 results.json config.yaml log.txt report.html; do
  ! cmp -s boxed/$file spoilt/$file || fail "$file is that of the earlier run"
done
[ ! -e spoilt/log-failed.txt ] || fail "a run that went well leaves log-failed.txt"

# names that JSON cannot hold, or not in a short line
"$flowgap" compare exact:gmm9 "${small[@]}" --out "$(printf 'run\377')"
grep -q 'compare run?/config.yaml' "$(printf 'run\377')/results.json" || fail "no command for a strange name"
long=$(printf 'n%.0s' {1..200})
"$flowgap" compare exact:gmm9 "${small[@]}" --out "$long/$long/$long"
grep -q "$long/config.yaml --out again" "$long/$long/$long/results.json" || fail "the command is cut off"

# the figures that others read are where the documentation says
for key in '"w2"' '"exact"' '"grid"' '"gaussian"' '"ode_sde"' '"ode_target"' '"sde_target"' '"floor"' '"ci_low"' \
           '"p_value"' '"mean_square"' '"rhs_evaluations"' '"nonfinite"' '"failed"'; do
  grep -q "$key" run1/results.json || fail "results.json lacks $key"
done

# a folder that is no run directory is left alone
mkdir mine && echo data >mine/notes.txt
if "$flowgap" compare exact:gmm9 "${small[@]}" --out mine 2>message; then fail "wrote into a foreign folder"; fi
grep -q 'not a run directory' message || fail "no reason given: $(cat message)"
[ "$(ls mine)" = notes.txt ] || fail "changed a foreign folder"
