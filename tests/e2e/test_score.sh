#!/usr/bin/env bash
# Score models from data, from settings to results: files, resuming, refusals. Arguments: build folder, source folder.
set -u
# shellcheck source=tests/e2e/expect.sh
. "$(dirname "$0")/expect.sh" "$@"

cat >tiny.yaml <<'END'
process: {kind: ou, rate: 1, diff: 1, horizon: 2}
prior: {kind: gaussian, variance: 0.5}
target: {kind: circles}
model: {kind: network, form: potential, inputs: [t, x], activation: softplus, beta: 10}
train: {method: dsm, steps: 30, batch: 64, hidden: [16, 16], rates: [[0, 0.01], [15, 0.001]], restart_optimiser: true,
        log_every: 5, evaluate_every: 10, evaluate_paths: 320, checkpoint_every: 10, ema: 0.9, time_least: 0.01,
        residual: {weight: 0.1, form: centred, where: path, points: 64, paths: 50, path_steps: 20, refresh: 7}}
flow: {sde: {steps: 20, t_end: 0.01}, ode: {method: euler, steps: 20}}
compare: {particles: 300, residual_points: 20, replicates: 10, permutations: 9, exact_points: 200}
END

# the figures of a line, without the seconds
lines() { sed 's/"seconds":[^,}]*//g' "$1"; }
same() { # WHAT A B
  cases=$((cases + 1))
  [ "$2" = "$3" ] || { echo "FAILED: $1"; bad=$((bad + 1)); }
}
in_file() { # FILE TEXT
  cases=$((cases + 1))
  grep -qF -- "$2" "$1" || { echo "FAILED: $1 does not hold: $2"; bad=$((bad + 1)); }
}

# ---- a run, its files, its use as a model
good train tiny.yaml --out run --threads 2
holds '30 steps'
holds 'denoising loss'
holds 'residual (centred), mean square'
for word in '"verb": "train"' '"method": "dsm"' '"score": {' '"loss":' '"loss_se":' '"residual": {' '"centred": {' '"weight": 0.1' \
  '"where": "path"' '"seconds"' '"seed": 1'; do
  in_file run/results.json "$word"
done
grep -q '"sampler"' run/results.json && { echo 'FAILED: a score model has figures of a sampler'; bad=$((bad + 1)); }
same 'lines of metrics.jsonl' "$(wc -l <run/metrics.jsonl)" 6
same 'evaluations' "$(grep -c '"score"' run/metrics.jsonl)" 3
in_file run/metrics.jsonl '"loss_se":'
in_file run/metrics.jsonl '"residual":'
in_file run/metrics.jsonl '"residual_se":'
in_file run/metrics.jsonl '"residual_lost":0'
in_file run/log.txt 'denoising loss'
good compare run --out compared
in_file compared/results.json '"kind": "network"'
printf '0.1,0.5,-0.2\n' >points.csv
good evaluate run points.csv
holds residual

# ---- exported and read back by the rows model.* of the metadata: the same bits
back() { # RUN [SETTINGS...]
  good export "$1" --out "$1.safetensors"
  printf '0.1,0.5,-0.2\n1.9,3,4\n' >points.csv
  good evaluate "$1" points.csv
  cp out.txt before.txt
  header=$(python3 -c '
import json, struct, sys
file = open(sys.argv[1], "rb")
header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
rows = {k: v for k, v in header["__metadata__"].items() if k.startswith("model.")}
print("process: {kind: ou, rate: 1, diff: 1, horizon: 2}\nmodel:\n  file: " + sys.argv[1])
for key, value in rows.items():
    print("  " + key[6:] + ": " + value)' "$1.safetensors")
  printf '%s\n' "$header" >back.yaml
  good evaluate back.yaml points.csv
  same "$1 read back" "$(cat out.txt)" "$(cat before.txt)"
}
command -v python3 >/dev/null && back run
good export run --out run.safetensors
in_file run.safetensors '"0.weight"'
in_file run.safetensors '"model.beta":"10"'
printf 'process: {kind: ou, rate: 1, diff: 1, horizon: 2}\nmodel: {kind: network, file: run.safetensors, beta: 10}\n' >back.yaml
good evaluate run points.csv
cp out.txt before.txt
good evaluate back.yaml points.csv
same 'a score model read back' "$(cat out.txt)" "$(cat before.txt)"

# ---- interrupted and resumed: the same lines and the same weights
whole=$(h5dump -d /train/weights run/checkpoint.h5 2>/dev/null | md5sum)
"$flowgap" train tiny.yaml --out again --threads 1 --set train.evaluate_paths=4000000 >out.txt 2>err.txt & # stops in the first evaluation
pid=$!
for _ in $(seq 100); do [ -s again/checkpoint.h5 ] && break; sleep 0.1; done
kill -TERM $pid
wait $pid
same 'status of SIGTERM' "$?" 143
good train tiny.yaml --out again --resume --threads 5
same 'metrics.jsonl of the resumed run' "$(lines again/metrics.jsonl)" "$(lines run/metrics.jsonl)"
command -v h5dump >/dev/null && same 'weights' "$(h5dump -d /train/weights again/checkpoint.h5 | md5sum)" "$whole"
expect 2 'train.residual.weight is not what it is in again/config.yaml' train tiny.yaml --out again --resume \
  --set train.residual.weight=1
good train tiny.yaml --out seeds --seeds 2 --set train.steps=10
in_file seeds/results.json '"residual_centred": {'
mkdir other && cp -r seeds other
cp -r other/seeds twin
good compare seeds/seed-1 --quiet
good residual other/../twin/seed-1/ --set residual.points=40 --set residual.times=3 --quiet
for folder in runs/seeds-seed-1-compare runs/twin-seed-1-residual; do in_file $folder/results.json '"schema": 1'; done
good compare other/seeds/../../run --quiet # `other` is no run
in_file runs/run-compare/results.json '"schema": 1'

no_paths=(--set train.residual.paths=1024 --set train.residual.path_steps=200 --set train.residual.refresh=100)

# ---- data from a file, vector forms, embeddings
printf 'x,y\n' >data.csv
for i in $(seq 40); do printf '%d.5,%d\n' "$((i % 7))" "$((i % 5))" >>data.csv; done
good train tiny.yaml --out file --set target.kind=samples --set target.file=data.csv --set train.steps=5
good train tiny.yaml --out vector --set model.form=vector --set model.output=noise --set train.steps=5 \
  --set train.precision=double --set train.residual.form=score "${no_paths[@]}" --set train.residual.where=data
in_file vector/results.json '"score": {'
command -v python3 >/dev/null && back vector
good export vector --out vector.safetensors
in_file vector.safetensors '"F64"'
in_file run.safetensors '"F32"' # a training in single precision: no bit is lost
good residual vector --set residual.points=40 --set residual.times=3 --out sizes
in_file sizes/report.html 'class="gap upper"></i><span class="scale"><span>0<' # sizes have no scale below 0
good train tiny.yaml --out embedded --set model.embedding=embedded --set model.inputs='[x]' --set train.steps=5 --set train.frequencies=8
good compare embedded --out compared
command -v python3 >/dev/null && back embedded
good train tiny.yaml --out fourier --set model.embedding=fourier --set model.inputs='[x]' --set train.steps=5 --set train.frequencies=8 \
  --set train.residual.where=gaussian "${no_paths[@]}"
good compare fourier --out compared
command -v python3 >/dev/null && back fourier

# ---- what cannot be trained
expect 2 'cannot be sampled: give target.kind samples' train tiny.yaml --out x --set target.kind=logistic_regression \
  --set target.file="$source/examples/logistic/data.csv"
expect 2 'target.kind is none: name the data' train tiny.yaml --out x --set target.kind=none
expect 2 'set model.form to potential, or the form to score' train tiny.yaml --out x --set model.form=vector
expect 2 'model.output is noise' train tiny.yaml --out x --set model.output=noise
expect 2 'set model.form to vector' train tiny.yaml --out x --set model.output=noise
expect 2 'train.objective changes nothing while train.method is dsm' train tiny.yaml --out x --set train.objective=kl
expect 2 'train.rate changes nothing while train.rates is given' train tiny.yaml --out x --set train.rate=0.1
expect 3 'of the training' train tiny.yaml --out wild --set 'train.rates=[[0, 1e12]]' --set train.clip_norm=0
expect 3 'beyond train.loss_most' train tiny.yaml --out wild2 --set train.loss_most=1e-9
[ -e x ] && { echo 'FAILED: a refused training made a folder'; bad=$((bad + 1)); }
finish
