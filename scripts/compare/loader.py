"""The loader against torchvision's DataLoader on the same files: decode, random crop 448, horizontal flip, normalise.

    python loader.py make FOLDER [--count 300]       # JPEGs of about 600 x 600, as PIL writes photographs
    python loader.py torch FOLDER [--workers 2]      # images a second of torchvision, a line of JSON
    python loader.py compare FOLDER --mga target/release/mga [--rounds 3]

`compare` runs both in turn, `--rounds` times, each in a process of its own, and prints a line a round. Needs torch,
torchvision, numpy and pillow.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import time


def make(folder, count):
    """Pictures with the spectrum of photographs (amplitude falling with frequency), quality 90, 4:2:0."""
    import numpy as np
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        random = np.random.default_rng(index)
        height, width = random.integers(560, 641, 2)
        fy, fx = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :]
        amplitude = 1 / np.maximum(np.hypot(fy, fx), 1 / 600) ** 1.4
        luma, *chroma = [np.fft.irfft2(amplitude * np.exp(2j * np.pi * random.random(amplitude.shape)), (height, width)) for _ in range(3)]
        scale = lambda plane, spread: plane / plane.std() * spread
        planes = [scale(luma, 45) + 128] + [scale(plane, 12) + 128 for plane in chroma]
        pixels = np.clip(np.stack(planes, -1), 0, 255).astype(np.uint8)
        Image.fromarray(pixels, "YCbCr").convert("RGB").save(folder / f"{index:03}.jpg", quality=90)


class Images:
    def __init__(self, folder, size):
        from torchvision import transforms as t

        self.files = sorted(folder.glob("*.jpg"))
        self.transform = t.Compose([
            t.RandomCrop(size, pad_if_needed=True),
            t.RandomHorizontalFlip(),
            t.ToTensor(),
            t.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ])

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        from PIL import Image

        with Image.open(self.files[index]) as image:
            return self.transform(image.convert("RGB"))


def torch_rate(folder, size, batch, workers, epochs):
    import torch

    # One thread a worker, as DataLoader sets it, and workers that stay from epoch to epoch.
    loader = torch.utils.data.DataLoader(
        Images(folder, size), batch, shuffle=True, num_workers=workers, persistent_workers=True)
    rates = []
    for _ in range(epochs + 1):
        start, loaded = time.perf_counter(), 0
        for images in loader:
            loaded += len(images)
        rates.append(loaded / (time.perf_counter() - start))
    return {"work": "load", "size": size, "batch": batch, "workers": workers, "images": loaded, "epochs": epochs,
            "images_per_second": statistics.median(rates[1:]), "least": min(rates[1:]), "greatest": max(rates[1:]),
            "torch": torch.__version__}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", choices=["make", "torch", "compare"])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--size", type=int, default=448)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mga", default="target/release/mga")
    args = parser.parse_args()
    if args.work == "make":
        make(args.folder, args.count)
    elif args.work == "torch":
        print(json.dumps(torch_rate(args.folder, args.size, args.batch, args.workers, args.epochs)))
    else:
        common = ["--size", args.size, "--batch", args.batch, "--epochs", args.epochs]
        ours = [args.mga, "bench", "load", "--images", args.folder, "--threads", args.workers, "--json", *common]
        theirs = [sys.executable, __file__, "torch", args.folder, "--workers", args.workers, *common]
        ratios = []
        for _ in range(args.rounds):
            a, b = (json.loads(subprocess.check_output([str(part) for part in command])) for command in (ours, theirs))
            ratios.append(a["images_per_second"] / b["images_per_second"])
            print(f"mga {a['images_per_second']:7.1f}  torchvision {b['images_per_second']:7.1f}  ratio {ratios[-1]:.2f}", flush=True)
        print(f"median ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
