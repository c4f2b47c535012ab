#!/usr/bin/env python3
"""Writes mga-models/src/weights/timm.json: what timm's own configurations say of the weights that mga knows by name, and the
sizes that timm computes from it. A test of mga-models compares its tables with that file.

    pip download --no-deps timm==1.0.31
    python3 scripts/weights/timm_configurations.py timm-1.0.31-py3-none-any.whl NAME...

NAME: `timm/resnet50.a1_in1k`; left out: the names that are in the file by now. Needs no torch: of timm's modules only the
tables are read.
"""

import ast
import json
import math
import pathlib
import sys
import zipfile

FILE = pathlib.Path(__file__).parents[2] / "mga-models/src/weights/timm.json"
# What timm's PretrainedCfg has where a table says nothing.
DEFAULTS = {"crop_pct": 0.875, "crop_mode": "center", "test_input_size": None, "test_crop_pct": None}


def constants(wheel):
    names = {}
    exec(wheel.read("timm/data/constants.py"), names)
    return {key: value for key, value in names.items() if key.isupper()}


def configurations(wheel):
    """Every tagged model of every module: its arguments put into the module's `_cfg`."""
    shared = constants(wheel)
    for module in wheel.namelist():
        if not module.startswith("timm/models/") or not module.endswith(".py"):
            continue
        tree = ast.parse(wheel.read(module))
        makers = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.endswith("cfg")]
        for maker in makers:
            maker.returns, maker.decorator_list = None, []
            for argument in maker.args.args + [maker.args.kwarg]:
                if argument:
                    argument.annotation = None
        names = dict(shared)
        exec(compile(ast.Module(makers, []), module, "exec"), names)
        for node in ast.walk(tree):
            is_table = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "generate_default_cfgs"
            if is_table and isinstance(node.args[0], ast.Dict):
                for key, value in zip(node.args[0].keys, node.args[0].values):
                    if isinstance(key, ast.Constant) and isinstance(value, ast.Call):
                        yield key.value, (names, value)


def facts(name, names, call):
    config = {**DEFAULTS, **eval(compile(ast.Expression(call), name, "eval"), names)}
    size = config["input_size"][-1]
    return {
        "name": name,
        "architecture": name.split("/")[1].split(".")[0],
        "num_classes": config["num_classes"],
        "input_size": config["input_size"],
        "interpolation": config["interpolation"],
        "crop_pct": config["crop_pct"],
        "crop_mode": config["crop_mode"],
        "mean": config["mean"],
        "std": config["std"],
        # timm.data.transforms_factory.transforms_imagenet_eval: `math.floor(x / crop_pct)`.
        "resized_to": math.floor(size / config["crop_pct"]),
        "license": config.get("license"),
        "test_input_size": config["test_input_size"],
        "test_crop_pct": config["test_crop_pct"],
    }


def main():
    wheel = zipfile.ZipFile(sys.argv[1])
    known = [entry["name"] for entry in json.loads(FILE.read_text())["weights"]] if FILE.exists() else []
    names = sys.argv[2:] or known
    table = dict(configurations(wheel))
    found = [facts(name, *table[name.removeprefix("timm/")]) for name in names]
    version = pathlib.Path(sys.argv[1]).name.split("-")[1]
    lines = ",\n".join("    " + json.dumps(entry) for entry in found)
    FILE.write_text(f'{{\n  "timm": "{version}",\n  "weights": [\n{lines}\n  ]\n}}\n')


main()
