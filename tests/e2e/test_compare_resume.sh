#!/usr/bin/env bash
# A comparison that is stopped or killed goes on with --resume and ends in the bits of one that was not; what is finished is
# not done again; other settings, another network under the same name and damaged files are refused.
# Arguments: build folder, source folder.
set -u
# shellcheck source=tests/e2e/expect.sh
. "$(dirname "$0")/expect.sh"

fail() { echo "FAILED: $*"; bad=$((bad + 1)); }
# figures, without what depends on the clock and the folder
figures() { grep -vE '"(seconds|wall_seconds|created|command|threads|predicted)"' "$1/results.json"; }

# equal WHAT RUN OTHER: two finished runs of the same bits, and nothing left over
equal() {
  cases=$((cases + 1))
  diff <(figures "$2") <(figures "$3") >diff.txt || { fail "$1: results differ"; head -5 diff.txt; }
  cmp "$2/samples.h5" "$3/samples.h5" || fail "$1: samples differ"
  [ -s "$3/report.html" ] || fail "$1: no page"
  [ ! -e "$3/unfinished.bin" ] || fail "$1: unfinished.bin is left"
}

# stopped SIGNAL WORDS...: a run in the background, stopped when its log says $until; for KILL, when something is saved
# after that
stopped() {
  local signal=$1 pid
  shift
  "$flowgap" "$@" >out.txt 2>err.txt &
  pid=$!
  for _ in $(seq 600); do
    grep -qs -- "$until" run/log.txt && { [ "$signal" != KILL ] || [ -s run/unfinished.bin ]; } && break
    kill -0 $pid 2>/dev/null || break
    sleep 0.02
  done
  kill "-$signal" $pid 2>/dev/null
  wait $pid 2>/dev/null
}

run=(compare perturbed:gmm9 --set compare.particles=3000 --set compare.exact_points=1000 --set compare.residual_points=500
     --set compare.permutations=9 --set compare.replicates=4
     --set 'compare.estimators=[exact, gaussian]' --set compare.box=4 --set 'compare.lambdas=[0, 1]'
     --set compare.budget_particles=1000 --threads 2 --quiet)
good "${run[@]}" --out whole

# ---- stopped at one stage after another, by the keyboard and by force
rm -rf run
resume=
for stage in 'ODE: particles' 'distance exact ode_sde:' 'distance exact ode_sde in the box' 'residual: mean' \
  'lambda 0 drawn'; do
  until=$stage
  # shellcheck disable=SC2086
  stopped INT "${run[@]}" --out run $resume
  cases=$((cases + 1))
  [ -s run/unfinished.bin ] || { fail "stopped at \"$stage\": nothing is kept"; cat err.txt run/log.txt; }
  grep -q 'stopped; run/unfinished.bin holds what is finished: the same command with --resume goes on' err.txt ||
    { fail "stopped at \"$stage\": not said"; cat err.txt; }
  resume=--resume
done
expect 2 'run/unfinished.bin holds what a comparison that did not finish has done: go on with --resume' "${run[@]}" \
  --out run
expect 2 'run holds a comparison that did not finish: `flowgap compare run --resume` goes on' report run
expect 2 'run holds what a comparison that did not finish has done: go on with `flowgap compare run --resume`' \
  train "$source/examples/dis-gmm9-short.yaml" --out run
expect 2 'compare.box is not what it is in run/unfinished.bin' "${run[@]}" --out run --resume --set compare.box=3
expect 2 'seed is not what it is' "${run[@]}" --out run --resume --seed 9
cp -r run kept
good compare run --resume --quiet --threads 1 # the settings of its config.yaml
equal 'stopped five times' whole run
for step in 'ODE: particles' 'SDE: particles' 'distance exact ode_sde:' 'distance exact ode_sde in the box' 'budget: sde_step' \
  'residual: mean square' 'lambda 0 drawn' 'lambda 1 drawn'; do
  cases=$((cases + 1))
  [ "$(grep -c -- "$step" run/log.txt)" = 1 ] || fail "\"$step\" is not done once: $(grep -c -- "$step" run/log.txt)"
done
[ "$(grep -c 'going on after what is finished' run/log.txt)" = 5 ] || fail 'the log does not tell of five resumptions'

rm -rf run
until='SDE: particles'
stopped KILL "${run[@]}" --out run
cases=$((cases + 1))
[ ! -e run/results.json ] || fail 'the run was not killed in time'
if [ -s run/unfinished.bin ]; then
  good "${run[@]}" --out run --resume
  equal 'killed' whole run
else
  fail 'nothing was saved before it was killed'
fi

# ---- what cannot go on
expect 2 'there is no run/unfinished.bin to go on from; leave --resume out' "${run[@]}" --out run --resume
dd if=/dev/zero of=kept/unfinished.bin bs=1 seek=5000 count=8 conv=notrunc status=none
expect 4 'kept/unfinished.bin is damaged' "${run[@]}" --out kept --resume
head -c 100 kept/unfinished.bin >short && mv short kept/unfinished.bin
expect 4 'kept/unfinished.bin is damaged' "${run[@]}" --out kept --resume

# ---- an earlier run stands until the new one is done
rm -rf run
good compare exact:gmm9 --set compare.particles=100 --set 'compare.estimators=[gaussian]' --set compare.residual_points=0 \
  --quiet --out run
cp run/results.json earlier.json
"$flowgap" "${run[@]}" --out run >out.txt 2>err.txt &
pid=$!
for _ in $(seq 600); do
  grep -qs 'SDE: particles' run/log-failed.txt && break
  sleep 0.02
done
kill -INT $pid
wait $pid
cases=$((cases + 1))
cmp -s run/results.json earlier.json || fail 'a run that was stopped changes the results of an earlier one'
good "${run[@]}" --out run --resume
equal 'over an earlier run' whole run

# ---- the certificate, of a run that could not write its results
certified=(compare "$source/examples/certificate.yaml" --set compare.particles=100 --set 'compare.estimators=[gaussian]'
           --set compare.replicates=2 --set compare.permutations=0 --set compare.residual_points=0 --set 'compare.lambdas=[]'
           --set compare.budget_particles=96 --set compare.certificate_cells=100 --set compare.certificate_times=8
           --set compare.certificate_paths=50 --quiet)
good "${certified[@]}" --out certified
rm -rf run
good "${certified[@]}" --out run
rm run/results.json && mkdir -p run/results.json/full
expect 4 'run/results.json' "${certified[@]}" --out run
rm -r run/results.json
good "${certified[@]}" --out run --resume
equal 'a certificate' certified run
cases=$((cases + 1))
[ "$(grep -c 'certificate: by paths' run/log.txt)" = 1 ] || fail 'the certificate is not made once'

# ---- a network that is another by now, under the same name
rm -rf run
nought='\0\0\0\0\0\0\0\0' minus='\0\0\0\0\0\0\360\277' half='\0\0\0\0\0\0\340\277'
linear pull.safetensors 2 3 "$nought$minus$nought$nought$nought$minus"
cat >pull.yaml <<'Y'
process: {kind: ou, horizon: 2}
target: {kind: blobs}
model: {kind: network, form: vector, file: pull.safetensors}
compare: {particles: 3000, exact_points: 1000, estimators: [exact]}
Y
until='ODE: particles'
stopped INT compare pull.yaml --threads 2 --quiet --out run
linear pull.safetensors 2 3 "$nought$half$nought$nought$nought$half"
expect 2 'the file of model.file is not the one that run/unfinished.bin was made with' compare pull.yaml --out run --resume

# ---- the search for a target error: the same runs in the same order
search=(compare perturbed:gmm9 --set 'compare.estimators=[gaussian]' --target-error 0.11 --set compare.residual_points=0
        --set 'compare.snapshots=[]' --set compare.replicates=4 --set compare.permutations=9 --threads 2 --quiet)
good "${search[@]}" --out found
[ "$(grep -c 'search, run .*half width' found/log.txt)" -ge 2 ] || fail "the search takes one run: $(cat found/log.txt)"
rm -rf run
until='search, run 2'
stopped INT "${search[@]}" --out run
good "${search[@]}" --out run --resume
equal 'a search' found run

finish
