"""Single layers in PyTorch against the benches of mga-core: median milliseconds forward and backward, and their ratio.

    cargo bench -p mga-core --bench depthwise && cargo bench -p mga-core --bench max_pool
    OMP_WAIT_POLICY=PASSIVE python scripts/compare/layers.py [--only depthwise] [--criterion target/criterion]

Both use two threads and allocate their results. The benches keep freed memory in the process, as `mga` does. PyTorch gives
large blocks back to the system, and pays for fresh pages in every call, unless glibc is told to keep them:
`MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=100000000000 MALLOC_TOP_PAD_=67108864`. Backward is the gradient of the input and,
where there is one, of the weight. Layers whose bench has not run are left out.
"""

import argparse
import json
import pathlib
import statistics
import time

import torch
import torch.nn.functional as F

BATCH = 8
DEPTHWISE = [(32, 112, 1), (96, 112, 2), (144, 56, 1), (144, 56, 2), (192, 28, 1), (384, 14, 1), (576, 14, 1),
             (576, 14, 2), (960, 7, 1)]
CONVOLUTIONS = [("stem7x7 3-64@224", 3, 224, 64, 7, 2), ("3x3 64-64@56", 64, 56, 64, 3, 1),
                ("3x3 192-48@28", 192, 28, 48, 3, 1), ("3x3 512-512@7", 512, 7, 512, 3, 1),
                ("1x1 256-192@28", 256, 28, 192, 1, 1), ("1x1 1024-512@7", 1024, 7, 512, 1, 1)]
POOLS = [(64, 112, 3, 1), (64, 224, 2, 0), (256, 56, 2, 0)]


def convolution(channels, side, outputs, kernel, stride, groups):
    x, w = torch.randn(BATCH, channels, side, side), torch.randn(outputs, channels // groups, kernel, kernel)
    padding = kernel // 2
    forward = lambda: F.conv2d(x, w, None, stride, padding, 1, groups)
    dy = torch.randn_like(forward())
    backward = lambda: torch.ops.aten.convolution_backward(
        dy, x, w, None, [stride] * 2, [padding] * 2, [1, 1], False, [0, 0], groups, [True, True, False])
    return forward, backward


def pool(channels, side, kernel, padding):
    x = torch.randn(BATCH, channels, side, side)
    forward = lambda: F.max_pool2d(x, kernel, 2, padding, return_indices=True)
    y, winners = forward()
    dy = torch.randn_like(y)
    backward = lambda: torch.ops.aten.max_pool2d_with_indices_backward(
        dy, x, [kernel] * 2, [2, 2], [padding] * 2, [1, 1], False, winners)
    return forward, backward


def layers():
    for channels, side, stride in DEPTHWISE:
        yield f"depthwise/{channels}@{side} s{stride}", convolution(channels, side, channels, 3, stride, channels)
    for channels, side, kernel, padding in POOLS:
        yield f"max_pool/{channels}@{side} k{kernel}", pool(channels, side, kernel, padding)
    for name, channels, side, outputs, kernel, stride in CONVOLUTIONS:
        yield f"convolution/{name}", convolution(channels, side, outputs, kernel, stride, 1)


def median_ms(call, least=20, seconds=0.4):
    for _ in range(3):
        call()
    times, start = [], time.perf_counter()
    while len(times) < least or time.perf_counter() - start < seconds:
        before = time.perf_counter()
        call()
        times.append((time.perf_counter() - before) * 1e3)
    return statistics.median(times)


def ours_ms(root, name):
    # Criterion replaces what a file name cannot hold.
    file = root / name.replace("/", "_") / "new" / "estimates.json"
    return json.loads(file.read_text())["median"]["point_estimate"] / 1e6 if file.exists() else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="layers whose name contains this")
    parser.add_argument("--criterion", type=pathlib.Path, default=pathlib.Path("target/criterion"))
    args = parser.parse_args()
    torch.set_num_threads(2)
    print(f"| layer, batch {BATCH} | forward: mga, torch (ms) | ratio | backward: mga, torch (ms) | ratio |\n| --- | --- | --- | --- | --- |")
    with torch.no_grad():
        for name, (forward, backward) in layers():
            ours = [ours_ms(args.criterion, f"{name}/{way}") for way in ("forward", "backward")]
            if args.only not in name or None in ours:
                continue
            cells = [f"{a:.2f}, {b:.2f} | {a / b:.2f}" for a, b in zip(ours, map(median_ms, (forward, backward)))]
            print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
