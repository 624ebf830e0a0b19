#!/usr/bin/env bash
# Set up, build, and do the main job: train a sampler of nine Gaussians, then ask how far its ODE and its SDE are apart.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh build
log=$(mktemp)
{ cmake --preset release && cmake --build --preset release --target flowgap_command -j"$(nproc)"; } >"$log" 2>&1 || {
  cat "$log" >&2
  exit 1
}
rm -f "$log"
build/release/flowgap train examples/dis-gmm9-short.yaml --out runs/demo
build/release/flowgap compare runs/demo --out runs/demo-compare
echo "Open $(pwd)/runs/demo-compare/report.html"
