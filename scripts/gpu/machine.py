"""Step 1: card, driver, libraries, PyTorch, and that the program starts."""

import ctypes
import json
import os
import subprocess

import libraries
from setting import last


def check(here, rows):
    card(here, rows)
    found = libraries.locate()
    for name, what in libraries.NEEDED.items():
        text = f"{found[name] or 'not found'}{version(name, found[name])}"
        if found[name] is None and name == libraries.RANDOM:
            rows.add(1, what, "ok", f"{name} is not found; the pack's stand-in is used, for mga draws no numbers from it")
        elif found[name] is None and here.cpu:
            rows.add(1, what, "not run", f"{name} is not found; on the CPU a stand-in does")
        else:
            rows.held(1, what, found[name] is not None, text)
    status, output = here.run(here.program("mga", "--version"), "version.log", 20)
    rows.held(1, "the program starts", status == 0, last(output))
    try:
        import torch
    except ImportError as error:
        rows.add(1, "PyTorch", "FAILED", f"{error}: the comparisons with PyTorch cannot be run")
        return
    usable = torch.cuda.is_available()
    rows.held(1, "PyTorch", usable or here.cpu, f"{torch.__version__}, CUDA {torch.version.cuda}, "
              + (f"sees {torch.cuda.get_device_name(0)}" if usable else "sees no GPU"))


def card(here, rows):
    if here.cpu:
        rows.add(1, "card and driver", "not run", "--cpu: everything below is of the CPU")
        return
    keys = ["name", "driver_version", "memory.total", "compute_cap"]
    query = ["nvidia-smi", f"--query-gpu={','.join(keys)}", "--format=csv,noheader"]
    try:
        said = subprocess.run(query, capture_output=True, text=True, timeout=20)
    except FileNotFoundError:
        rows.add(1, "card and driver", "FAILED", "there is no nvidia-smi on this machine's PATH")
        return
    if said.returncode != 0:
        rows.add(1, "card and driver", "FAILED", said.stdout + said.stderr)
        return
    card = dict(zip(keys, said.stdout.splitlines()[0].split(", ")))
    with open(os.path.join(here.pack, "pack.json")) as file:
        built = json.load(file)["capability"]
    fits = card["compute_cap"].replace(".", "") == built
    rows.held(1, "card and driver", fits, f"{card['name']}, driver {card['driver_version']}, {card['memory.total']}, "
              f"capability {card['compute_cap']}" + ("" if fits else f", but the pack is built for {built}"), card=card)


def version(name, file):
    """What the library says of itself."""
    asked = {"libcudart.so.13": "cudaRuntimeGetVersion", "libnvrtc.so.13": None, "libcudnn.so.9": "cudnnGetVersion"}
    function = asked.get(name)
    if not function or not file:
        return ""
    library = ctypes.CDLL(file)
    if name == "libcudnn.so.9":
        library.cudnnGetVersion.restype = ctypes.c_size_t
        return f", {library.cudnnGetVersion()}"
    number = ctypes.c_int()
    getattr(library, function)(ctypes.byref(number))
    return f", {number.value}"
