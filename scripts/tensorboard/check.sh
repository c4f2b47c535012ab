#!/usr/bin/env bash
# TensorBoard's own reader opens the event file of a run, and finds in it what metrics.jsonl says: every number, once.
# Fails where they differ.
#
#   scripts/tensorboard/check.sh [RUN]
#
# Without RUN a small one is trained, killed in its second epoch, and resumed. PYTHON: a Python that has tensorboard
# (default: one made in a temporary folder from PyPI). MGA: the program (default: cargo run --release).
set -euo pipefail

repository=$(cd "$(dirname "$0")/../.." && pwd)
mga=${MGA:-cargo run --release --quiet --manifest-path $repository/Cargo.toml --}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -z "${PYTHON:-}" ]; then
    python3 -m venv "$work/venv"
    PYTHON=$work/venv/bin/python
    "$PYTHON" -m pip install --quiet tensorboard
fi

run=${1:-$work/run}
if [ $# -eq 0 ]; then
    cat >"$work/small.toml" <<'TOML'
task = "classification"
seed = 3
device = "cpu"
[data]
dataset = "leaves"
train_per_class = 8
test_per_class = 2
size = 48
batch_size = 8
validation = { per_class = 2 }
[model]
backbone = "conv4"
attention = "residual"
[optimiser]
name = "adamw"
learning_rate = 1e-3
[schedule]
epochs = 6
[train]
checkpoint_every = 5
log_every = 1
TOML
    $mga train "$work/small.toml" --out "$run" --quiet &
    training=$!
    # The program itself, which may run under cargo.
    program() { pgrep -n -f "train $work/small.toml"; }
    lines() { wc -l 2>/dev/null <"$run/metrics.jsonl" || echo 0; }
    # An epoch has 8 or fewer steps, their means and an evaluation.
    while [ "$(lines)" -lt 13 ] && kill -0 "$training" 2>/dev/null; do sleep 0.02; done
    kill -KILL "$(program)"
    wait "$training" 2>/dev/null || true
    [ ! -e "$run/summary.json" ] || { echo "the run was over before it could be killed" >&2; exit 1; }
    echo "killed at $(lines) lines of metrics.jsonl; resumed"
    $mga train --resume "$run" --quiet
fi

"$PYTHON" - "$run" <<'PYTHON'
import json, math, pathlib, sys
from collections import defaultdict

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

run = pathlib.Path(sys.argv[1])
files = list(run.glob("events.out.tfevents.*"))
assert len(files) == 1, files
expected, step = defaultdict(list), 0
lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
for line in lines:
    step = line.get("step", step)
    group = line.get("split", "epoch" if line["kind"] == "epoch" else "train")
    for key, value in line.items():
        if isinstance(value, (int, float)) and key not in ("step", "epoch"):
            expected[f"{group}/{key}"].append((step, value))

events = EventAccumulator(str(run), size_guidance={"tensors": 0, "scalars": 0})
events.Reload()
tags = events.Tags()["scalars"]
assert sorted(tags) == sorted(expected), (sorted(tags), sorted(expected))
for tag in tags:
    read = [(event.step, event.value) for event in events.Scalars(tag)]
    assert len(read) == len(expected[tag]), (tag, len(read), len(expected[tag]))
    for (step, value), (expected_step, expected_value) in zip(read, expected[tag], strict=True):
        assert step == expected_step, (tag, step, expected_step)
        assert math.isclose(value, expected_value, rel_tol=1e-6, abs_tol=1e-30), (tag, step, value, expected_value)
    steps = [step for step, _ in read]
    assert steps == sorted(set(steps)), f"{tag}: a step twice"
    times = [event.wall_time for event in events.Scalars(tag)]
    assert times == sorted(times), f"{tag}: times go back"
    print(f"{tag:<32} {len(read):4} values, steps {steps[0]} to {steps[-1]}, last {read[-1][1]:.6g}")
print(f"{len(tags)} scalars agree with the {len(lines)} lines of metrics.jsonl")
PYTHON
