#!/usr/bin/env python3
"""Small checkpoints as people have them, for the tests of `mga weights convert` (mga-models/tests/checkpoints/).

    python3 -m venv venv && venv/bin/pip install torch numpy safetensors
    venv/bin/python scripts/weights/make_checkpoint_fixtures.py

Values are by formula, `numbers` below, so that the tests know them. What is written goes to mga-models/tests/data/people.
Files that change with the version of PyTorch (archives carry its facts) need not be committed anew.
"""
import argparse
import collections
import fractions
import io
import pathlib
import pickle
import random
import tarfile
import zipfile

import numpy as np
import torch

HERE = pathlib.Path(__file__).resolve().parents[2]
FOLDER = HERE / "mga-models/tests/data/people"
LEGACY = {"_use_new_zipfile_serialization": False}


def numbers(*shape, dtype=torch.float32, start=0):
    """(7 i mod 23 - 11) / 4 for i from `start` on."""
    count = torch.Size(shape).numel()
    return (((torch.arange(count) + start) * 7 % 23 - 11) / 4).reshape(shape).to(dtype)


def weights(start=0):
    """A layer's weight and bias."""
    return collections.OrderedDict([("weight", numbers(3, 2, start=start)), ("bias", numbers(3, start=start + 6))])


class Config(dict):
    """A dictionary of a class of its own, as configuration packages have them."""


class Layer(torch.nn.Linear):
    pass


def views():
    """All number types, and views of every kind: the tensors of tests/data/pth/expected.safetensors."""
    whole = numbers(4, 6)
    return collections.OrderedDict([
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


def training_state():
    """All that training programs save beside the weights."""
    layer = torch.nn.Linear(2, 3)
    layer.load_state_dict(weights())
    optimiser = torch.optim.Adam(layer.parameters())
    layer(torch.ones(1, 2)).sum().backward()
    optimiser.step()
    generator = torch.Generator().manual_seed(1)
    np.random.seed(1)
    random.seed(1)
    config = Config(name="resnet18", lr=0.1)
    config.note = "an attribute"
    return {
        "epoch": 12,
        "state_dict": weights(),
        "best_acc1": torch.tensor(93.5),
        "loss_history": numbers(7),
        "top1": np.float64(0.935),
        "top5": np.float32(0.99),
        "confusion": np.arange(4).reshape(2, 2),
        "optimizer": optimiser.state_dict(),
        "args": argparse.Namespace(arch="resnet18", lr=0.1, device=torch.device("cpu")),
        "config": config,
        "counts": collections.Counter("abracadabra"),
        "ordered": collections.OrderedDict(a=1),
        "defaults": collections.defaultdict(list, a=[1]),
        "classes": {"oak", "ash"},
        "frozen": frozenset([1, 2]),
        "raw": b"\x00\xff",
        "device": torch.device("cpu"),
        "dtype": torch.float16,
        "size": torch.Size([3, 2]),
        "path": pathlib.PurePosixPath("runs/first"),
        "share": fractions.Fraction(1, 3),
        "complex": complex(1, 2),
        "slice": slice(1, 2),
        "huge": 2**100,
        "nothing": None,
        "function": torch.nn.functional.relu,
        "python_rng": random.getstate()[1][:8],
        "numpy_rng": np.random.get_state()[1][:8],
        "torch_rng": generator.get_state()[:64].clone(),
        "scheduler": {"last_epoch": 12, "_last_lr": [0.1]},
    }


def big_endian(source, target):
    """The same archive as a machine with the other order of bytes writes it, for float32 alone."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if "/data/" in name:
                data = np.frombuffer(data, "<f4").astype(">f4").tobytes()
            if name.endswith("/byteorder"):
                data = b"big"
            new.writestr(zipfile.ZipInfo(name), data)


def tar(target):
    """PyTorch 0.1's first format, in outline: it is named and not read."""
    with tarfile.open(target, "w", format=tarfile.GNU_FORMAT) as archive:
        for name in ("storages", "tensors", "pickle", "sys_info"):
            data = pickle.dumps({"protocol_version": 1000}, protocol=2)
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)

    def save(name, what, **options):
        torch.save(what, FOLDER / name, **options)

    wrapped = collections.OrderedDict((f"module.{name}", tensor) for name, tensor in views().items())
    save("legacy_views.pth", {"epoch": 12, "net": wrapped}, **LEGACY)
    save("legacy_protocol4.pth", views(), pickle_protocol=4, **LEGACY)
    save("legacy_training.pth", training_state(), **LEGACY)
    save("legacy_whole_model.pth", Layer(2, 3), **LEGACY)
    save("training.pth", training_state())
    save("folder_of_21_letters_.pth", weights())
    big_endian(FOLDER / "folder_of_21_letters_.pth", FOLDER / "big_endian.pth")
    save("averages.pth", {"epoch": 3, "state_dict": weights(), "state_dict_ema": weights(start=5)})
    save("only_averages.pth", {"epoch": 3, "ema": {"state_dict": weights(start=5)}})
    averaged = torch.optim.swa_utils.AveragedModel(torch.nn.DataParallel(torch.nn.Linear(2, 3)))
    averaged.module.module.load_state_dict(weights())
    averaged.n_averaged += 4
    save("averaged_model.pth", averaged.state_dict())
    lightning = {f"model.net._orig_mod.{name}": tensor for name, tensor in weights().items()}
    save("lightning.ckpt", {
        "epoch": 1,
        "global_step": 10,
        "pytorch-lightning_version": "2.4.0",
        "state_dict": lightning,
        "callbacks": {"ModelCheckpoint{'monitor': 'val'}": {"best_model_score": torch.tensor(0.5)}},
        "hyper_parameters": Config(lr=0.1),
    })
    save("two_models.pth", {"generator": weights(), "critic": weights(start=5)})
    save("unusual_key.pth", {"epoch": 1, "best.weights": weights(), "score": torch.tensor(1.0)})
    save("own_class.pth", {"state_dict": Config(weights())})
    save("sparse.pth", {"weight": numbers(3, 2).to_sparse(), "bias": numbers(3)})
    quantised = torch.quantize_per_tensor(numbers(3, 2), 0.25, 0, torch.qint8)
    save("quantised.pth", {"weight": quantised, "bias": numbers(3)})
    save("complex128.pth", {"weight": torch.zeros(2, dtype=torch.complex128), "bias": numbers(3)})
    save("new_types.pth", {
        "weight": numbers(3, 2),
        "u16": torch.tensor([1, 65535], dtype=torch.uint16),
        "f8": torch.tensor([1.5, -2.0]).to(torch.float8_e4m3fn),
        "c64": torch.tensor([1 + 2j]),
    })
    save("meta.pth", {"weight": torch.zeros(3, 2, device="meta"), "bias": numbers(3)})
    tar(FOLDER / "first_format.pth.tar")


if __name__ == "__main__":
    main()
