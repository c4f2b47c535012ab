#!/usr/bin/env bash
# A sweep as a job array on a real SLURM of two nodes: a run that is longer than its time limit is saved, requeued and
# goes on; one whose process is killed fails and is submitted again; one that is cancelled is saved and submitted again;
# what is queued is not submitted twice. In the end every number is that of a local sweep of the same file.
#
#   scripts/slurm/sweep.sh
#
# About ten minutes on two idle cores. How fast the machine is has no say: a run that has to come to its time limit is
# stopped on its way (SIGSTOP), and goes on when the limit's signal waits for it; one that is to be killed or cancelled is
# stopped until that is done. MGA: the program's file (default: built with cargo). See with_cluster.sh for what is installed
# and how the cluster is taken down.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
repository=$(cd "$here/../.." && pwd)

if [ "${1:-}" != inside ]; then
    if [ -z "${MGA:-}" ]; then
        cargo build --release --quiet --manifest-path "$repository/Cargo.toml"
        MGA=$repository/target/release/mga
    fi
    MGA=$(realpath "$MGA")
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    MGA=$MGA WORK=$work MGA_CACHE=$work/cache "$here/with_cluster.sh" "$0" inside
    left=$(pgrep -f -- "$work" || true)
    [ -z "$left" ] || { echo "left running: $left" >&2; exit 1; }
    exit
fi

cd "$WORK"
cat >base.toml <<'TOML'
task = "classification"
device = "cpu"
threads = 1
[data]
dataset = "leaves"
train_per_class = 10
test_per_class = 4
size = 48
batch_size = 10
workers = 1
validation = { per_class = 2 }
train = { transforms = [{ op = "horizontal-flip", p = 0.5 }] }
[model]
backbone = "conv4"
attention = "residual"
[optimiser]
name = "adamw"
learning_rate = 1e-3
[schedule]
name = "cosine"
epochs = 2
[train]
checkpoint_every = 5
log_every = 1
TOML
# 2000 steps, each a line of the log: a long run is found, and stopped, long before its end.
cat >sweep.toml <<TOML
name = "cluster"
base = "base.toml"
baseline = "short"
[axes]
seed = [1, 2]
[variants.short]
[variants.long]
"schedule.epochs" = 200
[launcher]
partition = "main"
time = "2"
cpus = 1
memory = "500M"
concurrent = 4
save_before = 10
TOML

say() { echo "--- $*"; }
die() { echo "FAILED: $*" >&2; exit 1; }
sweep() { "$MGA" sweep sweep.toml --out cluster --launcher slurm "$@"; }
# A sweep's line has to hold this text.
expect() {
    local text=$1
    shift
    local said
    said=$(sweep "$@" 2>&1)
    sed 's/^/    /' <<<"$said"
    grep -qF -- "$text" <<<"$said" || die "expected: $text"
}
# Waits up to so many seconds for a condition.
wait_for() {
    local seconds=$1 what=$2
    shift 2
    for _ in $(seq $((seconds * 5))); do
        if "$@"; then return 0; fi
        sleep 0.2
    done
    squeue
    tail -n 5 cluster/slurm/log-* cluster/runs/*/log.txt || true
    # A process that stands still would not end with the cluster.
    for run in cluster/runs/*; do signal CONT "$run" 2>/dev/null || true; done
    die "waited $seconds seconds for: $what"
}
run_of() { echo cluster/runs/"$1"-*; }
field() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["'"$2"'"])' "$1/state.json"; }
lines() { cat "$1/metrics.jsonl" 2>/dev/null | wc -l; }
has_lines() { [ "$(lines "$1")" -ge "$2" ]; }
is() { [ "$(field "$1" state)" = "$2" ]; }
logged() { grep -qsF -- "$1" cluster/slurm/log-*; }
process() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["process"]["id"])' "$1/state.json"; }
signal() { kill "-$1" "$(process "$2")"; }
stands_still() { grep -q '^State:[[:space:]]*T' "/proc/$(process "$1")/status"; }
# Whether SIGTERM was sent to the process of a run, which stands still and has not taken it yet.
is_told_to_end() {
    local waiting
    for waiting in $(awk '/^(Sig|Shd)Pnd:/ { print $2 }' "/proc/$(process "$1")/status"); do
        if ((0x$waiting >> 14 & 1)); then return 0; fi
    done
    return 1
}
# Stops a run when its log has so many lines, and sees that it has not come to its end.
stop() {
    local run=$1 count=$2
    wait_for 300 "$run to train" has_lines "$run" "$count"
    is "$run" running || die "$run ended before it was stopped"
    signal STOP "$run"
    wait_for 10 "$run to stand still" stands_still "$run"
}
ended() { [ -z "$(squeue --noheader)" ]; }
# The task of the queue that runs this run, as JOB_INDEX.
task_of() {
    sweep --dry-run --json | python3 -c '
import json, sys
for line in map(json.loads, sys.stdin):
    if line["key"].startswith(sys.argv[1]) and line["task"]:
        print("{job}_{index}".format(**line["task"]))' "$1"
}

say "$(sinfo --version): two nodes"
sinfo
say "written, and not submitted"
sweep --emit 2>&1 | sed 's/^/    /'
ended || die "--emit submitted something"
say "submitted"
expect "4 to submit"
job=$(squeue --noheader --array --format=%F | sort -u)
[ "$(wc -l <<<"$job")" = 1 ] || die "expected one job array, found: $job"
say "what is queued is not submitted again"
expect "0 to submit"

limited=$(run_of long.seed-1)
stop "$limited" 30
victim=$(run_of long.seed-2)
stop "$victim" 30
signal KILL "$victim"
say "killed the process of long.seed-2 at $(lines "$victim") lines of its log"
wait_for 300 "long.seed-2 to have failed" is "$victim" failed
echo "    $(field "$victim" error)"
wait_for 300 "long.seed-1 to come to its time limit" is_told_to_end "$limited"
signal CONT "$limited"
wait_for 300 "long.seed-1 to be saved" logged "at its time limit; saved, and back into the queue"
say "long.seed-1 came to its time limit, and was requeued:"
squeue --array --format='    %.12i %.10T %.20S %R'
wait_for 300 "its second start" logged "start 2: long.seed-1"
say "it goes on; a failed run is submitted again when asked"
expect "--retry"
expect "1 to submit" --retry
wait_for 300 "long.seed-2 to train again" is "$victim" running
stop "$victim" $(($(lines "$victim") + 30))
task=$(task_of long.seed-2)
# SLURM has it go on (SIGCONT) before it is told to end.
scancel "$task"
say "cancelled $task, long.seed-2, at $(lines "$victim") lines"
wait_for 300 "long.seed-2 to be saved" is "$victim" interrupted
wait_for 300 "the task to leave the queue" eval '[ -z "$(task_of long.seed-2)" ]'
say "submitted again: it goes on from there"
expect "1 to submit"
wait_for 1800 "all tasks to end" ended

say "where each run stands"
sweep --dry-run | sed 's/^/    /'
expect "4 finished"
for run in cluster/runs/*; do echo "    $(basename "$run"): $(field "$run" attempts) attempts"; done
[ "$(field "$victim" attempts)" -ge 3 ] || die "long.seed-2 was killed and cancelled, and is said to have started less often"
[ "$(field "$limited" attempts)" -ge 2 ] || die "long.seed-1 was requeued, and is said to have started once"
say "jobs:"
cat cluster/slurm/jobs.json
say "tasks:"
cat cluster/slurm/log-* | sed 's/^/    /'

say "the same sweep on this machine"
"$MGA" sweep sweep.toml --out local --jobs 2 --quiet 2>&1 | sed 's/^/    /'
"$MGA" results list cluster
for folder in cluster local; do "$MGA" results export $folder --csv $folder.csv >/dev/null; done
python3 - <<'PYTHON'
import csv, json, pathlib

tables = [{row["key"]: row for row in csv.DictReader(open(f"{name}.csv"))} for name in ("cluster", "local")]
# What tells of time, place and attempts.
other = ("seconds", "training_seconds", "folder", "attempts")
columns = [name for name in next(iter(tables[1].values())) if name not in other and not name.startswith("environment.")]
assert tables[0].keys() == tables[1].keys() and len(tables[0]) == 4
values = 0
for key, row in tables[1].items():
    for name in columns:
        assert tables[0][key][name] == row[name], (key, name, tables[0][key][name], row[name])
        values += 1
    predictions = [(pathlib.Path(name) / "runs" / key / "predictions.csv").read_bytes() for name in ("cluster", "local")]
    assert predictions[0] == predictions[1], key
    logs = []
    for name in ("cluster", "local"):
        lines = (pathlib.Path(name) / "runs" / key / "metrics.jsonl").read_text().splitlines()
        logs.append([{k: v for k, v in json.loads(line).items() if k != "images_per_second"} for line in lines])
    assert logs[0] == logs[1], f"{key}: other steps"
    steps = [line["step"] for line in logs[0] if line["kind"] == "step"]
    assert steps == sorted(set(steps)), f"{key}: a step twice"
print(f"{len(tables[0])} runs agree with those of the local sweep: {values} values, all predictions, every step")
PYTHON
say "passed"
