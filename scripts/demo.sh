#!/usr/bin/env bash
# Set up, build, and do the main job: how far apart are the ODE and the SDE of a perturbed score model?
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh build
log=$(mktemp)
{ cmake --preset release && cmake --build --preset release --target flowgap_command -j"$(nproc)"; } >"$log" 2>&1 || {
  cat "$log" >&2
  exit 1
}
rm -f "$log"
build/release/flowgap compare perturbed:blobs --set model.epsilon=1 --out runs/demo
echo "Open $(pwd)/runs/demo/report.html"
