#!/usr/bin/env bash
# Checks mga-core for aarch64 with clippy: the portable kernels, and none of x86-64's. Nothing is linked or run.
#
#   scripts/aarch64.sh
#
# Needs Rust by rustup; adds the target to it. A target folder of its own (MGA_AARCH64_TARGET).
set -euo pipefail
cd "$(dirname "$0")/.."
rustup target add aarch64-unknown-linux-gnu >/dev/null
CARGO_TARGET_DIR="${MGA_AARCH64_TARGET:-${XDG_CACHE_HOME:-$HOME/.cache}/mga-ci/target-aarch64}" \
    cargo clippy --locked --release -p mga-core --target aarch64-unknown-linux-gnu -- -D warnings
