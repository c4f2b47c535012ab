#!/usr/bin/env bash
# Checks mga on a machine with an NVIDIA GPU, with what pack.sh packed and this tree. Steps are ended so that all take eight
# minutes at most (no GPU has run it yet):
#   1. card, driver, libraries                    2. convolutions, operators and reference fixtures on the device
#   3. equal bits of two runs and a resumed one   4. two minutes of training from JPEGs, and how long the GPU waits
#   5. time and memory of a training step beside PyTorch's
# Each step has its share of the time. What fails says so, and the rest goes on. Prints one table, and writes it to
# OUT/check.md and all numbers to OUT/check.json; logs of everything lie beside them.
#
#   scripts/gpu/check.sh [--pack FILE] [--out FOLDER] [--only STEP]... [--cpu]
#
# Needs Python 3 with PyTorch for CUDA 13 and torchvision, the driver, and nothing else: no Rust, no network. --cpu runs
# every step on the CPU at small sizes, with the same program and no driver: a check of this check. PYTHON names the Python,
# MGA_GPU_LIBRARIES folders with NVIDIA's libraries.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
tree="$(cd "$here/../.." && pwd)"
export PYTHON="${PYTHON:-python3}" PYTHONDONTWRITEBYTECODE=1
pack="$tree/target/mga-gpu.tar.xz"
out=
options=()
while [ $# -gt 0 ]; do
    case "$1" in
        --pack) pack="$2"; shift ;;
        --out) out="$2"; shift ;;
        --only) options+=(--only "$2"); shift ;;
        --cpu) options+=(--cpu); export MGA_GPU_STAND_INS=1 ;;
        *) echo "check.sh: $1 is not known; see its first lines" >&2; exit 2 ;;
    esac
    shift
done
if [ ! -f "$pack" ]; then
    echo "check.sh: there is no pack at $pack: scripts/gpu/pack.sh makes it, on a machine with Rust" >&2
    exit 2
fi
out="${out:-$(mktemp -d)}"
mkdir -p "$out"
out="$(cd "$out" && pwd)"
# The unpacked pack, checkpoints, pictures.
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

if [ "${MGA_GPU_STAND_INS:-0}" != 1 ]; then
    # Without a driver there is nothing to check, and this says so. Another library that is missing is a row of the table.
    "$PYTHON" "$here/libraries.py" --driver >/dev/null
fi
echo "== unpacking $(basename "$pack")"
# Python's own, for xz may not be installed.
"$PYTHON" - "$pack" "$work" <<'PYTHON'
import sys, tarfile
with tarfile.open(sys.argv[1], "r:xz") as pack:
    pack.extraction_filter = getattr(tarfile, "data_filter", lambda member, path: member)
    pack.extractall(sys.argv[2])
PYTHON
"$PYTHON" "$here/check.py" --pack "$work/mga-gpu" --work "$work" --out "$out" ${options[@]+"${options[@]}"}
