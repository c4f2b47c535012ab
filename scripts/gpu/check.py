"""The steps of check.sh, one after the other; see there."""

import argparse
import json
import os
import sys
import time

import bits
import machine
import rows
import setting
import steps_compared
import tests
import training

# What is done, the module that does it, and when it has to be over, in seconds from the start.
STEPS = {
    1: ("card, driver, libraries", machine, 30),
    2: ("operators on the device", tests, 150),
    3: ("equal bits", bits, 205),
    4: ("training from JPEGs", training, 360),
    5: ("time and memory beside PyTorch", steps_compared, 470),
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--cpu", action="store_true")
    parser.add_argument("--pack", required=True, help="the unpacked pack")
    parser.add_argument("--work", required=True, help="a folder for what is gone at the end")
    parser.add_argument("--out", required=True)
    parser.add_argument("--only", type=int, action="append")
    args = parser.parse_args()
    tree = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    with open(os.path.join(args.pack, "pack.json")) as file:
        about = {"pack": json.load(file), "device": "cpu" if args.cpu else "cuda:0"}
    found = rows.Rows(os.path.join(args.out, "check.json"), about)
    began = time.time()
    for number, (what, module, end) in STEPS.items():
        if args.only and number not in args.only:
            continue
        print(f"== {number}. {what}", flush=True)
        here = setting.Setting(args.cpu, args.pack, args.work, args.out, tree, began + end)
        found.guarded(number, what, lambda: module.check(here, found))
    table = found.table()
    with open(os.path.join(args.out, "check.md"), "w") as file:
        file.write(table + "\n")
    failed = len(found.failed())
    print(f"\n{table}\n\n{failed} of {len(found.rows)} rows failed, {time.time() - began:.0f} seconds; {found.file}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
