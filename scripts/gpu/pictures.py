"""Makes a data set of JPEGs: gratings whose direction is the class, with noise, of about 600 x 600 pixels.

    python pictures.py FOLDER [--per-class 60] [--classes 10] [--side 600]

Needs torch, and Pillow or torchvision to write JPEGs. Folders: FOLDER/{train,test}/CLASS/NUMBER.jpg.
"""

import argparse
import math
import os

import torch


def picture(side, direction, generator):
    """`[3, side, side]` bytes."""
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    period = 12 + 12 * torch.rand(1, generator=generator)
    shift = 6.3 * torch.rand(3, 1, 1, generator=generator)
    along = x * math.cos(direction) + y * math.sin(direction)
    waves = torch.sin(along / period * 2 * math.pi + shift)
    noise = torch.rand(3, side // 4 + 1, side // 4 + 1, generator=generator).repeat_interleave(4, 1)
    noise = noise.repeat_interleave(4, 2)[:, :side, :side]
    return (128 + 50 * waves + 60 * (noise - 0.5)).clamp(0, 255).to(torch.uint8)


def write(pixels, path):
    try:
        from PIL import Image
    except ImportError:
        from torchvision.io import write_jpeg

        write_jpeg(pixels, path, quality=90)
        return
    height, width = pixels.shape[1:]
    Image.frombytes("RGB", (width, height), pixels.permute(1, 2, 0).contiguous().numpy().tobytes()).save(path, quality=90)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--per-class", type=int, default=60)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--side", type=int, default=600)
    args = parser.parse_args()
    generator = torch.Generator().manual_seed(1)
    for part, count in [("train", args.per_class), ("test", max(1, args.per_class // 10))]:
        for kind in range(args.classes):
            folder = os.path.join(args.folder, part, f"direction-{kind}")
            os.makedirs(folder, exist_ok=True)
            for number in range(count):
                side = int(args.side * (0.9 + 0.2 * torch.rand(1, generator=generator).item()))
                direction = math.pi * kind / args.classes
                write(picture(side, direction, generator), os.path.join(folder, f"{number:03}.jpg"))


if __name__ == "__main__":
    main()
