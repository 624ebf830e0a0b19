#!/usr/bin/env bash
# Build and run every benchmark beside its peer; figures go to bench/results/<date>.txt.
#   scripts/bench.sh [THREADS] [WEIGHTS.safetensors]     default: all cores, random weights
# Needs a quiet machine: fractions of peak and ratios are of wall time.
set -euo pipefail
cd "$(dirname "$0")/.."
threads=${1:-$(nproc)}
weights=${2:-}
scripts/setup.sh build bench
cmake --preset bench >/dev/null
cmake --build --preset bench -j"$(nproc)" >/dev/null
mkdir -p bench/results
out=bench/results/$(date +%Y-%m-%d).txt
# PyTorch at its best on a CPU: one pool of threads, the processor's own kernels
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
export OMP_NUM_THREADS=$threads
python=/usr/bin/python3
at=build/bench/bench

# A benchmark whose lines begin `NAME ... TIME ms` and its peer, `NAME best SECONDS`: both, then the ratios.
beside() {
  $at/"$1" "$threads" | tee bench/results/.ours
  $python bench/peers/"$2".py "$threads" 5 | tee bench/results/.theirs
  awk 'FILENAME ~ /ours/ && / ms / {for (i = 1; i <= NF; i++) if ($i == "ms") ours[$1] = $(i - 1) / 1000}
       FILENAME ~ /theirs/ && $2 == "best" {printf "%s: ratio of wall times %.1f\n", $1, $3 / ours[$1]}' \
    bench/results/.ours bench/results/.theirs
  rm -f bench/results/.ours bench/results/.theirs
}

{
  echo "# $(date -u +%Y-%m-%d), $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $threads threads, load $(cut -d' ' -f1 /proc/loadavg)"
  echo "# commit $(git rev-parse --short HEAD), $(cc --version | head -n 1), Release"
  echo "## bench_network: fraction of the multiply-add peak"
  $at/bench_network "$threads"
  echo "## bench_simulate: 10,000 particles x 890 Euler-Maruyama steps, beside PyTorch"
  $at/bench_simulate "$threads" 10000 3 | tee bench/results/.ours
  $python bench/peers/simulate_torch.py 10000 890 "$threads" 3 | tee bench/results/.theirs
  awk '/network  euler lambda 1 float/ {for (i = NF; i > 0; i--) if ($i == "wall") ours = $(i + 1)}
       FILENAME ~ /theirs/ {printf "%s: ratio of wall times %.1f\n", $1, $2 / ours}' bench/results/.ours bench/results/.theirs
  rm -f bench/results/.ours bench/results/.theirs
  echo "## bench_ode: 1000 particles by CVODE, beside SciPy's RK45 on PyTorch"
  $at/bench_ode --threads "$threads" ${weights:+--weights "$weights"} --peer "$python bench/peers/ode_scipy_torch.py"
  echo "## bench_train: training steps and sampling of DIS, beside PyTorch"
  beside bench_train train_torch
  echo "## bench_train scale: cost against batch and steps"
  $at/bench_train scale "$threads"
  echo "## bench_points: denoising and Fokker-Planck residual with gradients, beside PyTorch"
  beside bench_points points_torch
  echo "## bench_points scale: cost against points and dimension"
  $at/bench_points scale "$threads"
  echo "## bench_transport: W2 beside POT"
  $at/bench_transport "$threads" $python
  echo "## bench_sinkhorn: Sinkhorn to a marginal error of 1e-9, beside POT"
  $at/bench_sinkhorn $python
  echo "## bench_kernel_distance: MMD and energy distance beside SciPy"
  $at/bench_kernel_distance $python
} | tee "$out"
echo "figures are in $out"
