# What a CUDA build needs on a machine without CUDA and without root: compiler and runtime are NVIDIA's wheels from PyPI
# (104 MB), the driver and the other libraries are stubs to link against. Sourced, not run; leaves the paths in `toolkit`
# and `stubs`, and sets what candle's and cudarc's build scripts read.
#
#   source scripts/cuda/toolkit.sh WORK_FOLDER CAPABILITY      # 80, 90: of the card
#
# Needs Python's pip and a C compiler.
cuda_work="$1"
mkdir -p "$cuda_work"
cuda_work="$(cd "$cuda_work" && pwd)"
toolkit="$cuda_work/python/nvidia/cu13"
stubs="$cuda_work/stubs"

echo "== toolkit"
if [ ! -x "$toolkit/bin/nvcc" ]; then
    python3 -m pip install --quiet --no-deps --target "$cuda_work/python" \
        nvidia-cuda-nvcc==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-nvvm==13.0.88 \
        nvidia-cuda-runtime==13.0.96 nvidia-cuda-cccl==13.0.85
fi
chmod -R u+x "$toolkit/bin" "$toolkit/nvvm/bin"
# The wheel has the runtime under its soname alone, and nvcc looks for lib64.
ln -sf libcudart.so.13 "$toolkit/lib/libcudart.so"
ln -sfn lib "$toolkit/lib64"
"$toolkit/bin/nvcc" --version | tail -n 2

echo "== stubs of what comes with a driver"
cargo fetch --locked --quiet
scripts/cuda/driver_stubs.sh "$stubs"

export PATH="$toolkit/bin:$PATH" CUDA_HOME="$toolkit" CUDA_PATH="$toolkit" NVCC="$toolkit/bin/nvcc"
export CUDA_COMPUTE_CAP="$2" CUDAFORGE_THREADS="${CUDAFORGE_THREADS:-1}" LIBRARY_PATH="$stubs"
