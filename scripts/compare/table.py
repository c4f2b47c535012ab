"""Times `mga bench` and PyTorch (step.py) in turn, and prints the table of docs/performance.md.

    python table.py --mga ../../target/release/mga [--rounds 3] [--only train-resnet18]

Each round runs one process of each program per row, one after the other. A row's ratio is the median over the rounds of
(mga's median step / PyTorch's median step of the same round). Needs what step.py needs.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

ROWS = {
    "train-densenet161-448": "train --backbone densenet161 --size 448 --batch 2 --freeze-through transition2 --attention residual",
    "train-densenet161": "train --backbone densenet161 --batch 4",
    "train-resnet50": "train --backbone resnet50 --batch 8",
    "train-resnet18": "train --backbone resnet18 --batch 8",
    "train-mobilenet_v2": "train --backbone mobilenet_v2 --batch 8",
    "train-vgg19": "train --backbone vgg19 --batch 4",
    "infer-resnet50": "infer --backbone resnet50 --batch 8",
    "infer-densenet161": "infer --backbone densenet161 --batch 4",
    "infer-mobilenet_v2": "infer --backbone mobilenet_v2 --batch 8",
    "infer-densenet161-448": "infer --backbone densenet161 --size 448 --batch 1",
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mga", required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", default="2")
    parser.add_argument("--seconds", default="5")
    parser.add_argument("--steps", default="5")
    parser.add_argument("--only", action="append", help="a row's name; may be repeated")
    args = parser.parse_args()
    step = os.path.join(os.path.dirname(os.path.abspath(__file__)), "step.py")
    common = ["--threads", args.threads, "--seconds", args.seconds, "--steps", args.steps]
    environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"}

    def run(command):
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
        return json.loads(done.stdout.splitlines()[-1])

    rows = {name: row for name, row in ROWS.items() if not args.only or name in args.only}
    pairs = {name: [] for name in rows}
    loads = []
    for number in range(args.rounds):
        for name, row in rows.items():
            loads.append(os.getloadavg()[0])
            theirs = run([sys.executable, step, *row.split(), *common])
            ours = run([args.mga, "bench", *row.split(), *common, "--json"])
            pairs[name].append((ours, theirs))
            print(f"round {number + 1} {name}: {ours['median_ms']:.0f} / {theirs['median_ms']:.0f} ms, "
                  f"{ours['peak_memory_mib']:.0f} / {theirs['peak_memory_mib']:.0f} MiB", file=sys.stderr, flush=True)
    print(f"{args.rounds} rounds, {args.threads} threads, PyTorch {theirs['torch']}, load before a pair {min(loads):.1f} to {max(loads):.1f}")
    print("| work | mga, ms | PyTorch, ms | time ratio (rounds) | mga, MiB | PyTorch, MiB | memory ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, found in pairs.items():
        ratios = sorted(ours["median_ms"] / theirs["median_ms"] for ours, theirs in found)
        middle = lambda key, side: statistics.median(pair[side][key] for pair in found)
        memory = statistics.median(ours["peak_memory_mib"] / theirs["peak_memory_mib"] for ours, theirs in found)
        print(f"| `{rows[name]}` | {middle('median_ms', 0):.0f} | {middle('median_ms', 1):.0f} "
              f"| {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}) "
              f"| {middle('peak_memory_mib', 0):.0f} | {middle('peak_memory_mib', 1):.0f} | {memory:.2f} |")


if __name__ == "__main__":
    main()
