#!/usr/bin/env bash
# Exports a run and shows that PyTorch, with the model.py of the exported folder, gives the scores that mga gives. Fails
# where they differ by 1e-4 or more.
#
#   scripts/export/compare_with_pytorch.sh RUN
#
# The network is compared, not the resizing: pictures of noise in blocks, of the size that the run evaluates at, go into
# both as they are. PYTHON: a Python that has torch, torchvision (not for conv4 and efficientnet_lite0), numpy, pillow
# and safetensors (default: python3). MGA: the program (default: cargo run --release).
set -euo pipefail

[ $# -eq 1 ] || { echo "usage: $0 RUN" >&2; exit 2; }
run=$1
repository=$(cd "$(dirname "$0")/../.." && pwd)
python=${PYTHON:-python3}
mga=${MGA:-cargo run --release --quiet --manifest-path $repository/Cargo.toml --}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

$mga weights export "$run" "$work/exported"
"$python" - "$work" <<'PYTHON'
import json, pathlib, sys

import numpy as np
from PIL import Image

work = pathlib.Path(sys.argv[1])
_, height, width = json.loads((work / "exported/config.json").read_text())["pretrained_cfg"]["input_size"]
(work / "pictures").mkdir()
generator = np.random.default_rng(1)
for index in range(4):
    blocks = generator.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3)).repeat(8, 0).repeat(8, 1)[:height, :width]
    noise = generator.integers(-20, 21, (height, width, 3))
    Image.fromarray((blocks + noise).clip(0, 255).astype(np.uint8)).save(work / "pictures" / f"{index}.png")
PYTHON
$mga predict "$work/pictures" --weights "$work/exported" --set 'data.eval.transforms=[]' \
    --logits "$work/mga.safetensors" --out "$work/mga.csv"
"$python" - "$work" <<'PYTHON'
import pathlib, sys

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

work = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(work / "exported"))
import model

network = model.load()
ours = load_file(work / "mga.safetensors")["logits"]
mean, std = (torch.tensor(values).view(3, 1, 1) for values in (model.MEAN, model.STD))
worst = 0.0
for path, scores in zip(sorted((work / "pictures").glob("*.png")), ours, strict=True):
    picture = torch.from_numpy(np.asarray(Image.open(path), dtype=np.float32) / 255).permute(2, 0, 1)
    with torch.no_grad():
        theirs, _ = network(((picture - mean) / std)[None])
    worst = max(worst, (theirs[0] - scores).abs().max().item())
spread = ours.std().item()
print(f"{len(ours)} pictures, {ours.shape[1]} classes, scores of deviation {spread:.2f}")
print(f"largest difference from PyTorch: {worst:.1e} (allowed: below 1e-4)")
sys.exit(worst >= 1e-4)
PYTHON
