#!/usr/bin/env bash
# Compiles candle's CUDA kernels for real and links the whole `mga` with `--features cuda,cudnn`, without a GPU and
# without root: compiler and runtime are NVIDIA's wheels from PyPI (104 MB), the driver and the other libraries are
# stubs. It shows that everything compiles and links; the binary is for nothing but seeing that it starts.
#
#   scripts/cuda/compile_kernels.sh [WORK_FOLDER]
#
# Needs Python's pip, a C++ compiler and about ten minutes of one core. CUDA_COMPUTE_CAP (default 80) names the card.
set -euo pipefail
cd "$(dirname "$0")/../.."
work="${1:-${XDG_CACHE_HOME:-$HOME/.cache}/mga-ci/cuda}"
capability="${CUDA_COMPUTE_CAP:-80}"
begin=$SECONDS
source scripts/cuda/toolkit.sh "$work" "$capability"

echo "== kernels for compute capability $capability, and mga"
target="$cuda_work/target"
CARGO_TARGET_DIR="$target" cargo build --locked --release -p mga-cli --features cuda,cudnn

echo "== result"
for ptx in "$target"/release/build/candle-kernels-*/out/*.ptx; do
    printf '%s: %s, %s entries\n' "$(basename "$ptx")" "$(grep -m1 '^\.target' "$ptx")" "$(grep -c '\.entry' "$ptx")"
done
binary="$target/release/mga"
ls -l "$binary" | awk '{ print $5 " bytes" }'
readelf --dynamic "$binary" | sed -n 's/.*NEEDED.*\[\(.*\)\]/needs \1/p'

echo "== it starts, on the stubs, and sees no GPU"
LD_LIBRARY_PATH="$stubs:$toolkit/lib" "$binary" --version
echo "== it does not, without a driver"
if "$binary" --version; then
    echo "there is a driver here"
fi
echo "took $((SECONDS - begin)) seconds"
