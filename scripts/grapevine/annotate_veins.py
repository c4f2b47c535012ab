"""Annotates the veins of grapevine leaves as lines, by a rule, and writes the table of all other leaves.

    python scripts/grapevine/annotate_veins.py data/grapevine5 data/grapevine

Needs pillow, numpy and scikit-image. In the first three leaves of each class, veins are ridges, two to
three pixels wide (the filter of Sato et al. 1998), that are lighter and yellower than the blade around them, away from the
edge of the leaf; those that hold one strong pixel and are long enough are thinned and followed from junction to junction. The lines are written as
LabelMe line strips to OUT/annotations/CLASS/NAME.json, the annotated leaves to OUT/annotated.csv, all of them for training,
and the others to OUT/leaves.csv: no leaf that the segmenter learnt from is in a fold.
"""

import csv
import json
import pathlib
import sys

import numpy as np
from PIL import Image
from scipy import ndimage
from skimage.filters import apply_hysteresis_threshold, sato
from skimage.morphology import skeletonize

ANNOTATED = 3  # of each class
EDGE = 9  # pixels from the edge of the leaf that the rule leaves out
LOW, HIGH = 0.80, 0.96  # quantiles of the ridge filter inside the leaf
SHORTEST = 35  # pixels of a connected ridge


def ridges(path):
    """Returns the thinned veins, as a boolean array of the size of the picture."""
    pixels = np.asarray(Image.open(path).convert("RGBA"), dtype=np.float64) / 255
    red, green, leaf = pixels[..., 0], pixels[..., 1], pixels[..., 3] > 0.5
    # The light of the blade without the veins, so that a shaded half of a leaf counts as the other does.
    weight = ndimage.gaussian_filter(leaf.astype(float), 15) + 1e-6
    light = ndimage.gaussian_filter(np.where(leaf, green, 0), 15) / weight + 1e-3
    lighter = sato(np.where(leaf, green / light, 1), sigmas=(2, 3), black_ridges=False)
    # A vein is yellower than the blade, a fold of the blade is not.
    yellower = sato(np.where(leaf, red / np.maximum(green, 0.05), 0.8), sigmas=(2, 3), black_ridges=False)
    strength = np.sqrt(lighter * yellower)
    inside = ndimage.binary_erosion(leaf, iterations=EDGE)
    strength = np.where(inside, strength, 0)
    low, high = np.quantile(strength[inside], [LOW, HIGH])
    thin = skeletonize(apply_hysteresis_threshold(strength, low, high))
    label, count = ndimage.label(thin, structure=np.ones((3, 3)))
    sizes = ndimage.sum(thin, label, range(1, count + 1))
    return np.isin(label, 1 + np.flatnonzero(sizes >= SHORTEST))


def strips(thin):
    """Follows thinned lines from ends and junctions, and returns lists of (x, y)."""
    points = set(map(tuple, np.argwhere(thin)))
    around = [(-1, 0), (0, -1), (0, 1), (1, 0), (-1, -1), (-1, 1), (1, -1), (1, 1)]
    beside = {p: [(p[0] + a, p[1] + b) for a, b in around if (p[0] + a, p[1] + b) in points] for p in sorted(points)}
    walked, lines = set(), []
    for start in sorted(beside, key=lambda p: (len(beside[p]) == 2, p)):
        for following in beside[start]:
            if frozenset((start, following)) in walked:
                continue
            line, before, here = [start], start, following
            while True:
                walked.add(frozenset((before, here)))
                line.append(here)
                ahead = [p for p in beside[here] if frozenset((here, p)) not in walked and p != before]
                if len(beside[here]) != 2 or not ahead:
                    break
                before, here = here, ahead[0]
            # Every third pixel is enough for a line three pixels wide.
            lines.append([(float(x) + 0.5, float(y) + 0.5) for y, x in line[:-1:3] + line[-1:]])
    return lines


def main(leaves, out):
    rows, annotated = [], []
    for folder in sorted(p for p in leaves.iterdir() if p.is_dir()):
        pictures = sorted(folder.glob("*.png"))
        for path in pictures[:ANNOTATED]:
            shapes = [
                {"label": "vein", "points": line, "shape_type": "linestrip", "group_id": None, "flags": {}}
                for line in strips(ridges(path))
            ]
            width, height = Image.open(path).size
            target = out / "annotations" / folder.name / f"{path.stem}.json"
            target.parent.mkdir(parents=True, exist_ok=True)
            annotation = {
                "version": "5.0.1",
                "flags": {},
                "shapes": shapes,
                "imagePath": path.name,
                "imageData": None,
                "imageHeight": height,
                "imageWidth": width,
            }
            target.write_text(json.dumps(annotation) + "\n")
            print(f"{target}: {len(shapes)} lines")
        annotated += [(f"{folder.name}/{path.name}", folder.name, "train") for path in pictures[:ANNOTATED]]
        rows += [(f"{folder.name}/{path.name}", folder.name) for path in pictures[ANNOTATED:]]
    for name, table in (("annotated", [("file", "label", "split"), *annotated]), ("leaves", [("file", "label"), *rows])):
        with open(out / f"{name}.csv", "w", newline="") as file:
            csv.writer(file).writerows(table)
        print(f"{out / name}.csv: {len(table) - 1} leaves")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: annotate_veins.py LEAVES OUT")
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
