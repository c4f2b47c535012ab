"""The exact transport solver of `mga` against SciPy's linear programmes (HiGHS) and OpenCV's `cv2.EMD`, in one run.

    pip install numpy scipy safetensors opencv-python-headless
    cargo build --release
    python scripts/compare/transport.py [--mga target/release/mga] [--problems 1000] [--json]

Part 1 compares costs: random, tied and degenerate problems of many sizes, each solved as a linear programme. Part 2 times
problems of 25 x 25 nodes on one core: `mga bench transport --threads 1` and `cv2.EMD` in turn, five times each; what counts
is the median of the five. `cv2.EMD` works in float32 and `mga` in float64. Fails if a cost is farther from the linear
programme's than 1e-9, relative to the largest cost times all that flows, or if `mga` is not twice as fast.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import cv2
import numpy as np
from safetensors.numpy import save_file
from scipy.optimize import linprog
from scipy.sparse import eye, kron, vstack

SIZES = [(1, 1), (1, 7), (6, 1), (2, 2), (3, 5), (8, 8), (12, 9), (25, 25), (10, 40)]
TOLERANCE = 1e-9


def least_cost(cost, supply, demand):
    """The cost of the optimal flow, as a linear programme."""
    n, m = cost.shape
    sums = vstack([kron(eye(n), np.ones((1, m))), kron(np.ones((1, n)), eye(m))], format="csr")
    # One row follows from the others; sums that differ by rounding would make the programme infeasible.
    solved = linprog(cost.ravel(), A_eq=sums[:-1], b_eq=np.concatenate([supply, demand])[:-1], bounds=(0, None),
                     method="highs", options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10})
    assert solved.success, solved.message
    return solved.fun


def scaled(weights, total):
    return weights * (total / weights.sum(-1, keepdims=True))


def problems(kind, count, n, m, rng):
    """Problems of one kind: costs [count, n, m], supplies [count, n], demands [count, m]."""
    if kind == "random":
        supply, demand = scaled(rng.random((count, n)) + 1e-3, n), scaled(rng.random((count, m)) + 1e-3, n)
        return rng.random((count, n, m)), supply, demand
    if kind == "tied":
        # Few distinct costs, also negative; whole weights, of which some are 0.
        supply = rng.integers(0, 4, (count, n)).astype(float)
        demand = np.stack([np.bincount(rng.integers(0, m, int(s.sum())), minlength=m) for s in supply]).astype(float)
        return rng.integers(-1, 3, (count, n, m)).astype(float), supply, demand
    # Every basis is degenerate: equal weights, and costs of three values.
    cost = rng.integers(0, 3, (count, n, m)).astype(float)
    return cost, np.ones((count, n)), np.full((count, m), n / m)


def features(count, nodes, rng):
    """Problems as DeepEMD has them: one minus the cosine of nodes that share a direction."""
    def unit():
        x = rng.standard_normal((count, nodes, 64)) + rng.standard_normal((count, 1, 64))
        return x / np.linalg.norm(x, axis=-1, keepdims=True)
    weights = [scaled(rng.random((count, nodes)) + 1e-3, nodes) for _ in range(2)]
    return 1 - unit() @ unit().transpose(0, 2, 1), *weights


def bench(mga, folder, batch, seconds):
    file = str(folder / "problems.safetensors")
    save_file(dict(zip(("cost", "supply", "demand"), map(np.ascontiguousarray, batch))), file)
    command = [mga, "bench", "transport", "--file", file, "--threads", "1", "--seconds", str(seconds), "--json"]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def compare_costs(mga, folder, count, rng):
    rows = []
    for kind in ("random", "tied", "degenerate"):
        worst, solved = 0.0, 0
        for n, m in SIZES:
            batch = problems(kind, max(1, count // len(SIZES)), n, m, rng)
            costs = bench(mga, folder, batch, 0)["costs"]
            for found, cost, supply, demand in zip(costs, *batch):
                scale = max(np.abs(cost).max() * supply.sum(), 1e-300)
                worst = max(worst, abs(found - least_cost(cost, supply, demand)) / scale)
            solved += len(costs)
        rows.append({"kind": kind, "problems": solved, "worst": worst})
    return rows


def compare_times(mga, folder, nodes, rng):
    cv2.setNumThreads(1)
    batch = features(500, nodes, rng)
    single = [x.astype(np.float32) for x in batch]
    ours, theirs = [], []
    for _ in range(5):
        ours.append(bench(mga, folder, batch, 0.3)["microseconds"])
        start = time.perf_counter()
        found = [cv2.EMD(supply[:, None], demand[:, None], cv2.DIST_USER, cost)[0] * nodes
                 for cost, supply, demand in zip(*single)]
        theirs.append((time.perf_counter() - start) / len(found) * 1e6)
    costs = np.array(bench(mga, folder, batch, 0)["costs"])
    ours, theirs = statistics.median(ours), statistics.median(theirs)
    apart = float(np.abs(np.array(found) - costs).max() / nodes)
    return {"nodes": nodes, "mga": ours, "opencv": theirs, "times": theirs / ours, "opencv_apart": apart}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mga", default="target/release/mga")
    parser.add_argument("--problems", type=int, default=1000, help="problems of each kind in part 1")
    parser.add_argument("--json", action="store_true")
    a = parser.parse_args()
    rng = np.random.default_rng(213)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        costs = compare_costs(a.mga, folder, a.problems, rng)
        times = compare_times(a.mga, folder, 25, rng)
    if a.json:
        print(json.dumps({"costs": costs, "times": times}))
    else:
        for row in costs:
            print(f"{row['kind']:<11}{row['problems']:>6} problems, farthest from the linear programme {row['worst']:.1e}")
        print(f"{times['nodes']} x {times['nodes']} on one core: mga {times['mga']:.1f} us, cv2.EMD {times['opencv']:.1f} us, "
              f"{times['times']:.1f} times as fast; cv2.EMD's costs are within {times['opencv_apart']:.1e}")
    wrong = [row["kind"] for row in costs if not row["worst"] <= TOLERANCE]
    if wrong or times["times"] < 2:
        sys.exit(f"costs differ: {', '.join(wrong)}" if wrong else "mga is not twice as fast")


if __name__ == "__main__":
    main()
