#!/usr/bin/env bash
# Training from settings to results: files, resuming, stopping, failing. Arguments: build folder, source folder.
set -u
flowgap=$(realpath "$1")/flowgap
[ -x "$flowgap" ] || { echo "no $flowgap: the command was not built"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
bad=0
cases=0

fail() {
  echo "FAILED: $*"
  sed 's/^/  /' err.txt out.txt
  bad=$((bad + 1))
}

# good WORDS...: status 0 and nothing on standard error.
good() {
  cases=$((cases + 1))
  "$flowgap" "$@" >out.txt 2>err.txt
  local got=$?
  if [ $got != 0 ] || [ -s err.txt ]; then fail "flowgap $*: status $got"; fi
}

# expect STATUS TEXT WORDS...: standard error holds TEXT.
expect() {
  local status=$1 text=$2
  shift 2
  cases=$((cases + 1))
  "$flowgap" "$@" >out.txt 2>err.txt
  local got=$?
  if [ $got != "$status" ] || ! grep -qF -- "$text" err.txt; then
    fail "flowgap $*: status $got, expected $status and: $text"
  fi
}

# holds FILE TEXT
holds() {
  cases=$((cases + 1))
  grep -qF -- "$2" "$1" || fail "$1 does not hold: $2"
}

cat >tiny.yaml <<'END'
process: {kind: vp, beta_min: 0.1, beta_max: 10, horizon: 1}
prior: {kind: truncated, variance: 1}
target: {kind: gmm9}
train: {method: dis, steps: 30, batch: 64, time_steps: [10, 20], hidden: [16, 16], frequencies: 8,
        embedding_width: 16, log_every: 5, evaluate_every: 10, evaluate_paths: 300, checkpoint_every: 10,
        ema: 0.9, schedule: cosine}
flow: {sde: {steps: 20, t_end: 0}, ode: {method: euler, steps: 20}}
compare: {particles: 300, residual_points: 20, replicates: 10, permutations: 9, exact_points: 200}
END

# the weights that a checkpoint holds, as bytes of an export
weights() {
  "$flowgap" export "$1" --out weights.safetensors --quiet >out.txt 2>err.txt || fail "export $1"
  md5sum <weights.safetensors
}

# ---- a run, its files, its use as a model
good train tiny.yaml --out run
holds out.txt '30 steps'
holds out.txt 'discrete'
holds out.txt 'continuous'
for file in config.yaml metrics.jsonl checkpoint.h5 results.json log.txt; do
  [ -s "run/$file" ] || fail "there is no run/$file"
done
for word in log_z_elbo log_z_is log_z_is_se ess continuous moments modes least_share lost w2 wall_seconds '"verb": "train"'; do
  holds run/results.json "$word"
done
# the names that other people's scripts read; two spaces in front per level
for line in '  "schema": 1,' '  "version": "' '  "engine": "cpu"' '  "seed": 1,' '  "wall_seconds": [0-9]' \
  '  "sampler": {' '    "log_z_elbo": [-0-9]' '    "log_z_is": [-0-9]' '    "ess": [0-9]'; do
  cases=$((cases + 1))
  grep -q "^$line" run/results.json || fail "results.json has no line: $line"
done
[ "$(wc -l <run/metrics.jsonl)" = 6 ] || fail "metrics.jsonl has $(wc -l <run/metrics.jsonl) lines, not 6"
[ "$(grep -c '"sampler"' run/metrics.jsonl)" = 3 ] || fail 'metrics.jsonl does not hold three evaluations'
holds run/metrics.jsonl '"time_steps":10'
holds run/metrics.jsonl '"time_steps":20'
good train tiny.yaml --out run --json
holds out.txt '"sampler"'
good train tiny.yaml --out run --quiet
[ -s out.txt ] && fail 'train --quiet prints'
good sample run --flow sde --count 20 --out x.csv
good compare run --out compared
[ -s compared/report.html ] || fail 'compare of a trained sampler wrote no report'
# a page of its own, which report writes again, and its place in that of the comparison
grep -q 'figure-weights' run/report.html || fail 'the page of a training shows no weights'
cp run/report.html first.html
good report run
cmp -s first.html run/report.html || fail 'the same training gives another page'
grep -q 'How the model was trained' compared/report.html || fail 'the comparison does not show the training'
holds compared/results.json '"lines_per_point": 1'
# every path of the last evaluation is in a bin, or below them
counted=$(tr -d ' \n' <run/results.json | grep -o '"below":[0-9]*\|"counts":\[[0-9,]*' | grep -o '[0-9]*' |
  awk '{s += $1} END {print s}')
[ "$counted" = 300 ] || fail "the histogram of the weights holds $counted of 300 paths"
expect 2 'replaced: choose another folder' compare run --out run
good export run --out weights.safetensors
holds weights.safetensors base_model.input_embed.weight
holds weights.safetensors score_model.out_layer.bias
holds weights.safetensors flowgap-control-1
expect 2 'ending in .safetensors' export run
expect 2 'give the file that ending' export run --out weights.bin
expect 2 'only networks are exported' export exact:gmm9 --out weights.safetensors

# ---- a bridge: both controls are kept, and its flows use them
good train tiny.yaml --out bridge --set train.method=bridge --set train.form=discrete
holds bridge/results.json '"method": "bridge"'
good sample bridge --flow sde --count 20 --out x.csv
good compare bridge --out bridge-compared
good export bridge --out weights.safetensors
expect 2 'a bridge has none' residual bridge --out none
expect 2 'a bridge has none' compare bridge --set compare.certificate=true --out none
expect 2 'train.control: potential' residual run --out none
expect 2 'train.control: potential' compare run --set compare.certificate=true --out none
good train tiny.yaml --out bridge --set train.method=bridge --set train.form=discrete --set train.log_every=1 --resume
good train tiny.yaml --out kl --set train.method=bridge --set train.objective=kl

# ---- resuming gives the same weights as going through
whole=$(weights run)
cp -r run again
good train tiny.yaml --out again --threads 1
[ "$(weights again)" = "$whole" ] || fail 'the same training twice gives other weights'
rm -rf again
"$flowgap" train tiny.yaml --out again --set train.evaluate_paths=2000000 >out.txt 2>err.txt & # stops in the first evaluation
pid=$!
for _ in $(seq 100); do [ -s again/checkpoint.h5 ] && break; sleep 0.1; done
kill -TERM $pid
wait $pid
status=$?
cases=$((cases + 1))
[ $status = 143 ] || fail "SIGTERM: status $status, expected 143"
holds err.txt 'stopped after step 10 of 30'
holds err.txt '--resume goes on'
[ -e again/results.json ] && fail 'a stopped run has results'
good report again
grep -q 'has not come to its end' again/report.html || fail 'the page of a stopped training does not say so'
expect 2 'did not finish: go on with --resume' train tiny.yaml --out again
expect 2 'train.rate is not what it is in again/config.yaml' train tiny.yaml --out again --resume --set train.rate=0.1
expect 2 'seed is not what it is' train tiny.yaml --out again --resume --seed 9
good train tiny.yaml --out again --resume
[ "$(weights again)" = "$whole" ] || fail 'resuming gives other weights'
# but for the seconds, line by line what an uninterrupted run writes
lines() { sed 's/"seconds":[^,}]*//g' "$1"; }
[ "$(lines again/metrics.jsonl)" = "$(lines run/metrics.jsonl)" ] || fail 'metrics.jsonl of the resumed run does not fit'
holds again/log.txt 'going on after step 10'
good train again --resume # of a finished run: its results again
grep -q '"loss": null' again/results.json && fail 'the results of a resumed run have no loss'
expect 2 'there is no nowhere/checkpoint.h5' train tiny.yaml --out nowhere --resume

# ---- several seeds
good train tiny.yaml --out seeds --seeds 2
holds out.txt '2 trainings, 0 failed'
holds seeds/results.json '"summary"'
[ -s seeds/seed-2/results.json ] || fail 'there is no seeds/seed-2/results.json'
[ "$(weights seeds/seed-1)" = "$whole" ] || fail 'seed 1 of two is not seed 1'
holds seeds/seed-2/config.yaml 'seed: 2'
grep -q 'href="./seed-2/report.html"' seeds/report.html || fail 'the page of two seeds has no link to the second'
[ -s seeds/seed-2/report.html ] || fail 'the second seed has no page'
expect 2 'RUN/seed-1 of several' compare seeds --out x
good train tiny.yaml --out seeds --seeds 3 --resume
holds out.txt '3 trainings, 0 failed'

expect 2 'run holds one training' train tiny.yaml --out run --seeds 2
expect 2 'train.rate is not what it is in seeds/config.yaml' train tiny.yaml --out seeds --seeds 4 --resume --set train.rate=0.1
[ -e seeds/seed-4 ] && fail 'a refused training made a folder'
[ -s seeds/results.json ] || fail 'a refused training removed results'
good train tiny.yaml --out longer --seeds 2 --set train.schedule=constant --set train.time_steps=10
good train tiny.yaml --out longer --seeds 2 --set train.schedule=constant --set train.time_steps=10 --set train.steps=40 --resume
holds longer/seed-2/results.json '"steps": 40'

# ---- what cannot be trained
expect 2 'train.steps is 0' train tiny.yaml --out x --set train.steps=0
expect 2 'train.batch is 64, which 3 paths per start' train tiny.yaml --out x --set train.objective=log_variance_trajectory --set train.group=3
expect 2 'did you mean train.rate?' train tiny.yaml --out x --set train.rat=1
expect 2 'target.kind is none' train tiny.yaml --out x --set target.kind=none
expect 2 'checkerboard' train tiny.yaml --out x --set target.kind=checkerboard
expect 2 'set process.kind to pinned' train tiny.yaml --out x --set train.method=pis
expect 2 'set prior.kind to point' train tiny.yaml --out x --set train.method=pis --set process.kind=pinned \
  --set process.beta_min=auto --set process.beta_max=auto
expect 2 '--seeds is "0"' train tiny.yaml --out x --seeds 0
expect 2 'train needs 1 argument' train
[ -e x ] && fail 'a refused training made a folder'

# ---- paths that are lost
expect 3 'raise train.path_limit' train tiny.yaml --out x --set train.path_limit=0.5
expect 3 'beyond train.loss_most (1e-06): lower train.rate' train tiny.yaml --out x --set train.loss_most=1e-6
expect 3 'its gradient 0, as when all outputs are clipped: lower train.rate' train tiny.yaml --out x --set train.rate=1e9 \
  --set train.objective=kl --set train.steps=50
expect 2 'kl_ito, but the discrete form has no Ito term' train tiny.yaml --out x --set train.objective=kl_ito \
  --set train.form=discrete
expect 2 'model.layers describes a network that exists already' train tiny.yaml --out x --set 'model.layers=[a, b]'
expect 3 '64 of 64 paths are lost, so there is no loss' train tiny.yaml --out x --set train.path_limit=0.001 --set train.lost_most=1
rm -r x

# ---- a training that diverges
expect 3 'of the training' train tiny.yaml --out wild --set train.control=potential \
  --set train.rate=1e6 --set train.checkpoint_every=1 --set train.schedule=constant
holds err.txt 'the checkpoint of step'
holds err.txt 'lower train.rate'
[ -s wild/checkpoint.h5 ] || fail 'a diverging training left no checkpoint'
[ -e wild/results.json ] && fail 'a diverging training has results'

echo "$cases cases, $bad failed"
[ $bad = 0 ]
