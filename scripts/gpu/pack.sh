#!/usr/bin/env bash
# Packs what a machine with a GPU, but without Rust and without a network, needs to check mga there: the program with the
# features `cuda` and `cudnn`, and the tests that compute on a device. Built here, where no GPU is needed; run there by
# check.sh, together with the checked-out tree.
#
#   scripts/gpu/pack.sh [PACK]        # target/mga-gpu.tar.xz
#
# Needs Python 3 with pip, a C++ compiler, xz, and a network for the toolkit. The first time about ten minutes of one core
# for the kernels beside the build of mga; then a few minutes. CUDA_COMPUTE_CAP (90) names the card, MGA_GPU_WORK the folder
# that is kept between builds (toolkit, stubs, target), CARGO_TARGET_DIR another target. At most 40 MB, or it fails.
set -euo pipefail
cd "$(dirname "$0")/../.."
pack="${1:-target/mga-gpu.tar.xz}"
mkdir -p "$(dirname "$pack")"
pack="$(cd "$(dirname "$pack")" && pwd)/$(basename "$pack")"
work="${MGA_GPU_WORK:-${XDG_CACHE_HOME:-$HOME/.cache}/mga-ci/cuda}"
capability="${CUDA_COMPUTE_CAP:-90}"
largest=40000000
begin=$SECONDS
source scripts/cuda/toolkit.sh "$work" "$capability"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$cuda_work/target}"

# Both name the whole workspace, though not all of its tests are packed: naming crates would give their dependencies other
# features, and compile the kernels twice.
options=(--locked --release --workspace --features mga-cli/cuda,mga-cli/cudnn)
echo "== mga, with kernels for compute capability $capability"
cargo build "${options[@]}" --bin mga
echo "== tests"
tests="$(cargo test "${options[@]}" --no-run --message-format json --lib --test device |
    sed -n 's/.*"kind":\["\(lib\|test\)"\].*"name":"\([a-z_]*\)".*"executable":"\([^"]*\)".*/\2 \3/p')"

echo "== collected"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
root="$folder/mga-gpu"
mkdir -p "$root/bin" "$root/curand"
take() { # what is built, its name in the pack
    strip --strip-all -o "$root/bin/$2" "$1"
    printf '%-10s %4d MB, needs glibc %s\n' "$2" "$(($(stat -c %s "$root/bin/$2") / 1000000))" \
        "$(readelf --version-info "$1" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -n 1 | cut -d_ -f2)"
}
take "$CARGO_TARGET_DIR/release/mga" mga
while read -r name executable; do
    case "$name" in
        mga_core) take "$executable" operators ;; # every operator's gradient check
        mga_models) take "$executable" models ;;
        device) take "$executable" device ;; # convolutions, steps, fixtures
    esac
done <<<"$tests"
for program in operators models device; do
    test -x "$root/bin/$program" || { echo "pack.sh: cargo named no test binary for $program" >&2 && exit 1; }
done

# One folder a library, so that each can stand in alone. The toolkit's runtime is real.
for library in "$stubs"/lib*.so.* "$toolkit/lib/libcudart.so.13"; do
    name="$(basename "$library")"
    mkdir -p "$root/stand-ins/$name"
    strip --strip-unneeded -o "$root/stand-ins/$name/$name" "$library"
done
rm -r "$root/stand-ins/libcurand.so.10"
cc -O2 -shared -fPIC -Wl,-soname,libcurand.so.10 -o "$root/curand/libcurand.so.10" scripts/gpu/curand_stand_in.c
cp scripts/gpu/launch.sh scripts/gpu/libraries.py "$root/"
commit="$(git rev-parse HEAD)"
if [ -n "$(git status --porcelain --untracked-files=no)" ]; then
    commit="$commit and changes"
fi
cat >"$root/pack.json" <<JSON
{"commit": "$commit", "capability": "$capability", "features": ["cuda", "cudnn"], "nvcc": "13.0.88"}
JSON

echo "== it starts, on stand-ins"
MGA_GPU_STAND_INS=1 MGA_GPU_LIBRARIES=/nowhere "$root/launch.sh" mga --version
for program in operators models device; do
    MGA_GPU_STAND_INS=1 MGA_GPU_LIBRARIES=/nowhere "$root/launch.sh" "$program" --list | tail -n 1
done
echo "== and says what is missing, without"
if "$root/launch.sh" mga --version; then
    echo "there is a driver here"
fi

echo "== packed"
# One stream and a window larger than all of it: the programs have the same kernels in them.
tar --directory "$folder" --create --owner 0 --group 0 --sort name mga-gpu |
    xz --threads 1 --lzma2=preset=6,dict=512MiB >"$pack"
size="$(stat -c %s "$pack")"
echo "$pack: $size bytes, in $((SECONDS - begin)) seconds"
if [ "$size" -gt "$largest" ]; then
    echo "pack.sh: more than $largest bytes: it could not be carried with the tree" >&2
    exit 1
fi
