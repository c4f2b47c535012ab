"""Small PyTorch checkpoints for the tests of `mga weights convert`, and what is in them.

    pip install torch numpy safetensors
    python make.py

Values are by formula, so that the files come out the same wherever they are made.
"""
import os
import pathlib
import zipfile
from collections import OrderedDict

import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent


def numbers(*shape, dtype=torch.float32):
    count = torch.Size(shape).numel()
    return ((torch.arange(count) * 7 % 23 - 11) / 4).reshape(shape).to(dtype)


def tensors():
    whole = numbers(4, 6)
    return OrderedDict([
        ("f32", numbers(3, 5)),
        ("f64", numbers(2, 3, dtype=torch.float64)),
        ("f16", numbers(5, dtype=torch.float16)),
        ("bf16", numbers(2, 2, dtype=torch.bfloat16)),
        ("i64", torch.tensor(123456789012)),
        ("i32", torch.tensor([[-7, 70000]], dtype=torch.int32)),
        ("i16", torch.tensor([-300, 300], dtype=torch.int16)),
        ("i8", torch.tensor([-128, 127], dtype=torch.int8)),
        ("u8", torch.tensor([0, 255], dtype=torch.uint8)),
        ("bool", torch.tensor([True, False, True])),
        ("empty", torch.zeros(0, 3)),
        ("transposed", whole.t()),
        ("window", whole[1:3, 2:5]),
        ("every_second", whole[:, ::2]),
        ("shared", whole),
        ("expanded", numbers(3, 1).expand(3, 4)),
        ("channels_last", numbers(2, 3, 2, 2).to(memory_format=torch.channels_last)),
        ("parameter", torch.nn.Parameter(numbers(2))),
    ])


class Evil:
    def __reduce__(self):
        return os.system, ("touch /tmp/mga-was-here",)


def main():
    torch.manual_seed(0)
    state = tensors()
    save_file({k: v.detach().clone().contiguous() for k, v in state.items()}, HERE / "expected.safetensors")
    wrapped = OrderedDict((f"module.{k}", v) for k, v in state.items())
    extras = {"epoch": 12, "acc": 93.5, "best": True, "note": "a note", "history": [1, (2.5, None)], "big": 2**80}
    torch.save({**extras, "net": wrapped}, HERE / "nested.pth")
    torch.save(state, HERE / "protocol4.pth", pickle_protocol=4)
    linear = torch.nn.Linear(2, 3)
    with torch.no_grad():
        linear.weight.copy_(numbers(3, 2))
        linear.bias.copy_(numbers(3))
    # A state dict as modules give it: with metadata, and an optimiser beside it.
    optimiser = torch.optim.SGD(linear.parameters(), lr=0.1, momentum=0.9)
    torch.save({"model": {"state_dict": linear.state_dict()}, "optimizer": optimiser.state_dict()}, HERE / "linear.pth")
    torch.save(linear, HERE / "whole_module.pth")
    torch.save(linear.state_dict(), HERE / "legacy.pth", _use_new_zipfile_serialization=False)
    torch.save({"state_dict": linear.state_dict(), "extra": Evil()}, HERE / "evil.pth")
    torch.jit.save(torch.jit.trace(linear, torch.zeros(1, 2)), HERE / "torchscript.pth")
    torch.save({"epoch": 1, "weights": [linear.weight]}, HERE / "no_state_dict.pth")
    with zipfile.ZipFile(HERE / "linear.pth") as source, zipfile.ZipFile(HERE / "deflated.pth", "w") as target:
        for name in source.namelist():
            target.writestr(zipfile.ZipInfo(name), source.read(name), zipfile.ZIP_DEFLATED)


if __name__ == "__main__":
    main()
