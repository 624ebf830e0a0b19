#!/usr/bin/env bash
# Bad input: message and exit status of the command. Arguments: build folder, source folder.
set -u
# shellcheck source=tests/e2e/expect.sh
. "$(dirname "$0")/expect.sh"

printf 't,x1,x2\n0.5,1,2\n1,-0.5,0.25\n' >points.csv

# ---- verbs and options
expect 2 'no verb was given'
expect 2 'there is no verb comapre: did you mean compare?' comapre exact:gmm9
expect 2 'there is no verb qqqqqqqq: `flowgap help` lists them' qqqqqqqq
expect 2 'compare has no option --thread: did you mean --threads?' compare exact:gmm9 --thread 2
expect 2 'compare has no option --log-density' compare exact:gmm9 --log-density
expect 2 'flow.sde.steps is a setting: write --set flow.sde.steps=VALUE' compare exact:gmm9 --flow.sde.steps=3
expect 2 'there is no option -x' compare exact:gmm9 -x
expect 2 '--threads needs a value' compare exact:gmm9 --threads
expect 2 '--json takes no value' compare exact:gmm9 --json=1
expect 2 '--threads is "two": give an integer from 1 to 4096' compare exact:gmm9 --threads two
expect 2 '--threads is "0"' compare exact:gmm9 --threads 0
expect 2 '--out is given twice' compare exact:gmm9 --out a --out b
expect 2 'compare needs 1 argument: flowgap compare MODEL' compare
expect 2 'does not know what to do with "exact:blobs"' compare exact:gmm9 exact:blobs
expect 2 '`flowgap compare --help` shows how it is used' compare
expect 2 'did you mean flow.sde.steps?' help flow.sde.stepz
expect 2 'did you mean compare.particles?' help particles
long=$(printf '%4096s' '' | tr ' ' a)
expect 2 '--out is 4096 bytes long' compare exact:gmm9 --out "$long"
expect 2 'process.beta_max changes nothing while process.kind is ou: leave it out (it belongs to: vp)' \
  compare exact:gmm9 --set process.beta_max=3
expect 2 'info has no option --out' info --out elsewhere
expect 2 'distance has no option --format' distance a.csv b.csv --format pdf
expect 2 'info has no option --threads' --threads 2 info
expect 2 '--count is written after the verb' --count 2 sample exact:gmm9

# ---- settings
expect 2 'unknown setting flow.sde.stepz: did you mean flow.sde.steps?' compare exact:gmm9 --set flow.sde.stepz=3
expect 2 '--set: flow.sde.steps is "3.5": give an integer from 1 to' compare exact:gmm9 --set flow.sde.steps=3.5
expect 2 'compare.particles is 0: give an integer from 4' compare exact:gmm9 --set compare.particles=0
expect 2 '"compare.particles" is no assignment' compare exact:gmm9 --set compare.particles
expect 2 'flow.sde is a group of settings' compare exact:gmm9 --set flow.sde=3
expect 2 '--seed: seed is "x"' compare exact:gmm9 --seed x
expect 2 'there is no built-in model exact:gmm8' compare exact:gmm8
expect 2 'there is no file gmm9: the built-in models are exact:gmm9' compare gmm9
expect 2 'flow.sde.steps changes nothing while flow.sde.grid is set' compare exact:gmm9 --set flow.sde.steps=3
expect 2 'flow.sde.t_end changes nothing' sample exact:gmm9 --set flow.sde.t_end=1 --out x.csv
expect 4 'cannot read missing.yaml: No such file or directory' compare missing.yaml
printf 'process:\n  kind: ou\n  rat: 2\n' >unknown.yaml
expect 2 'unknown.yaml, line 3, column 3: unknown setting process.rat: did you mean process.rate?' compare unknown.yaml
printf 'process:\n  rate: fast\n' >type.yaml
expect 2 'type.yaml, line 2, column 9: process.rate is "fast": give a number' compare type.yaml
printf 'process:\n\tkind: ou\n' >tab.yaml
expect 2 'tab.yaml, line 2, column 1: the line holds a tab' compare tab.yaml
printf 'process: {kind: ou\n' >open.yaml
expect 2 'open.yaml, line 2, column 1: not YAML' compare open.yaml
mkdir empty
expect 4 'empty is a directory without config.yaml' compare empty
printf 'model: {kind: network, file: nowhere.safetensors, layers: [a, b]}\n' >nowhere.yaml
expect 4 'nowhere.safetensors' compare nowhere.yaml
printf 'model: {kind: exact}\n' >notarget.yaml
expect 2 'target' compare notarget.yaml
printf '{{{' >broken.safetensors
printf 'model: {kind: network, file: broken.safetensors, layers: [a, b]}\n' >broken.yaml
expect 4 'broken.safetensors' compare broken.yaml
expect 2 'engine' compare exact:gmm9 --engine gpu

# ---- files
touch plain
expect 4 'plain' compare exact:gmm9 --out plain/run --set compare.particles=10
mkdir other && touch other/notes.txt
expect 2 'is not a run directory and is left alone' compare exact:gmm9 --out other --set compare.particles=10
expect 4 'missing.csv' evaluate exact:gmm9 missing.csv
printf 't,x1,x2\n0.5,1,nan\n' >nan.csv
expect 4 'nan.csv, line 2' evaluate exact:gmm9 nan.csv
printf 't,x1\n0.5,1\n' >narrow.csv
expect 2 'narrow.csv has 2 columns, but the model has dimension 2: give t and x1 to x2' evaluate exact:gmm9 narrow.csv
printf 'x1,x2,t\n1,1,1\n' >order.csv
expect 2 'order.csv: the first column is called x1: the columns must be t,x1,x2,...' evaluate exact:gmm9 order.csv
printf '0.1,1,1\n-1,1,1\n' >before.csv
expect 2 'before.csv, row 2: t is -1' evaluate exact:gmm9 before.csv
printf '10,1,1\n10.5,1,1\n' >beyond.csv
expect 2 'beyond.csv, row 2: t is 10.5: noising times go from 0 to process.horizon, 10' evaluate exact:gmm9 beyond.csv
"$flowgap" evaluate exact:gmm9 points.csv >/dev/full 2>err.txt
check $? 4 'cannot write to standard output: No space left on device' 'evaluate > /dev/full'
expect 4 'cannot write /dev/full: No space left on device' evaluate exact:gmm9 points.csv --out /dev/full
expect 4 'cannot write plain/x.csv: Not a directory' evaluate exact:gmm9 points.csv --out plain/x.csv
"$flowgap" help settings >/dev/full 2>err.txt
check $? 4 'cannot write to standard output' 'help settings > /dev/full'
expect 2 'sample needs --out FILE' sample exact:gmm9 --count 5
expect 2 '.h5, .npy or .csv' sample exact:gmm9 --count 5 --out x.txt
expect 2 '--flow is "pde": give ode or sde' sample exact:gmm9 --flow pde --out x.csv
expect 2 'only the ODE carries a log-density' sample exact:gmm9 --flow sde --log-density --out x.csv
expect 2 '--count is "0": give an integer from 1' sample exact:gmm9 --count 0 --out x.csv
expect 2 '--noise-time is "11x"' sample exact:gmm9 --count 5 --noise-time 11x --out x.csv
expect 4 'plain' sample exact:gmm9 --count 5 --out plain/x.csv
expect 2 'a .npy file has no place for log-densities' sample exact:gmm9 --count 5 --log-density --out x.npy
expect 2 'no node of the grid' sample exact:gmm9 --flow sde --count 5 --noise-time 3.3 --out x.csv
printf 'x1,x2\n1,2\n3,4\n0,1\n2,2\n5,1\n' >a.csv
printf 'x1\n1\n3\n' >b.csv
expect 2 'a.csv has 2 columns, b.csv has 1: both must have the same' distance a.csv b.csv
expect 2 'the grid estimator needs two columns' distance b.csv b.csv --estimator grid
expect 2 'did you mean exact?' distance a.csv a.csv --estimator exakt
expect 4 'nothing.csv' distance a.csv nothing.csv
expect 4 'empty' report empty

# ---- what must work
good --version
holds 'flowgap '
good help
good help compare
good compare --help
good help settings
good help flow.sde
good help flow.sde.steps
good help settings --json
good info
holds 'engine    cpu'
good info --json
good help --markdown
if ! diff -u "$source/docs/settings.md" out.txt >diff.txt; then
  echo 'FAILED: docs/settings.md is not current: flowgap help --markdown > docs/settings.md'
  head -20 diff.txt
  bad=$((bad + 1))
fi
good help --man
if command -v man >/dev/null && ! man --warnings -l out.txt >/dev/null 2>man.txt; then
  echo 'FAILED: man page'
  cat man.txt
  bad=$((bad + 1))
fi
good --threads 2 evaluate exact:gmm9 points.csv
holds 't,x1,x2,phi,phi_t,s1,s2,laplacian,residual'
good distance a.csv a.csv --estimator exact,gaussian --set compare.replicates=10 --set compare.permutations=0
holds 'gaussian'
good distance a.csv a.csv --estimator sliced --set compare.directions=7 --set compare.permutations=0
holds 'along the best of its directions'
good distance a.csv a.csv --set 'compare.estimators=[sliced]' --json
holds '"direction_error"'
expect 2 'compare.directions' distance a.csv a.csv --estimator sliced --set compare.directions=1
expect 2 'need at least 4' distance b.csv b.csv
good sample exact:gmm9 --flow ode --log-density --count 20 --out x.csv
head -1 x.csv >out.txt
holds 'x1,x2,log_density'
good sample exact:gmm9 --flow sde --count 20 --noise-time 2 --out x.h5 --quiet
good distance x.csv x.h5:x --estimator gaussian --json
holds '"gaussian"'

finish
