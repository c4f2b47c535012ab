#!/usr/bin/env python3
"""Compares the speed and the numbers of two builds of mga in pairs: training steps, loading, and a short quickstart.

    scripts/compare/versions.py BEFORE AFTER [--rounds 5] [--epochs 2] [--only NAME]

BEFORE and AFTER are the two programs. Each round runs both on the same work, one after the other, and the next round
in the other order, so a machine that gets slower or faster on the way tells on both alike. `step` is the fastest
training step, `image` the time of an image in the fastest epoch of loading; `cpu` is processor time (user and system)
of the whole process, which depends less on what else runs than time on the clock does. The quickstart's log and
weights must be equal to the bit. Prints a table in Markdown; the status is 1 where numbers differ. Needs Python alone.
"""

import argparse
import hashlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
STEPS = ["--threads", "2", "--seconds", "1", "--steps", "10", "--json"]
WORK = {
    "bench train resnet18": ["bench", "train", "--backbone", "resnet18", "--size", "64", "--batch", "8", *STEPS],
    "bench train densenet121": ["bench", "train", "--backbone", "densenet121", "--size", "64", "--batch", "4", *STEPS],
    "bench train mobilenet_v2": ["bench", "train", "--backbone", "mobilenet_v2", "--size", "96", "--batch", "8", *STEPS],
    "bench load": ["bench", "load", "--size", "224", "--epochs", "3", "--threads", "2", "--json"],
}
QUICKSTART = "quickstart"


def timed(command):
    """Runs a command; gives what it printed and its processor time in seconds."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, cwd=REPOSITORY)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            err.seek(0)
            raise SystemExit(f"{' '.join(map(str, command))}: status {process.returncode}\n{err.read()}")
        out.seek(0)
        return out.read(), usage.ru_utime + usage.ru_stime


def numbers(run):
    """What a run computed: its log without times, and the hash of its last weights' tensors."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    # Means over steps, which older programs do not log.
    lines = [line for line in lines if line["kind"] != "epoch"]
    for line in lines:
        line.pop("images_per_second", None)
    with open(run / "checkpoints/last.safetensors", "rb") as file:
        # The header holds times; the tensors come after it, at the offsets that it names.
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        header.pop("__metadata__", None)
        tensors = hashlib.sha256(json.dumps(header, sort_keys=True).encode() + file.read()).hexdigest()
    return lines, tensors


def measure(program, work, epochs, folder):
    """One run: its figures by name, and its numbers where it has any."""
    if work != QUICKSTART:
        printed, _ = timed([program, *WORK[work]])
        report = json.loads(printed.splitlines()[-1])
        # The processor time of `bench load` is that of making its images, too.
        return ({"step, ms": report["min_ms"]} if "min_ms" in report else {"image, ms": 1000 / report["greatest"]}), None
    run = pathlib.Path(folder) / "run"
    experiment = REPOSITORY / "experiments/quickstart.toml"
    _, cpu = timed([program, "train", experiment, "--set", f"schedule.epochs={epochs}", "--out", run, "--quiet"])
    return {"cpu, s": cpu}, numbers(run)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=pathlib.Path)
    parser.add_argument("after", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=2, help="of the quickstart")
    parser.add_argument("--only", action="append", help="a row's name; may be repeated")
    args = parser.parse_args()
    programs = [args.before.resolve(), args.after.resolve()]
    figures, differ = {}, set()
    for number in range(args.rounds):
        for work in [*WORK, QUICKSTART]:
            if args.only and work not in args.only:
                continue
            found = [None, None]
            for index in (0, 1) if number % 2 == 0 else (1, 0):
                with tempfile.TemporaryDirectory() as folder:
                    found[index] = measure(programs[index], work, args.epochs, folder)
            if found[0][1] != found[1][1]:
                differ.add(work)
            for name, before in found[0][0].items():
                after = found[1][0][name]
                figures.setdefault((work, name), []).append((before, after))
                print(f"round {number + 1}, {work}: {name} {before:.2f}, {after:.2f}", file=sys.stderr, flush=True)
    print(f"{args.rounds} rounds, load now {os.getloadavg()[0]:.1f}; median (fastest), and the ratio of each round's pair")
    print("| work | figure | before | after | after / before: median (range) |")
    print("| --- | --- | --- | --- | --- |")
    for (work, name), pairs in figures.items():
        sides = [f"{statistics.median(side):.2f} ({min(side):.2f})" for side in zip(*pairs)]
        ratios = [after / before for before, after in pairs]
        spread = f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"
        print(f"| {work} | {name} | {sides[0]} | {sides[1]} | {spread} |")
    for work in sorted(differ):
        print(f"{work}: the numbers differ", file=sys.stderr)
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
