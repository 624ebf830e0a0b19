#!/usr/bin/env bash
# Reads every #include and enforces layers.txt: a folder uses the folders below it only, a header named
# *_impl.h stays inside its folder, some system headers belong to one folder. No C++ outside of
# the CUDA engine and tests.
set -u
cd "$2" || exit 1
grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*["<]' include kernels src analysis examples \
  --include='*.c' --include='*.h' --include='*.cpp' --include='*.cu' --include='*.cuh' |
  awk -v rules=tests/structure/layers.txt '
    function folder_of(path) { return match(path, /\/[^\/]*$/) ? substr(path, 1, RSTART - 1) : "." }
    function starts(text, prefix) { return substr(text, 1, length(prefix)) == prefix }
    function exists(path,   line, found) { found = (getline line < path) >= 0; close(path); return found }
    function bad(message) { print message; status = 1 }
    BEGIN {
      while ((getline line < rules) > 0) {
        if (line ~ /^#/ || line !~ / : /) continue
        split(line, part, " : ")
        if (starts(line, "@ ")) only[substr(part[1], 3)] = " " part[2] " "
        else allowed[part[1]] = part[2]
      }
    }
    {
      file = $0; sub(/:.*/, "", file)
      name = $0; sub(/^[^"<]*["<]/, "", name); sub(/[">].*/, "", name)
      quoted = $0 ~ /include[[:space:]]*"/
      folder = folder_of(file)
      if (!quoted) {
        for (prefix in only)
          if (starts(name, prefix) && index(only[prefix], " " folder " ") == 0)
            bad(file " includes <" name ">: only" only[prefix] "may")
        next
      }
      if (!(folder in allowed)) { bad(file ": folder " folder " is not in " rules); next }
      beside = name !~ /\// && exists(folder "/" name)
      count = split(allowed[folder], prefixes, " ")
      ok = beside
      for (i = 1; i <= count; i++) if (starts(name, prefixes[i])) ok = 1
      own = folder; sub(/.*\//, "", own)
      if (name ~ /_impl\.h$/ && !beside && folder_of(name) != own) ok = 0
      if (!ok) bad(file " includes \"" name "\": not allowed in " folder)
    }
    END { exit status }'
status=$?
strays=$(find include kernels src analysis \( -name '*.cpp' -o -name '*.hpp' \))
[ -z "$strays" ] || { echo "C++ in the library: $strays"; status=1; }
exit $status
