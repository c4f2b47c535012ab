#!/usr/bin/env bash
# Answers like nvcc and compiles nothing: empty PTX, empty objects, an archive of them.
#
# candle-kernels and cudarc ask for nvcc in their build scripts, so without it not even the Rust side of
# `--features cuda` can be type-checked. Nothing built through this may be linked or shipped: the kernels are missing.
# Used by type_check.sh, which sets NVCC to it.
set -euo pipefail

for argument in "$@"; do
    case "$argument" in
        --version)
            # cudarc reads the fourth line: "..., release MAJOR.MINOR, V...".
            printf '%s\n' "stand-in for nvcc" "compiles nothing" "-" "Stand-in tools, release 13.0, V13.0.0"
            exit 0
            ;;
        --list-gpu-code)
            printf 'sm_%s\n' 75 80 86 89 90
            exit 0
            ;;
    esac
done

mode=object
output=
folder=.
source=
objects=()
while [ $# -gt 0 ]; do
    case "$1" in
        --ptx) mode=ptx ;;
        --lib) mode=archive ;;
        -o) output="$2"; shift ;;
        --output-directory) folder="$2"; shift ;;
        --default-stream | -Xcompiler | -ccbin) shift ;;
        *.cu) source="$1" ;;
        *.o) objects+=("$1") ;;
    esac
    shift
done

case "$mode" in
    ptx)
        name="$(basename "$source" .cu)"
        : >"${output:-$folder/$name.ptx}"
        ;;
    archive)
        rm -f "$output"
        ar rcs "$output" "${objects[@]}"
        ;;
    object)
        cc -x c -c -fPIC -o "$output" - </dev/null
        ;;
esac
