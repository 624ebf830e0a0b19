#!/usr/bin/env bash
# The error budget and --target-error: the sentence on the terminal, the same bits on any number of threads, a search
# whose config.yaml repeats the run that it chose, what is said when the target is out of reach, and wrong settings.
set -u
# shellcheck source=tests/e2e/expect.sh
. "$(dirname "$0")/expect.sh"

cat >g.yaml <<'YAML'
process: {kind: vp}
target: {kind: gaussian, dimension: 2, mean: 1, variance: 0.5}
model: {kind: perturbed, epsilon: 1}
prior: {kind: exact}
flow: {sde: {method: euler, steps: 20, t_end: 0.001}}
compare: {particles: 2000, permutations: 0, replicates: 20, residual_points: 0, snapshots: [1], estimators: [gaussian]}
YAML
figures() { grep -vE '"(seconds|wall_seconds|created|threads|command)"' "$1/results.json"; }
same() {
  cases=$((cases + 1))
  diff <(figures "$1") <(figures "$2") || { echo "FAILED: $1 and $2 differ"; bad=$((bad + 1)); }
}

good compare g.yaml --out one --threads 1
holds 'Budget: '
holds 'that a naive comparison shows is Euler error'
good compare g.yaml --out three --threads 3 --quiet
same one three
cases=$((cases + 1))
grep -q 'What the distance is made of' one/report.html || { echo "FAILED: no section in the report"; bad=$((bad + 1)); }
good compare g.yaml --out none --set compare.budget=false
cases=$((cases + 1))
grep -q '"budget": null' none/results.json || { echo "FAILED: a budget nobody wanted"; bad=$((bad + 1)); }

# chosen by itself; the settings that were chosen give the same figures without a search
good compare g.yaml --target-error 0.03 --out found
holds 'Target error 0.03: 0.0'
cases=$((cases + 2))
grep -q '"reached": true' found/results.json || { echo "FAILED: not reached"; bad=$((bad + 1)); }
grep -q 'target_error: 0$' found/config.yaml || { echo "FAILED: config.yaml searches again"; bad=$((bad + 1)); }
good compare found/config.yaml --out repeated --quiet
cases=$((cases + 2))
cmp found/samples.h5 repeated/samples.h5 || { echo "FAILED: other samples"; bad=$((bad + 1)); }
python3 - <<'PYTHON' || { echo "FAILED: other budget"; bad=$((bad + 1)); }
import json, sys
a, b = (json.load(open(f"{run}/results.json")) for run in ("found", "repeated"))
for one in a, b:
    one["budget"].pop("seconds")
last = a["search"]["runs"][-1]
assert last["error"] <= 0.03 and a["search"]["target_error"] == 0.03
assert abs(last["error"] - last["half_width"] - last["numerical"]) < 1e-15
assert a["particles"] == last["particles"] and a["sde"]["refine"] == last["sde_halvings"] > 0
sys.exit(a["budget"] != b["budget"] or "search" in b)
PYTHON

# an ODE on the SDE's grid gets one of its own
good compare g.yaml --target-error 0.03 --set flow.ode.method=euler --out grid
holds 'Target error 0.03: 0.0'
good compare grid/config.yaml --out again --quiet
cases=$((cases + 1))
cmp grid/samples.h5 again/samples.h5 || { echo "FAILED: other samples on a grid"; bad=$((bad + 1)); }

# out of reach: status 0, and a warning with what was reached
good compare g.yaml --target-error 1e-5 --set compare.target_seconds=1 --out short
holds 'warning: The target error 1e-05 was not reached: interval and numerical parts come to 0.0'

# no target: the prior's part is not known, and the sentence says so; a Gaussian whose score is -x
nought='\0\0\0\0\0\0\0\0' minus='\0\0\0\0\0\0\360\277'
linear pull.safetensors 2 3 "$nought$minus$nought$nought$nought$minus"
cat >pull.yaml <<'YAML'
process: {kind: ou, horizon: 2}
prior: {kind: gaussian, variance: 0.5}
model: {kind: network, form: vector, file: pull.safetensors}
flow: {sde: {steps: 50, t_end: 0.05}}
compare: {particles: 1000, permutations: 0, replicates: 20, residual_points: 0, estimators: [exact, gaussian]}
YAML
good compare pull.yaml --out pull
holds 'mismatch of the prior is not known and still in it'
cases=$((cases + 1))
grep -q 'not known: no target is given' pull/report.html || { echo "FAILED: no reason in the report"; bad=$((bad + 1)); }
good compare pull.yaml --out few --set compare.particles=60
cases=$((cases + 1))
grep -q '"budget": null' few/results.json || { echo "FAILED: a budget of 60 particles"; bad=$((bad + 1)); }

expect 2 '--target-error: compare.target_error' compare g.yaml --target-error few
expect 2 'compare.target_error needs the error budget' compare g.yaml --target-error 0.1 --set compare.budget=false
expect 2 'compare.budget_estimator is exact, which is not one of' compare g.yaml --set compare.budget_estimator=exact
finish
