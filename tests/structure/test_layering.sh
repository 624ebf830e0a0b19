#!/usr/bin/env bash
# Reads every #include and enforces layers.txt: a folder uses the folders below it only, and a header
# named *_impl.h stays inside its folder. C++ lives in analysis/transport alone.
set -u
cd "$2" || exit 1
status=0
while IFS=: read -r file include; do
  folder=$(dirname "$file")
  name=$(sed -E 's/^[^"<]*["<]([^">]*)[">].*/\1/' <<<"$include")
  case "$include" in
    *\"*)
      allowed=$(awk -F' : ' -v f="$folder" '$1==f {print $2}' tests/structure/layers.txt)
      [ -n "$allowed" ] || { echo "$file: folder $folder is not in tests/structure/layers.txt"; status=1; continue; }
      ok=no
      [ -f "$folder/$name" ] && [ "$(dirname "$name")" = . ] && ok=yes
      for prefix in $allowed; do
        case "$name" in "$prefix"*) ok=yes ;; esac
      done
      case "$name" in
        *_impl.h) # private to its folder
          [ "$(basename "$(dirname "$folder/x")")" = "$(basename "$(dirname "./$name")")" ] || [ -f "$folder/$name" ] || ok=no ;;
      esac
      [ $ok = yes ] || { echo "$file includes \"$name\": not allowed in $folder"; status=1; }
      ;;
    *\<*)
      while IFS=: read -r prefix folders; do
        prefix=$(tr -d '@ ' <<<"$prefix")
        case "$name" in
          "$prefix"*)
            case " $folders " in *" $folder "*) ;; *) echo "$file includes <$name>: only$folders may"; status=1 ;; esac ;;
        esac
      done < <(grep '^@' tests/structure/layers.txt)
      ;;
  esac
done < <(grep -rnE '^[[:space:]]*#[[:space:]]*include' include kernels src analysis examples \
           --include='*.c' --include='*.h' --include='*.cpp' --include='*.cu' --include='*.cuh' | sed -E 's/^([^:]*):[0-9]+:/\1:/')
strays=$(find include kernels src -name '*.cpp' -o -name '*.hpp'; find analysis -name '*.cpp' -not -path 'analysis/transport/*')
[ -z "$strays" ] || { echo "C++ outside analysis/transport: $strays"; status=1; }
exit $status
