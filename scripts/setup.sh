#!/usr/bin/env bash
# Install what flowgap needs: scripts/setup.sh [build] [test] [check] [bench]   (default: build)
#
# Debian packages come from scripts/packages.txt. SUNDIALS is the exception: its package would pull
# 141 others, MPI and PETSc among them, while CVODE needs its headers and one archive; they are taken out of the
# package (1 MB to download) into .deps/, which needs no root.
set -euo pipefail
cd "$(dirname "$0")/.."

sections=("$@")
[ ${#sections[@]} -gt 0 ] || sections=(build)

wanted=()
for section in "${sections[@]}"; do
  found=$(awk -v s="[$section]" '$0==s {on=1; next} /^\[/ {on=0} on && !/^#/ && NF {print $1}' scripts/packages.txt)
  [ -n "$found" ] || { echo "setup: scripts/packages.txt has no section [$section]" >&2; exit 2; }
  # shellcheck disable=SC2206
  wanted+=($found)
done

command -v dpkg-query >/dev/null || {
  echo "setup: this is not Debian or Ubuntu. Install the counterparts of: ${wanted[*]} and SUNDIALS (CVODE)," >&2
  echo "setup: then build with: cmake --preset release && cmake --build --preset release" >&2
  exit 1
}

missing=()
for package in "${wanted[@]}"; do
  state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$state" = installed ] || missing+=("$package")
done

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

refreshed=""
refresh_lists() {
  [ -z "$refreshed" ] || return 0
  as_root apt-get update -qq
  refreshed=yes
}

if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" != 0 ] && ! sudo -n true 2>/dev/null; then
    echo "setup: ${#missing[@]} packages are missing and this user may not install them. Please run" >&2
    echo "    sudo apt-get install --no-install-recommends ${missing[*]}" >&2
    echo "and start this script again." >&2
    exit 1
  fi
  echo "setup: installing ${missing[*]}"
  refresh_lists
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" \
    >/tmp/flowgap-setup.$$.log 2>&1 || {
    tail -n 20 "/tmp/flowgap-setup.$$.log" >&2
    echo "setup: apt-get failed; the whole log is /tmp/flowgap-setup.$$.log" >&2
    exit 1
  }
  rm -f "/tmp/flowgap-setup.$$.log"
fi

if [ ! -f /usr/include/cvode/cvode.h ] && ! ls .deps/usr/lib/*/libsundials_cvode.a >/dev/null 2>&1; then
  echo "setup: unpacking SUNDIALS CVODE into .deps"
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  chmod 755 "$scratch"
  fetch() { (cd "$scratch" && apt-get download -qq libsundials-dev 2>"$scratch/log"); }
  fetch || {
    if [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; then refresh_lists; fi
    fetch || {
      cat "$scratch/log" >&2
      echo "setup: cannot download libsundials-dev: check the network and run 'apt-get update'" >&2
      exit 1
    }
  }
  dpkg-deb -x "$scratch"/libsundials-dev_*.deb "$scratch/tree"
  mkdir -p "$scratch/keep/usr/include"
  for folder in cvode nvector sundials sunlinsol sunmatrix sunnonlinsol sunmemory; do
    [ ! -d "$scratch/tree/usr/include/$folder" ] || cp -r "$scratch/tree/usr/include/$folder" "$scratch/keep/usr/include/"
  done
  archive=$(cd "$scratch/tree" && ls usr/lib/*/libsundials_cvode.a)
  mkdir -p "$scratch/keep/$(dirname "$archive")"
  cp "$scratch/tree/$archive" "$scratch/keep/$archive"
  core="$(dirname "$archive")/libsundials_core.a"
  [ ! -f "$scratch/tree/$core" ] || cp "$scratch/tree/$core" "$scratch/keep/$core"
  rm -rf .deps.new && cp -r "$scratch/keep" .deps.new && rm -rf .deps && mv .deps.new .deps
fi
