#!/usr/bin/env bash
# Opens a report's page in headless Chromium and uses it as a reader does (check_page.py says what is checked): the page of
# the tests' sweep, or the report of a sweep that is given. Leaves pictures of the page.
#
#   scripts/report/chromium.sh [SWEEP]
#
# Needs Rust and Python; installs Debian's `chromium` where it is missing (as root). Screenshots: target/report-screenshots.
set -euo pipefail
cd "$(dirname "$0")/../.."

if ! command -v "${CHROMIUM:-chromium}" >/dev/null; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "chromium is missing: install it (Debian: apt-get install chromium), or say where it is with CHROMIUM=PATH" >&2
        exit 1
    fi
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core
fi

target="${CARGO_TARGET_DIR:-$PWD/target}"
screenshots="$target/report-screenshots"
mkdir -p "$screenshots"
if [ $# -ge 1 ]; then
    cargo build --release
    out="$(mktemp -d)"
    trap 'rm -rf "$out"' EXIT
    "$target/release/mga" report "$1" --out "$out" >/dev/null
    python3 scripts/report/check_page.py "$out/index.html" --screenshots "$screenshots"
else
    MGA_NEEDS_CHROMIUM=1 MGA_SCREENSHOTS="$screenshots" \
        cargo test --release --workspace --test all it_works_in_a_browser -- --nocapture
fi
echo "screenshots: $screenshots"
