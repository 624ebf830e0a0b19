#!/usr/bin/env bash
# The whole program with --engine cuda, its kernels run on the CPU by tests/cuda_on_cpu (a plugin in a folder of the tests),
# against --engine cpu: integers exactly, floats to a tolerance. Arguments: build folder, source folder.
set -u
# shellcheck source=tests/e2e/expect.sh disable=SC2154
. "$2/tests/e2e/expect.sh" "$1" "$2"
plugin=$(dirname "$flowgap")/tests/cuda_on_cpu/plugin
[ -s "$plugin/libflowgap_cuda.so" ] || { echo "no $plugin/libflowgap_cuda.so"; exit 77; }
export LD_LIBRARY_PATH=$plugin

# same FILE TOLERANCE: of cpu/FILE and cuda/FILE every number agrees, integers exactly, floats within TOLERANCE of
# 1 + their size, and so do all names and words; but for clocks, engines and machines.
same() {
  cases=$((cases + 1))
  for engine in cpu cuda; do
    sed -E 's/"(seconds|wall_seconds|created|threads|command|engine|isa|name)": ?("[^"]*"|[^",}]*)//g' "$engine/$1" |
      tr ' ,:{}[]' '\n' | grep . >"$engine.words"
  done
  [ "$(wc -l <cpu.words)" -gt "$3" ] || { echo "FAILED: $1 has too little to compare"; bad=$((bad + 1)); }
  paste cpu.words cuda.words | awk -v most="$2" -v file="$1" '
    function size(x) { return x < 0 ? -x : x }
    $1 == $2 { next }
    $1 ~ /^-?[0-9]*\.?[0-9]+(e[-+]?[0-9]+)?$/ && $1 ~ /[.e]/ && $2 ~ /^-?[0-9.]+(e[-+]?[0-9]+)?$/ {
      off = size($1 - $2) / (1 + size($1))
      if (off > worst) worst = off
      if (off <= most) next
    }
    { print "FAILED: " file ": engine cpu says " $1 ", cuda " $2; wrong = 1 }
    END { printf "%s: largest difference %.1e\n", file, worst; exit wrong }' || bad=$((bad + 1))
}

# both WORDS...: into folders cpu and cuda
both() {
  rm -rf cpu cuda
  for engine in cpu cuda; do good "$@" --engine "$engine" --quiet --out "$engine"; done
  cases=$((cases + 1))
  grep -q '"engine": "cuda"' cuda/results.json || { echo "FAILED: $1 did not run on cuda"; bad=$((bad + 1)); }
}

good info
holds 'engine    cuda       sm_80, TF32 with --tf32'
holds 'device    0 the CPU, by tests/cuda_on_cpu, sm_80, 1.0 of 1.0 GiB free, driver for CUDA 13.0'
holds 'default   cuda'
good info --json
holds '"devices": ['
holds '"default_engine": "cuda"'

small=(--set compare.particles=128 --set compare.permutations=5 --set compare.replicates=2 --set compare.residual_points=30
       --set flow.sde.steps=20 --set 'flow.sde.grid=[]' --set compare.directions=10)
cvode=(--set flow.ode.tile=64) # each engine has a tile that suits it, and steps are those of a tile
# sums in another order alone: the adaptive solver takes the same steps
both compare perturbed:gmm9 "${small[@]}" "${cvode[@]}" --set model.epsilon=1 \
  --set 'compare.estimators=[exact, grid, gaussian, sliced, mmd, energy]' --set compare.grid.bins=12
same results.json 1e-9 200
# pairs in single precision, 1e-7 apart; what the curve over 16 to 128 rows extrapolates to is 1.6e-5 apart
both compare exact:gmm9 "${small[@]}" "${cvode[@]}" --set 'compare.estimators=[sinkhorn, entropic]'
same results.json 1e-4 150

# with weights; climbs stop where a step rises by 1e-12, and their slopes are known to the root of that
for i in $(seq 36); do
  echo "$((i * 37 % 101)).5 $((i * 61 % 97)) $((1 + i % 3)).25" >>a.csv
  echo "$((i * 31 % 103)) $((i * 53 % 89)).25 $((1 + i % 2)).5" >>b.csv
done
rm -rf cpu cuda
mkdir cpu cuda
sed -i 's/ /,/g; 1i x,y,w' a.csv b.csv
for engine in cpu cuda; do
  good distance a.csv b.csv --weights w --estimator sliced,max_sliced --set compare.permutations=1 --set compare.replicates=2 \
    --set compare.directions=3 --engine "$engine" --quiet --out "$engine/distance.json"
done
same distance.json 1e-6 100

# several devices, each with memory of its own: the same bits
bits() { # FILE WORDS...: on three devices as on one
  local file=$1 devices
  shift
  for devices in 1 3; do
    rm -rf "on$devices"
    SHIM_DEVICES=$devices good "$@" --engine cuda --quiet --out "on$devices"
    grep -v -E '"(seconds|wall_seconds|created|command|device)' "on$devices/$file" |
      sed -E 's/"(seconds|wall_seconds)": ?[^,}]*//g' >"on$devices.words"
  done
  cases=$((cases + 1))
  cmp on1.words on3.words || { echo "FAILED: $file differs on three devices"; diff on1.words on3.words | head; bad=$((bad + 1)); }
}
bits results.json compare perturbed:gmm9 "${small[@]}" --set model.epsilon=1 --set 'compare.estimators=[gaussian, mmd, sinkhorn]'
bits results.json compare exact:gmm9 "${small[@]}" --set flow.ode.method=dopri5 --set 'compare.estimators=[gaussian]'

# particles by steps of their own: a first step comes from a small difference, and ends agree far below the tolerance
both compare exact:gmm9 "${small[@]}" --set flow.ode.method=dopri5 --set 'compare.estimators=[gaussian, sliced]'
same results.json 1e-6 150
grep -q '"tile": 1,' cuda/results.json || { echo "FAILED: dopri5 has tiles"; bad=$((bad + 1)); }

both residual perturbed:gmm9 "${cvode[@]}" --set residual.points=40 --set residual.times=3
same results.json 1e-9 50

# exact transport of samples so large that the engine prices the pairs
awk 'BEGIN { srand(1); for (i = 0; i < 8400; i++) print rand() + (i >= 4200) * 0.1 "," rand() > (i < 4200 ? "a.csv" : "b.csv") }'
rm -rf cpu cuda
mkdir cpu cuda
for engine in cpu cuda; do
  SHIM_LAUNCHES=$engine.launches good distance a.csv b.csv --estimator exact --set compare.permutations=0 --set compare.replicates=2 \
    --engine "$engine" --quiet --out "$engine/w2.json"
done
same w2.json 1e-12 20
cases=$((cases + 1))
grep -q fg_price_kernel cuda.launches || { echo "FAILED: the engine did not price"; bad=$((bad + 1)); }

# rounding grows from step to step of a training
cat >tiny.yaml <<'YAML'
target: {kind: gmm9}
train: {method: dis, steps: 3, batch: 32, time_steps: 8, hidden: [8, 8], frequencies: 4, embedding_width: 8,
        precision: double, log_every: 1, evaluate_every: 3, evaluate_paths: 64}
flow: {sde: {steps: 8}, ode: {method: euler, steps: 8}}
compare: {particles: 64, replicates: 2, permutations: 3, exact_points: 50}
YAML
pis=(--set train.method=pis --set process.kind=pinned --set prior.kind=point)
both train tiny.yaml
same metrics.jsonl 1e-8 10
both train tiny.yaml --set train.objective=kl --set train.control=potential
same metrics.jsonl 1e-8 10
both train tiny.yaml "${pis[@]}"
same metrics.jsonl 1e-8 10
both train tiny.yaml --set train.method=dds --set process.kind=vp
same metrics.jsonl 1e-8 10
both train tiny.yaml --set train.method=bridge --set train.form=discrete
same metrics.jsonl 1e-8 10
both train tiny.yaml --set train.precision=single
same metrics.jsonl 1e-4 10
both train tiny.yaml --set 'train.hidden=[136, 8]' # too wide for shared memory: by cuBLAS
same metrics.jsonl 1e-8 10

cat >tiny.yaml <<'YAML'
process: {kind: ou, rate: 1, diff: 1, horizon: 2}
prior: {kind: gaussian, variance: 0.5}
target: {kind: circles}
model: {kind: network, form: potential, inputs: [t, x], activation: softplus, beta: 10}
train: {method: dsm, steps: 3, batch: 32, hidden: [8, 8], precision: double, log_every: 1, evaluate_every: 3,
        evaluate_paths: 64, time_least: 0.01,
        residual: {weight: 0.1, form: centred, where: path, points: 16, paths: 16, path_steps: 8, refresh: 2}}
YAML
both train tiny.yaml
same metrics.jsonl 1e-8 10
both train tiny.yaml --set 'train.hidden=[136, 8]'
same metrics.jsonl 1e-8 10

# ---- the engine that nobody named: cuda where it opens, cpu without the plugin and for targets of C functions
chosen() { # ENGINE WORDS...
  local engine=$1
  shift
  rm -rf run
  good "$@" --out run
  cases=$((cases + 2))
  grep -q "\"engine\": \"$engine\"" run/results.json || { echo "FAILED: results.json of $*: not on $engine"; bad=$((bad + 1)); }
  grep -q "engine $engine (" run/log.txt || { echo "FAILED: log.txt of $*: not on $engine"; bad=$((bad + 1)); }
}
one=(--set compare.particles=64 --set compare.permutations=3 --set compare.replicates=2 --set compare.residual_points=2 --set 'compare.estimators=[gaussian]')
chosen cuda compare exact:gmm9 "${one[@]}"
chosen cuda compare exact:gmm9 "${one[@]}" --engine auto
chosen cpu compare exact:gmm9 "${one[@]}" --engine cpu
LD_LIBRARY_PATH='' chosen cpu compare exact:gmm9 "${one[@]}"
grep -q '"tf32": false' run/results.json || { echo "FAILED: TF32 that nobody asked for"; bad=$((bad + 1)); }
chosen cuda compare exact:gmm9 "${one[@]}" --tf32
grep -q '"tf32": true' run/results.json && grep -q 'engine cuda (sm_80, TF32)' run/log.txt ||
  { echo "FAILED: --tf32 is not recorded"; bad=$((bad + 1)); }
grep -q 'products in TF32</th><td>yes' run/report.html || { echo "FAILED: the page does not tell of TF32"; bad=$((bad + 1)); }
cases=$((cases + 1))
rm -rf run # allowed, and not there
LD_LIBRARY_PATH='' "$flowgap" compare exact:gmm9 "${one[@]}" --tf32 --out run >out.txt 2>err.txt
check $? 0 '--tf32 changes nothing: engine cpu' 'with --tf32 without the plugin'
grep -q '"tf32": false' run/results.json || { echo "FAILED: TF32 on the engine cpu"; bad=$((bad + 1)); }
expect 2 '--tf32: engine cpu' compare exact:gmm9 --engine cpu --tf32 --out none
cases=$((cases + 3))
rm -rf run
LD_LIBRARY_PATH='' expect 2 'the engine cuda is a plugin that cannot be opened' compare exact:gmm9 --engine cuda --out none
if command -v "${CC:-cc}" >/dev/null; then
  good target build "$source/examples/banana.c" --out banana.so
  cat >banana.yaml <<'YAML'
target: {kind: plugin, file: banana.so}
train: {method: dis, steps: 1, batch: 8, time_steps: 4, hidden: [4], frequencies: 2, embedding_width: 4, evaluate_every: 1,
        evaluate_paths: 8}
compare: {particles: 16, replicates: 2, permutations: 3, residual_points: 2, estimators: [gaussian]}
flow: {sde: {steps: 4}, ode: {method: euler, steps: 4}}
YAML
  chosen cpu train banana.yaml --quiet
  expect 2 '--engine cpu' train banana.yaml --engine cuda --out none

  rm -rf run # a device that is there and does not work is no reason for silence
  mkdir broken
  cat >broken.c <<'C'
#include <stdio.h>
#include <flowgap/flowgap.h>
FG_API fg_code fg_cuda_engine_open(int threads, fg_engine **engine, fg_status *st)
{
  (void)threads;
  *engine = NULL;
  if (st) snprintf(st->message, sizeof st->message, "the device is lost");
  return FG_FAILED;
}
C
  "${CC:-cc}" -shared -fPIC -I "$source/include" -o broken/libflowgap_cuda.so broken.c
  LD_LIBRARY_PATH=broken "$flowgap" compare exact:gmm9 "${one[@]}" --out run >out.txt 2>err.txt
  check $? 0 'engine cpu, since the engine cuda does not open: the device is lost' 'on a broken device'
  LD_LIBRARY_PATH=broken expect 1 'the device is lost' compare exact:gmm9 "${one[@]}" --engine cuda --out none
fi
finish
