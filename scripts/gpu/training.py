"""Step 4: training from JPEGs for two minutes, and how long the card waits meanwhile."""

import json
import signal
import statistics
import subprocess
import time

import bits
import sampling
from setting import last

EXPERIMENT = """task = "classification"
seed = 1
device = "{device}"

[data]
dataset = "image-folder"
root = "{root}"
batch_size = {batch}

[data.train]
transforms = [{{ op = "random-crop", size = {size} }}, {{ op = "horizontal-flip", p = 0.5 }}]

[data.eval]
transforms = [{{ op = "centre-crop", size = {size} }}]

[model]
backbone = "{backbone}"
attention = "none"
mask_guidance = false

[optimiser]
name = "sgd"
learning_rate = 0.01

[schedule]
name = "constant"
epochs = 1000

[eval]
select_on = "last"

[train]
log_every = 1
"""


def check(here, rows):
    seconds, per_class, side, size, batch, backbone = (
        (15, 6, 120, 96, 8, "conv4") if here.cpu else (120, 60, 600, 448, 16, "resnet50"))
    root = here.path("jpegs")
    status, output = here.run(here.script("gpu/pictures.py", root, "--per-class", per_class, "--side", side), "jpegs.log")
    if status != 0:
        rows.add(4, "making JPEGs", "FAILED", last(output))
        return
    experiment, folder = here.path("training.toml"), here.path("training")
    with open(experiment, "w") as file:
        file.write(EXPERIMENT.format(device=here.device, root=root, size=size, batch=batch, backbone=backbone))
    what = f"training {backbone}, {size} px, batch {batch}"
    with open(here.log("training.log"), "w") as log:
        run = subprocess.Popen(here.program("mga", "train", experiment, "--out", folder), env=here.environment(),
                               stdout=log, stderr=log)
        samples = None
        try:
            while run.poll() is None and not bits.lines_of(folder) and here.left() > 1:
                time.sleep(0.05)
            began = time.time()
            samples = None if here.cpu else sampling.Samples()
            while run.poll() is None and time.time() - began < seconds and here.left() > 5:
                time.sleep(0.1)
            trained = time.time() - began
            ended_early = run.poll() is not None
            run.send_signal(signal.SIGTERM)
            run.wait(20)
        finally:
            run.kill()
            found = samples.stop() if samples else []
    if ended_early:
        with open(here.log("training.log")) as log:
            rows.add(4, what, "FAILED", f"ended by itself after {trained:.0f} seconds: {last(log.read())}")
        return
    steps = [line for line in map(json.loads, bits.lines_of(folder)) if line["kind"] == "step"]
    speed(rows, what, steps, trained)
    if found:
        idle = 100 - statistics.mean(load for _, load, _ in found)
        memory = max(memory for _, _, memory in found)
        rows.add(4, "GPU idle share", "measured", f"{idle:.0f} % of {trained:.0f} seconds, {memory:.0f} MiB at most",
                 idle_percent=idle, memory_mib=memory, samples=len(found))
    else:
        rows.add(4, "GPU idle share", "not run" if here.cpu else "FAILED",
                 "there is no GPU to look at" if here.cpu else "nvidia-smi tells no load")


def speed(rows, what, steps, seconds):
    """Steps done, their loss, and images a second as the run itself counts them."""
    if len(steps) < 4:
        rows.add(4, what, "FAILED", f"{len(steps)} steps in {seconds:.0f} seconds")
        return
    loss = [step["loss"] for step in steps]
    quarter = len(loss) // 4
    early, late = statistics.mean(loss[:quarter]), statistics.mean(loss[-quarter:])
    rate = statistics.median(step["images_per_second"] for step in steps[quarter:])
    text = f"{len(steps)} steps in {seconds:.0f} seconds, {rate:.1f} images a second, loss {early:.3f}, then {late:.3f}"
    # Written so that a NaN fails.
    rows.held(4, what, late < early, text, steps=len(steps), images_per_second=rate, loss=[early, late])
