#!/usr/bin/env bash
# Targets that come from a file of the user: plugins, built and checked, and data for a logistic regression.
set -u
# shellcheck source=tests/e2e/expect.sh
. "$(dirname "$0")/expect.sh"
export CC=${CC:-cc}
command -v "${CC%% *}" >/dev/null || { echo "no C compiler"; exit 77; }
model=$source/examples/blobs-network.yaml
printf 't,x1,x2\n0.5,1,2\n' >points.csv

# plugin NAME: writes NAME.c from standard input, after the header.
plugin() {
  { echo '#include <flowgap/plugin.h>'; cat; } >"$1.c"
}
density='double flowgap_log_density(const double *x, int d) {
  double s = 0;
  for (int i = 0; i < d; i++) s -= x[i] * x[i] * x[i] * x[i] / 4;
  return s;
}'
score='void flowgap_score(const double *x, int d, double *score) {
  for (int i = 0; i < d; i++) score[i] = -x[i] * x[i] * x[i];
}'
two='int flowgap_dimension(void) { return 2; }'

# ---- building
expect 2 'target needs 2 arguments: flowgap target build FILE.c' target
expect 2 'target does not know "bild"' target bild x.c
expect 2 'x.txt does not end in .c' target build x.txt
expect 4 'cannot read nothing.c: No such file or directory' target build nothing.c
expect 2 'target has no option --threads' target build x.c --threads 2
plugin good <<<"$density $score $two"
expect 2 '--out is good.c, a C file' target build good.c --out good.c
expect 4 'nowhere/x.so' target build good.c --out nowhere/x.so
CC=no-such-compiler expect 2 'cannot run the C compiler no-such-compiler: No such file or directory' target build good.c
good target build good.c
holds 'good.so: dimension 2, checked'
good target build "$source/examples/banana.c" --out banana.so
holds 'banana.so: dimension 2, checked'
good target build good.c --out other.so --json
holds '{"target": "other.so", "dimension": 2}'
plugin free <<<"$density $score"
good target build free.c
holds 'dimension: ...'
cp good.so kept.so
cp good.c broken.c
echo 'int x = ;' >>broken.c
cp good.so broken.so
expect 4 'broken.c does not compile' target build broken.c
grep -q 'error' err.txt || { echo "FAILED: the compiler's message is not shown"; bad=$((bad + 1)); }
cmp -s kept.so broken.so || { echo 'FAILED: a build that failed replaced the earlier file'; bad=$((bad + 1)); }
plugin half <<<"$density $two"
expect 4 'half.c has no function flowgap_score: flowgap/plugin.h says what a target needs' target build half.c
plugin other_half <<<"$score $two"
expect 4 'other_half.c has no function flowgap_log_density' target build other_half.c
echo "$density $score" >bare.c
expect 4 'bare.c has no flowgap_plugin_version: write #include <flowgap/plugin.h>' target build bare.c
echo "const int flowgap_plugin_version = 7; $density $score" >old.c
expect 4 'old.c is written for version 7 of flowgap/plugin.h, this is version 1' target build old.c
plugin undefined <<<"double missing(double x); double flowgap_log_density(const double *x, int d) {
  return d * missing(x[0]); } $score $two"
expect 4 'undefined symbol: missing' target build undefined.c
plugin zero <<<"$density $score int flowgap_dimension(void) { return 0; }"
expect 4 'flowgap_dimension() is 0: it must be 1 to 100000' target build zero.c

# ---- what the checks find
plugin sign <<<"$density $two void flowgap_score(const double *x, int d, double *score) {
  for (int i = 0; i < d; i++) score[i] = x[i] * x[i] * x[i]; }"
expect 3 'sign.c: flowgap_score is not the gradient of flowgap_log_density: component 1 is' target build sign.c
plugin second <<<"$density $two void flowgap_score(const double *x, int d, double *score) {
  for (int i = 0; i < d; i++) score[i] = -x[i] * x[i] * x[i] * (i == 1 ? 1.001 : 1); }"
expect 3 'component 2 is' target build second.c
plugin single <<<"#include <math.h>
double flowgap_log_density(const double *x, int d) { return (float)(d - sqrt(1 + x[0] * x[0])); }
void flowgap_score(const double *x, int d, double *score) {
  for (int i = 0; i < d; i++) score[i] = i ? 0 : (float)(-x[0] / sqrt(1 + x[0] * x[0])); } $two"
good target build single.c
plugin narrow <<<"double flowgap_log_density(const double *x, int d) { return d - x[0] * x[0] / 2e-6; }
void flowgap_score(const double *x, int d, double *score) {
  for (int i = 0; i < d; i++) score[i] = i ? 0 : -x[0] / 1e-6; } $two"
good target build narrow.c
plugin hole <<<"#include <math.h>
double flowgap_log_density(const double *x, int d) { return x[0] < 0 ? -INFINITY : d; }
void flowgap_score(const double *x, int d, double *score) {
  for (int i = 0; i < d; i++) score[i] = 0 * x[i]; } $two"
expect 3 'hole.c: flowgap_log_density is -inf at x_1 = -' target build hole.c
plugin unwritten <<<"$density $two void flowgap_score(const double *x, int d, double *score) {
  score[0] = d * 0 - x[0] * x[0] * x[0]; }"
expect 3 'unwritten.c: flowgap_score sets component 2 to nan' target build unwritten.c
plugin static <<<"static volatile double sum; /* shared by all threads */
double flowgap_log_density(const double *x, int d) {
  sum = 0;
  for (int k = 0; k < 1000; k++)
    for (int i = 0; i < d; i++) sum -= x[i] * x[i] / 2000;
  return sum;
}
void flowgap_score(const double *x, int d, double *score) { for (int i = 0; i < d; i++) score[i] = -x[i]; } $two"
expect 3 'when 4 threads called at once: the functions must keep no state' target build static.c

# ---- using
use() {
  echo "evaluate $model points.csv --set target.kind=$1 --set target.file=$2"
}
good $(use plugin good.so)
mkdir -p folder && cp good.so folder/
printf 'target: {kind: plugin, file: good.so}\nmodel: {kind: exact}\n' >folder/settings.yaml
expect 2 'which the target plugin is not' compare folder/settings.yaml
expect 2 'target.dimension is 3 but good.so is of dimension 2' $(use plugin good.so) --set target.dimension=3
expect 2 'target.dimension is not set, and free.so has no flowgap_dimension' $(use plugin free.so)
good $(use plugin free.so) --set target.dimension=2
expect 2 'target.file is empty: name the .so' evaluate "$model" points.csv --set target.kind=plugin
expect 2 'target.file is good.c, which is not built: run `flowgap target build good.c`' $(use plugin good.c)
expect 4 'nothing.so: cannot read it: No such file or directory' $(use plugin nothing.so)
expect 4 'points.csv cannot be loaded:' $(use plugin points.csv)
"$CC" -shared -fPIC -I "$source/include" sign.c -o sign.so
expect 3 'sign.so: flowgap_score is not the gradient' $(use plugin sign.so)

# ---- logistic regression
data=$source/examples/logistic/data.csv
# the network of this model is for two dimensions, so a message that names another came after the data were read
expect 2 'the target has dimension 5' $(use logistic_regression "$data")
expect 2 'the target has dimension 4' $(use logistic_regression "$data") --set target.intercept=false --set target.prior_sd=2
printf '1,-1\n2,1\n3,1\n' >two.csv
good $(use logistic_regression two.csv)
expect 2 'target.dimension is 5 but' $(use logistic_regression "$data") --set target.dimension=5 --set target.intercept=false
expect 2 'target.prior_sd is 0: give a number from' $(use logistic_regression "$data") --set target.prior_sd=0
expect 2 'target.prior_sd changes nothing while target.kind is plugin' $(use plugin good.so) --set target.prior_sd=2
expect 2 'target.file is empty: name a CSV file' evaluate "$model" points.csv --set target.kind=logistic_regression
expect 4 'nothing.csv: cannot read it' $(use logistic_regression nothing.csv)
printf 'a,b,class\n1,2,0\n' >name.csv
expect 4 'name.csv: the last column is called class: it must hold the labels and be called label' $(use logistic_regression name.csv)
printf 'a,label\n1,0\n2,1\n3,2\n' >three.csv
expect 4 'three.csv, row 3: the label is 2: give 0 or 1, or -1 or 1' $(use logistic_regression three.csv)
printf '1,-1\n2,1\n3,0\n' >both.csv
expect 4 'both.csv, row 3: the label is 0 where an earlier one is -1' $(use logistic_regression both.csv)
printf 'a,b,label\n1,5,0\n2,5,1\n' >constant.csv
expect 4 'constant.csv: column 2 has standard deviation 0: it cannot be standardised' $(use logistic_regression constant.csv)
expect 2 'the target has dimension 3' $(use logistic_regression constant.csv) --set target.standardise=false
printf '0\n1\n' >thin.csv
expect 4 'thin.csv holds 2 rows of 1 numbers' $(use logistic_regression thin.csv)
if command -v python3 >/dev/null; then
  python3 "$source/examples/logistic/make_data.py" >again.csv
  cases=$((cases + 1))
  cmp again.csv "$data" || { echo 'FAILED: make_data.py does not make data.csv'; bad=$((bad + 1)); }
fi
finish
