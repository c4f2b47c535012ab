"""Finds NVIDIA's libraries on a machine that was not prepared for us, and prints what LD_LIBRARY_PATH has to be.

    python libraries.py [--pack FOLDER] [--stand-ins] [--list] [--driver]

Looked through, in this order: the folders of MGA_GPU_LIBRARIES (where set, nothing else but the driver is looked for), the
installed PyTorch's own libraries, the CUDA toolkit, and where the system's linker looks. What is missing is said in a
sentence, and the status is 1. With --stand-ins what is missing is taken from the pack, libraries whose every function
fails: with them a program starts without a GPU, and can use the CPU alone. Standard library only.
"""

import argparse
import ctypes
import glob
import importlib.util
import os
import sys

NEEDED = {
    "libcuda.so.1": "the driver",
    "libcudart.so.13": "the CUDA runtime",
    "libcublas.so.13": "cuBLAS",
    "libcublasLt.so.13": "cuBLAS",
    "libcurand.so.10": "cuRAND",
    "libnvrtc.so.13": "NVRTC",
    "libcudnn.so.9": "cuDNN",
}
DRIVER, RANDOM = "libcuda.so.1", "libcurand.so.10"


def folders():
    """Where the libraries may be."""
    named = os.environ.get("MGA_GPU_LIBRARIES")
    if named:
        return named.split(":")
    found = []
    torch = importlib.util.find_spec("torch")
    if torch and torch.submodule_search_locations:
        torch = torch.submodule_search_locations[0]
        found += sorted(glob.glob(os.path.join(os.path.dirname(torch), "nvidia", "*", "lib")))
        found.append(os.path.join(torch, "lib"))
    for toolkit in [os.environ.get("CUDA_HOME"), *sorted(glob.glob("/usr/local/cuda*"), reverse=True)]:
        if toolkit:
            found += [os.path.join(toolkit, "lib64"), os.path.join(toolkit, "targets", "x86_64-linux", "lib")]
    return [folder for folder in found if os.path.isdir(folder)]


def of_the_system(name):
    """The library where the system's linker finds it."""
    try:
        ctypes.CDLL(name)
    except OSError:
        return None
    with open("/proc/self/maps") as maps:
        return next((line.split()[-1] for line in maps if os.path.basename(line.split()[-1]).startswith(name)), name)


def locate():
    """Each library with its file, `None` where it is not there."""
    places = folders()
    only_named = "MGA_GPU_LIBRARIES" in os.environ
    found = {}
    for name in NEEDED:
        inside = [os.path.join(folder, name) for folder in places]
        found[name] = next((file for file in inside if name != DRIVER and os.path.exists(file)), None)
        if found[name] is None and (name == DRIVER or not only_named):
            found[name] = of_the_system(name)
    return found


def missing(found):
    """A sentence for each library that is missing and has no substitute."""
    if found[DRIVER] is None:
        yield f"there is no NVIDIA driver on this machine: {DRIVER} is not found, so nothing here can use a GPU"
    for name, what in NEEDED.items():
        if found[name] is None and name not in (DRIVER, RANDOM):
            yield (f"{what} is missing: {name} is not found; install PyTorch for CUDA 13 or the CUDA toolkit 13, "
                   "or name its folder in MGA_GPU_LIBRARIES")


def search_path(found, pack, stand_ins):
    """The folders for the linker, real libraries first; a stand-in only where there is no real one."""
    path = []
    for name, file in found.items():
        if file is not None:
            path.append(os.path.dirname(file) if name != DRIVER else None)
        elif name == RANDOM:
            path.append(os.path.join(pack, "curand"))
        elif stand_ins:
            path.append(os.path.join(pack, "stand-ins", name))
    return ":".join(dict.fromkeys(folder for folder in path if folder))


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pack", default=here)
    parser.add_argument("--stand-ins", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--driver", action="store_true", help="look for the driver alone")
    args = parser.parse_args()
    found = locate()
    if args.list:
        for name, file in found.items():
            print(f"{name}: {file or 'not found'}")
        return 0
    sentences = [] if args.stand_ins else list(missing(found))
    if args.driver:
        sentences = sentences[:1] if found[DRIVER] is None else []
    for sentence in sentences:
        print(f"error: {sentence}", file=sys.stderr)
    if sentences:
        return 1
    print(search_path(found, args.pack, args.stand_ins))
    return 0


if __name__ == "__main__":
    sys.exit(main())
