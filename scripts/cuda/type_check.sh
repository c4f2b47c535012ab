#!/usr/bin/env bash
# Type-checks and lints every crate with `--features cuda,cudnn`, on a machine without CUDA: nvcc is a stand-in that
# compiles nothing, so this says that our Rust fits candle's CUDA build, and nothing about kernels or results.
#
#   scripts/cuda/type_check.sh
#
# Keeps its output apart from any other build (MGA_CUDA_CHECK_TARGET names the folder): with empty kernels inside it
# must never be linked. About two minutes the first time.
set -euo pipefail
cd "$(dirname "$0")/../.."
target="${MGA_CUDA_CHECK_TARGET:-${XDG_CACHE_HOME:-$HOME/.cache}/mga-ci/target-cuda}"

# The same path every time: cargo builds anew where NVCC changes. cudarc looks for nvcc on the PATH.
toolkit="$target/stand-in-toolkit"
mkdir -p "$toolkit/bin"
install -m 755 scripts/cuda/nvcc_stand_in.sh "$toolkit/bin/nvcc"

env PATH="$toolkit/bin:$PATH" CUDA_HOME="$toolkit" CUDA_PATH="$toolkit" NVCC="$toolkit/bin/nvcc" \
    CUDA_COMPUTE_CAP=80 CUDAFORGE_THREADS=1 CARGO_TARGET_DIR="$target" \
    "${CARGO:-cargo}" clippy --locked --release --workspace --all-targets --features mga-cli/cuda,mga-cli/cudnn \
    -- -D warnings
