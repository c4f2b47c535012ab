#!/usr/bin/env bash
# mga-core's tests under AddressSanitizer: every kernel with `unsafe` in it, on the odd sizes of the gradient checks.
#
#   scripts/address_sanitizer.sh [TEST_NAME_FILTER]
#
# Reads and writes outside an allocation, use after free and leaks end the run. The sanitizer is a flag of unstable Rust
# that RUSTC_BOOTSTRAP allows on a stable compiler; x86-64 Linux. Everything is compiled anew in a target folder of its
# own (MGA_ASAN_TARGET), a few minutes the first time. Inline assembly is not instrumented.
set -euo pipefail
cd "$(dirname "$0")/.."
target="${MGA_ASAN_TARGET:-${XDG_CACHE_HOME:-$HOME/.cache}/mga-ci/target-asan}"

# Named so that build scripts and procedural macros stay free of the sanitizer.
host=x86_64-unknown-linux-gnu
env RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Zsanitizer=address" RUST_BACKTRACE=1 CARGO_TARGET_DIR="$target" \
    ASAN_OPTIONS="${ASAN_OPTIONS:-detect_stack_use_after_return=1:strict_string_checks=1}" \
    "${CARGO:-cargo}" test --locked --release -p mga-core --lib --tests --target "$host" -- "$@"
