"""Step 2: convolutions, every operator's gradient check, steps and reference fixtures, on the device."""

import re

import convolutions
from setting import last

RESULT = re.compile(r"test result: \w+\. (\d+) passed; (\d+) failed")
# The list at the very end.
FAILED = re.compile(r"^    (\S+)$", re.MULTILINE)
PANIC = re.compile(r"panicked at .*\n(.*)")
MISS = re.compile(r"^  (.+: gap \S+, tolerance \S+)$", re.MULTILINE)
# On the CPU these take minutes, and `cargo test` has them; one shows that they run.
SMALL = "resnet18_none"


def check(here, rows):
    of(here, rows, "convolutions, against the CPU", "device", ["convolutions"])
    rows.guarded(2, "convolutions, against PyTorch", lambda: convolutions.check(here, rows))
    # Modules with operators in them: `attention` and `cbam` are composed of several.
    of(here, rows, "the operators, with their gradient checks", "operators", ["ops::", "attention::", "cbam::"])
    of(here, rows, "gradient check of doubling", "models", ["doubling"])
    of(here, rows, "three steps, ties, NaN, against the CPU", "device", ["steps"])
    fixtures = [f"fixtures::{SMALL}"] if here.cpu else ["fixtures"]
    of(here, rows, "reference fixtures of PyTorch's float64", "device", [*fixtures, "--include-ignored"])


def of(here, rows, what, program, filters):
    """Runs the tests of a program that a filter names."""
    log = f"{program}-{re.sub('[^a-z]+', '-', what.lower()).strip('-')}.log"
    command = here.program(program, *filters, "--show-output", "--test-threads", 2 if here.cpu else 1)
    # TF32 off: these are about what is computed, not how fast.
    try:
        _, output = here.run(command, log, MGA_TEST_OUT=here.work, NVIDIA_TF32_OVERRIDE="0")
    except TimeoutError as error:
        rows.add(2, what, "FAILED", error)
        return
    found = RESULT.search(output)
    if not found:
        rows.add(2, what, "FAILED", f"the tests did not come to an end: {last(output)}; {log}")
        return
    passed, failed = map(int, found.groups())
    text = f"{passed} passed"
    if failed:
        names = FAILED.findall(output[output.rindex("\nfailures:\n") :])
        why = list(dict.fromkeys(MISS.findall(output) or PANIC.findall(output)))
        text += f", {failed} failed: {some(names, ', ')}; {some(why, '; ')}"
    if passed + failed == 0:
        text = f"no test is called {' or '.join(filters)}"
    rows.held(2, what, passed > 0 and failed == 0, f"{text}; {log}", passed=passed, failed=failed)


def some(what, joined):
    """The first few, and how many more there are; the log has them all."""
    shown, more = what[:5], len(what) - 5
    return joined.join(shown) + (f" and {more} more" if more > 0 else "")
