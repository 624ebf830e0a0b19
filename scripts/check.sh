#!/usr/bin/env bash
# Style and static checks: layout of the code (clang-format), likely bugs (clang-tidy on the files that
# the `ci` build compiles), length of files, line ends. scripts/check.sh --fix applies clang-format.
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh build test check
sources=$(git ls-files '*.c' '*.h' '*.cpp' '*.cu' '*.cuh' | grep -v fixtures) # fixtures are written by scripts
if [ "${1:-}" = --fix ]; then
  echo "$sources" | xargs clang-format -i
  exit 0
fi
status=0
echo "$sources" | xargs clang-format --dry-run -Werror || {
  echo "check: run scripts/check.sh --fix" >&2
  status=1
}
long=$(git ls-files '*.c' '*.h' '*.cpp' '*.cu' '*.cuh' '*.sh' '*.py' | xargs wc -l | awk '$2!="total" && $1>600')
[ -z "$long" ] || { echo "check: files over 600 lines:" >&2; echo "$long" >&2; status=1; }
if git grep -nI -e '[[:blank:]]$' -- '*.c' '*.h' '*.cpp' '*.sh' '*.py' '*.md' '*.cmake'; then
  echo "check: white space at line ends (above)" >&2
  status=1
fi
cmake --preset ci >/dev/null
git ls-files 'src/*.c' 'analysis/*.c' 'kernels/*.c' | xargs -P "$(nproc)" -n 8 clang-tidy --quiet -p build/ci \
  2>/dev/null || { echo "check: clang-tidy found the above" >&2; status=1; }
exit $status
