#!/usr/bin/env python3
"""Writes the pictures that mga-data/src/transforms/eight_bit.rs is tested against: crops of two photographs, and what Pillow
makes of them.

    python3 -m venv /tmp/resizing && /tmp/resizing/bin/pip install pillow scikit-image
    /tmp/resizing/bin/python scripts/resizing/pillow.py

Photographs: scikit-image's `chelsea` (Stefan van der Walt) and `coffee` (Rachel Michetti), both CC0.
"""

import pathlib

from PIL import Image
from skimage import data

FOLDER = pathlib.Path(__file__).parents[2] / "mga-data/src/transforms/pillow"
FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
SOURCES = {"cat": (data.chelsea, (120, 60, 250, 155)), "coffee": (data.coffee, (150, 80, 270, 170))}
RESIZED = {
    "cat": [("bilinear", 64, 47), ("bicubic", 64, 47), ("lanczos", 64, 47), ("bicubic", 40, 100)],
    "coffee": [("bilinear", 31, 100), ("bicubic", 48, 36), ("bicubic", 144, 108)],
}


def save(image, name):
    image.save(FOLDER / f"{name}.png", optimize=True)


FOLDER.mkdir(exist_ok=True)
for name, (photograph, box) in SOURCES.items():
    source = Image.fromarray(photograph()).crop(box)
    save(source, name)
    for filter, width, height in RESIZED[name]:
        save(source.resize((width, height), FILTERS[filter]), f"{name}-{filter}-{width}x{height}")
