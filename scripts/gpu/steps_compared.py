"""Step 5: time and memory of a training step beside PyTorch's, in fp32 and in bf16 with channels_last."""

import json

import sampling
from setting import last

WORK = {
    "densenet161, 448 px, batch 8": "--backbone densenet161 --size 448 --batch 8 --freeze-through transition2 "
                                    "--attention residual",
    "resnet50, 224 px, batch 32": "--backbone resnet50 --size 224 --batch 32",
}
SMALL = {
    "densenet161, 64 px, batch 2": "--backbone densenet161 --size 64 --batch 2 --freeze-through transition2 "
                                   "--attention residual",
    "resnet50, 64 px, batch 2": "--backbone resnet50 --size 64 --batch 2",
}
# mga trains in fp32 alone, so that is what stands beside both.
PYTORCH = {"fp32": [], "bf16, channels_last": ["--bf16", "--channels-last"]}


def check(here, rows):
    for work, arguments in (SMALL if here.cpu else WORK).items():
        common = [*arguments.split(), "--device", here.device, "--steps", 2 if here.cpu else 10,
                  "--seconds", 1 if here.cpu else 4]
        ours = measured(here, rows, f"mga, {work}", here.program("mga", "bench", "train", *common, "--json"))
        for kind, options in PYTORCH.items():
            command = here.script("compare/step.py", "train", *common, *options)
            theirs = measured(here, rows, f"PyTorch in {kind}, {work}", command)
            if ours and theirs:
                time, memory = (ours[key] / theirs[key] for key in ["median_ms", "memory_mib"])
                rows.add(5, f"mga in fp32 / PyTorch in {kind}, {work}", "measured",
                         f"time {time:.2f}, memory {memory:.2f}", time_ratio=time, memory_ratio=memory)


def measured(here, rows, what, command):
    """The step's median time, and the most memory: of the card, by its driver, or on the CPU of the process."""
    samples = None if here.cpu else sampling.Samples()
    try:
        status, output = here.run(command, f"{what.replace(' ', '-').replace(',', '')}.log", 60)
    except TimeoutError as error:
        rows.add(5, what, "FAILED", error)
        return None
    finally:
        found = samples.stop() if samples else []
    if status != 0:
        rows.add(5, what, "FAILED", last(output))
        return None
    times = json.loads(output.splitlines()[-1])
    memory = times["peak_memory_mib"]
    if not here.cpu:
        if not found:
            rows.add(5, what, "FAILED", "nvidia-smi tells no memory")
            return None
        # The first sample is of before the program came to use the card.
        memory = max(m for _, _, m in found) - found[0][2]
    rows.add(5, what, "measured", f"{times['median_ms']:.1f} ms a step, {memory:.0f} MiB", memory_mib=memory, **times)
    return {**times, "memory_mib": memory}
