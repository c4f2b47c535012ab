"""Step 3: two runs of the same experiment, and one that was ended and resumed, are equal to the bit."""

import json
import os
import signal
import struct
import subprocess
import time

from setting import last

EXPERIMENT = """task = "classification"
seed = 3
device = "{device}"

[data]
dataset = "leaves"
cultivars = 10
train_per_class = 8
test_per_class = 1
size = {size}
batch_size = 10
validation = {{ per_class = 1 }}
train = {{ transforms = [{{ op = "random-crop", size = {crop} }}] }}
eval = {{ transforms = [{{ op = "centre-crop", size = {crop} }}] }}

[model]
backbone = "{backbone}"
attention = "residual"

[optimiser]
name = "adamw"
learning_rate = 1e-3

[schedule]
name = "cosine"
epochs = 6

[train]
checkpoint_every = 5
log_every = 1
"""


def check(here, rows):
    size, crop, backbone = (32, 28, "conv4") if here.cpu else (112, 96, "densenet121")
    experiment = here.path("bits.toml")
    with open(experiment, "w") as file:
        file.write(EXPERIMENT.format(device=here.device, size=size, crop=crop, backbone=backbone))
    for run in ["first", "second"]:
        status, output = here.run(here.program("mga", "train", experiment, "--out", here.path(run)), f"{run}.log")
        if status != 0:
            rows.add(3, f"a run of {backbone}", "FAILED", last(output))
            return
    same(here, rows, f"two runs of {backbone}", "second")
    lines = end(here, experiment)
    status, output = here.run(here.program("mga", "train", "--resume", here.path("resumed")), "resumed.log")
    if status != 0:
        rows.add(3, f"a resumed run of {backbone}", "FAILED", last(output))
        return
    same(here, rows, f"a run of {backbone}, ended after {lines} lines of its log and resumed", "resumed")


def end(here, experiment):
    """Starts a run and ends it in the midst of training."""
    folder = here.path("resumed")
    with open(here.log("ended.log"), "w") as log:
        command = here.program("mga", "train", experiment, "--out", folder)
        run = subprocess.Popen(command, env=here.environment(), stdout=log, stderr=log)
        try:
            while run.poll() is None and len(lines_of(folder)) < 15:
                if here.left() < 1:
                    raise TimeoutError("no step came to be logged")
                time.sleep(0.002)
            run.send_signal(signal.SIGTERM)
            run.wait(max(1.0, here.left()))
        finally:
            run.kill()
    if os.path.exists(os.path.join(folder, "summary.json")):
        raise RuntimeError("the run ended before it could be interrupted: nothing was resumed")
    return len(lines_of(folder))


def lines_of(folder):
    try:
        with open(os.path.join(folder, "metrics.jsonl")) as file:
            return file.read().splitlines()
    except FileNotFoundError:
        return []


def same(here, rows, what, run):
    """Holds tensors, metrics and predictions of a run against those of the first."""
    first, other = (content(here.path(name)) for name in ["first", run])
    differ = [name for name in first if first[name] != other.get(name)]
    differ += [name for name in other if name not in first]
    text = f"{len(first)} tensors, lines and files are equal to the bit"
    if differ:
        text = f"{len(differ)} of {len(first)} tensors, lines and files differ, the first is {differ[0]}"
    rows.held(3, what, not differ, text, differ=len(differ), of=len(first))


def content(folder):
    """What must not differ, by name: every tensor of every checkpoint, the log without speeds, the predictions."""
    found = {}
    checkpoints = os.path.join(folder, "checkpoints")
    for name in sorted(os.listdir(checkpoints)):
        with open(os.path.join(checkpoints, name), "rb") as file:
            data = file.read()
        (length,) = struct.unpack("<Q", data[:8])
        for tensor, entry in json.loads(data[8 : 8 + length]).items():
            if tensor != "__metadata__":
                begin, end = entry["data_offsets"]
                found[f"{name}: {tensor}"] = (entry["dtype"], entry["shape"], data[8 + length + begin : 8 + length + end])
    for number, line in enumerate(lines_of(folder), 1):
        line = json.loads(line)
        line.pop("images_per_second", None)
        found[f"metrics.jsonl, line {number}"] = line
    with open(os.path.join(folder, "predictions.csv"), "rb") as file:
        found["predictions.csv"] = file.read()
    return found
