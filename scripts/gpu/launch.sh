#!/usr/bin/env bash
# Starts a program of the pack with the NVIDIA libraries that this machine has. Without them it would die with a message of
# the linker, so what is missing is said here first.
#
#   launch.sh PROGRAM [ARGUMENT...]     # mga, operators, models, device
#
# Needs Python 3. MGA_GPU_STAND_INS=1 starts it without driver or libraries too, for the CPU alone.
set -euo pipefail
pack="$(cd "$(dirname "$0")" && pwd)"
program="${1:?the program to start: $(cd "$pack/bin" && echo *)}"
shift
options=(--pack "$pack")
if [ "${MGA_GPU_STAND_INS:-0}" = 1 ]; then
    options+=(--stand-ins)
fi
libraries="$("${PYTHON:-python3}" "$pack/libraries.py" "${options[@]}")"
export LD_LIBRARY_PATH="$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
exec "$pack/bin/$program" "$@"
