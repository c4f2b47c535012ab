"""Part of step 2: PyTorch computes the convolutions of `convolutions.safetensors` anew, on the same device.

What mga found is held against PyTorch's float64, and may be ten times as far from it as PyTorch's own float32 is.
"""

import json
import math
import struct

# What roundings alone may do where PyTorch happens to be closer.
LEAST = 1e-7


def check(here, rows):
    import torch
    import torch.nn.functional as F

    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    file = read(torch, here.path("convolutions.safetensors"))
    for name in [name.removesuffix(".settings") for name in file if name.endswith(".settings")]:
        stride, top, left, dilation, groups = file[name + ".settings"].tolist()

        def convolve(dtype):
            x, w = (file[f"{name}.{what}"].to(here.device, dtype).requires_grad_() for what in "xw")
            y = F.conv2d(x, w, None, stride, (top, left), dilation, groups)
            y.backward(file[name + ".dy"].to(here.device, dtype))
            return {"y": y.detach(), "dx": x.grad, "dw": w.grad}

        exact, single = convolve(torch.float64), convolve(torch.float32)
        ours = {what: gap(file[f"{name}.{what}"].to(here.device), exact[what]) for what in exact}
        theirs = {what: gap(single[what], exact[what]) for what in exact}
        holds = all(ours[what] <= 10 * max(theirs[what], LEAST) for what in exact)
        said = lambda gaps: ", ".join(f"{what} {gap:.1e}" for what, gap in gaps.items())
        rows.held(2, f"convolution {name}, against PyTorch", holds, f"mga {said(ours)}; PyTorch's float32 {said(theirs)}",
                  mga=ours, pytorch=theirs)


def gap(found, exact):
    """The relative L2 distance."""
    if found.shape != exact.shape:
        return math.inf
    return ((found.double() - exact).norm() / exact.norm()).item()


def read(torch, path):
    """The tensors of a safetensors file, which a PyTorch alone does not read."""
    with open(path, "rb") as file:
        content = file.read()
    (length,) = struct.unpack("<Q", content[:8])
    types = {"F32": torch.float32, "U32": torch.int32}
    tensors = {}
    for name, entry in json.loads(content[8 : 8 + length]).items():
        if name == "__metadata__":
            continue
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        data = torch.frombuffer(bytearray(content[begin:end]), dtype=types[entry["dtype"]])
        tensors[name] = data.reshape(entry["shape"])
    return tensors
