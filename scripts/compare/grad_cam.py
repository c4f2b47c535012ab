"""Grad-CAM and CBAM's spatial gate in PyTorch, in float64, for mga-models/tests/all/grad_cam.rs.

    python scripts/compare/grad_cam.py mga-models/tests/data/grad_cam.json

Needs torch. Features, attention and classifier are drawn from a seeded generator and written down beside the results, so
that the test needs no generator of PyTorch's. A case is a kind of attention and a head: `relu` rectifies before pooling,
as DenseNets do.
"""

import json
import pathlib
import sys

import torch
import torch.nn.functional as F

N, C, H, W, CLASSES = 2, 4, 3, 5, 3
CASES = [("none", False), ("multiply", False), ("residual", False), ("residual", True), ("concat", False),
         ("cbam-spatial", False), ("cbam-spatial", True)]


def attended(kind, f, a):
    if kind == "residual":
        return 0.5 * f + 0.5 * a * f
    if kind == "concat":
        return torch.cat([f, a * f], 1)
    return f if kind == "none" else a * f


def case(kind, relu, generator):
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)
    f = draw(N, C, H, W).requires_grad_()
    pooled = torch.stack([f.mean(1), f.amax(1)], 1)
    if kind == "cbam-spatial":
        gate = torch.nn.Sequential(torch.nn.Conv2d(2, 1, 7, padding=3, bias=False), torch.nn.BatchNorm2d(1, momentum=0.01))
        gate = gate.double().eval()
        named = {"conv.weight": draw(1, 2, 7, 7) / 5, "bn.weight": draw(1), "bn.bias": draw(1),
                 "bn.running_mean": draw(1), "bn.running_var": draw(1).abs() + 0.5}
        gate.load_state_dict({("0." if k.startswith("conv") else "1.") + k.split(".")[1]: v for k, v in named.items()},
                             strict=False)
        a = torch.sigmoid(gate(pooled))
    else:
        named = {"weight": draw(1, 2, 1, 1)}
        a = torch.sigmoid(F.conv2d(pooled, named["weight"]))
    x = attended(kind, f, a)
    weight, bias = draw(CLASSES, x.shape[1]), draw(CLASSES)
    x = F.relu(x) if relu else x
    logits = F.linear(x.mean((2, 3)), weight, bias)
    classes = [2, 0]
    score = sum(logits[i, c] for i, c in enumerate(classes))
    gradient, = torch.autograd.grad(score, f)
    cam = F.relu((gradient.mean((2, 3), keepdim=True) * f).sum(1, keepdim=True))
    cam = cam / cam.amax((2, 3), keepdim=True).clamp_min(torch.finfo(torch.float64).tiny)
    flat = lambda t: t.detach().flatten().tolist()
    return {"attention": kind, "relu": relu, "classes": classes, "features": flat(f),
            "parameters": {f"attention.{k}": flat(v) for k, v in named.items()}
            | {"classifier.weight": flat(weight), "classifier.bias": flat(bias)},
            "map": flat(a), "logits": flat(logits), "grad_cam": flat(cam)}


def main():
    generator = torch.Generator().manual_seed(1)
    cases = [case(kind, relu, generator) for kind, relu in CASES]
    text = json.dumps({"shape": [N, C, H, W], "classes": CLASSES, "cases": cases})
    pathlib.Path(sys.argv[1]).write_text(text + "\n")


if __name__ == "__main__":
    main()
