#!/usr/bin/env bash
# density: the run directory, the same bits on any number of threads, a config.yaml that repeats the run, figures that
# say what they should, and what is refused. Arguments: build folder, source folder.
set -u
# shellcheck source=tests/e2e/expect.sh
. "$(dirname "$0")/expect.sh"
fail() { echo "FAILED: $*"; bad=$((bad + 1)); }
figures() { grep -vE '"(seconds|wall_seconds|created|threads|command|name)"' "$1/results.json"; }
# value FILE KEY: the first number of that name
value() { sed -n "s/.*\"$2\": \([-0-9.e+]*\),\{0,1\}\$/\1/p" "$1/results.json" | head -n 1; }
# between LOW NUMBER HIGH
between() { awk -v a="$1" -v x="$2" -v b="$3" 'BEGIN { exit !(x != "" && a <= x && x <= b) }' || fail "$2 is not from $1 to $3"; }

small=(--set density.cells=96 --set density.rtol=1e-4 --set density.w2_cells=24 --quiet)
for threads in 1 3; do
  good density perturbed:gmm9 "${small[@]}" --threads $threads --out plane$threads
done
for file in config.yaml results.json densities.h5 log.txt report.html; do
  [ -s "plane1/$file" ] || fail "plane1/$file is missing or empty"
done
diff <(figures plane1) <(figures plane3) || fail "results differ between 1 and 3 threads"
cmp plane1/densities.h5 plane3/densities.h5 || fail "densities differ between 1 and 3 threads"
good density plane1/config.yaml --quiet --out again
diff <(figures plane1) <(figures again) || fail "config.yaml does not repeat its run"
cp plane1/report.html before.html
good report plane1
cmp before.html plane1/report.html || fail "report writes another page"
for key in verb half_width lambda mass_sde mass_ode kl kl_reverse total_variation fisher alone_sde w2 low high blocks half \
           linear_iterations outside_prior least failed; do
  grep -q "\"$key\"" plane1/results.json || fail "results.json lacks $key"
done
grep -q 'id="figure-map-gap"' plane1/report.html || fail "no map of the difference"

# one dimension, an exact model: one law, and the page says so; a perturbed one: two
line=(--set target.dimension=1 --set density.t_end=0.05 --set density.cells=512)
good density exact:gaussian "${line[@]}" --set density.half_width=6 --out line
holds 'KL(SDE|ODE)'
holds 'report: line/report.html'
between 0.999999 "$(value line mass_sde)" 1.000001
between 0.999999 "$(value line mass_ode)" 1.000001
between 0 "$(value line total_variation)" 1e-4
good density perturbed:gaussian "${line[@]}" --quiet --out gap
between 1e-3 "$(value gap total_variation)" 1
good density exact:gaussian "${line[@]}" --set density.check=false --json --out whole
good density exact:gaussian "${line[@]}" --set density.check=false --seed 7 --quiet --out whole # replaces what is there
grep -q '^seed: 7' whole/config.yaml && grep -q '"seed": 7' whole/results.json || fail "the new run did not replace the old one"
[ -e whole/log-failed.txt ] && fail "a run that went well leaves log-failed.txt"
good density exact:gaussian "${line[@]}" --set density.check=false --json --out whole
holds '"half": null'

grep -qE '<h1>.* = [0-9.e-]+</span> <span class="detail">\(proven: [0-9.e-]+ to [0-9.e-]+\)' gap/report.html ||
  fail "the headline has no range of W2"

# s = x throws every path away: the box stays within three times of what prior and target need
nought='\0\0\0\0\0\0\0\0' one='\0\0\0\0\0\0\360\77'
linear away.safetensors 2 3 "$nought$one$nought$nought$nought$one"
cat >away.yaml <<'END'
process: {kind: ou, horizon: 2}
target: {kind: gaussian}
model: {kind: network, form: vector, file: away.safetensors}
flow: {sde: {steps: 100, t_end: 0.05}}
density: {cells: 32, check: false, w2_cells: 8}
END
good density away.yaml --out away
holds 'warning: The SDE throws paths far from prior and target'
holds 'density.half_width'
grep -qE '^away.yaml: W2 = [0-9.]+ \([0-9.]+ to [0-9.]+\), ' out.txt || fail "no range of W2 on the terminal"
between 8 "$(value away half_width)" 20
between 0.8 "$(value away paths_outside)" 1
good density away.yaml --set density.half_width=30 --out away
grep -q 'throws paths' out.txt && fail "a box that was given is called automatic"
grep -q '"paths_outside": null' away/results.json || fail "no path chose this box"
value plane1 paths_outside | grep -q . || fail "no share outside"
between 0 "$(value plane1 paths_outside)" 0.002

# narrow boxes and truncated priors are told
good density exact:gaussian "${line[@]}" --set density.half_width=2 --out narrow
holds "warning: The box leaves out"
good density exact:gaussian "${line[@]}" --set prior.kind=truncated --set prior.mass=0.99 --out cut
holds 'warning: KL(SDE|ODE) is infinite'

# refused
expect 2 'densities on a grid are for 1 and 2 dimensions' density exact:gaussian --set target.dimension=3
expect 2 'a point prior has no density on a grid' density exact:gmm9 --set prior.kind=point --out gap
expect 2 'a grid of 4800 cells per axis: give 4 to 4096' density exact:gmm9 --set density.cells=1600 --set density.ode_nodes=3 --out gap
before=$(cat gap/* | md5sum)
expect 2 "of the prior's mass: give a wider one" density perturbed:gmm9 --set density.half_width=0.1 --out gap
[ -s gap/log-failed.txt ] || fail "no log of the run that was refused"
rm gap/log-failed.txt
[ "$(cat gap/* | md5sum)" = "$before" ] || fail "a run that is refused on its way changes what an earlier run left"
[ -s gap/results.json ] || fail "what is refused takes the results of an earlier run away"
expect 2 'lambda is 0: the SDE needs noise' density exact:gmm9 --set density.lambda=0
expect 2 'density.t_end is 10: it must be below process.horizon' density exact:gmm9 --set density.t_end=10
expect 2 "of the prior's mass: give a wider one" density exact:gmm9 --set density.half_width=0.1
expect 2 'density.cells is 5: give an integer from 8' density exact:gmm9 --set density.cells=5
expect 2 'density has no option --resume' density exact:gmm9 --resume
mkdir mine && echo data >mine/notes.txt
expect 2 'not a run directory' density exact:gmm9 "${small[@]}" --out mine
mkdir training && cp plane1/config.yaml training && echo >training/checkpoint.h5
expect 2 'training holds a training' density exact:gmm9 "${small[@]}" --out training

# a report of damaged densities says what is wrong
cp -r plane1 damaged && head -c 3000 plane1/densities.h5 >damaged/densities.h5
expect 4 'densities.h5' report damaged
finish
