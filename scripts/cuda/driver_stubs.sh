#!/usr/bin/env bash
# Makes libraries to link a CUDA build against where NVIDIA's are not installed: driver, cuBLAS, cuRAND, NVRTC, cuDNN.
#
#   scripts/cuda/driver_stubs.sh FOLDER
#
# Every function in them only returns 100, which is CUDA_ERROR_NO_DEVICE of the driver and a failure of the others. The
# names are those that the cudarc of Cargo.lock declares. A binary that finds these before the real ones sees no GPU.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder="${1:?the folder to write the libraries to}"
mkdir -p "$folder"

version="$(grep -A1 '^name = "cudarc"$' Cargo.lock | sed -n 's/^version = "\(.*\)"$/\1/p')"
sources="$(find "${CARGO_HOME:-$HOME/.cargo}/registry/src" -maxdepth 2 -type d -name "cudarc-$version" | head -n 1)"
if [ -z "$sources" ]; then
    echo "cudarc $version is not downloaded: run cargo fetch --locked first" >&2
    exit 1
fi

# library, soname of the major version that CUDA 13 and cuDNN 9 ship, module of cudarc, how its functions begin
while read -r library soname module prefix; do
    grep -ohE "pub (unsafe )?fn ${prefix}[A-Za-z0-9_]*\(" "$sources/src/$module/sys/mod.rs" |
        sed -E 's/.* fn (.*)\(/\1/' | sort -u |
        sed 's/.*/int &(void) { return 100; }/' >"$folder/$library.c"
    cc -shared -fPIC -fno-builtin -w -Wl,-soname,"$soname" -o "$folder/$soname" "$folder/$library.c"
    ln -sf "$soname" "$folder/lib$library.so"
    echo "lib$library.so: $(wc -l <"$folder/$library.c") functions"
done <<'LIBRARIES'
cuda libcuda.so.1 driver cu[A-Z]
cublas libcublas.so.13 cublas cublas
cublasLt libcublasLt.so.13 cublaslt cublasLt
curand libcurand.so.10 curand curand
nvrtc libnvrtc.so.13 nvrtc nvrtc
cudnn libcudnn.so.9 cudnn cudnn
LIBRARIES
