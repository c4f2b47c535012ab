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
mkdir -p "$work"
work="$(cd "$work" && pwd)"
capability="${CUDA_COMPUTE_CAP:-80}"
begin=$SECONDS

echo "== toolkit"
if [ ! -x "$work/python/nvidia/cu13/bin/nvcc" ]; then
    python3 -m pip install --quiet --no-deps --target "$work/python" \
        nvidia-cuda-nvcc==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-nvvm==13.0.88 \
        nvidia-cuda-runtime==13.0.96 nvidia-cuda-cccl==13.0.85
fi
toolkit="$work/python/nvidia/cu13"
chmod -R u+x "$toolkit/bin" "$toolkit/nvvm/bin"
# The wheel has the runtime under its soname alone, and nvcc looks for lib64.
ln -sf libcudart.so.13 "$toolkit/lib/libcudart.so"
ln -sfn lib "$toolkit/lib64"
"$toolkit/bin/nvcc" --version | tail -n 2

echo "== stubs of what comes with a driver"
cargo fetch --locked --quiet
scripts/cuda/driver_stubs.sh "$work/stubs"

echo "== kernels for compute capability $capability, and mga"
target="$work/target"
env PATH="$toolkit/bin:$PATH" CUDA_HOME="$toolkit" CUDA_PATH="$toolkit" NVCC="$toolkit/bin/nvcc" \
    CUDA_COMPUTE_CAP="$capability" CUDAFORGE_THREADS="${CUDAFORGE_THREADS:-1}" LIBRARY_PATH="$work/stubs" \
    CARGO_TARGET_DIR="$target" cargo build --locked --release -p mga-cli --features cuda,cudnn

echo "== result"
for ptx in "$target"/release/build/candle-kernels-*/out/*.ptx; do
    printf '%s: %s, %s entries\n' "$(basename "$ptx")" "$(grep -m1 '^\.target' "$ptx")" "$(grep -c '\.entry' "$ptx")"
done
binary="$target/release/mga"
ls -l "$binary" | awk '{ print $5 " bytes" }'
readelf --dynamic "$binary" | sed -n 's/.*NEEDED.*\[\(.*\)\]/needs \1/p'

echo "== it starts, on the stubs, and sees no GPU"
LD_LIBRARY_PATH="$work/stubs:$toolkit/lib" "$binary" --version
echo "== it does not, without a driver"
if "$binary" --version; then
    echo "there is a driver here"
fi
echo "took $((SECONDS - begin)) seconds"
