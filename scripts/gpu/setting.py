"""Where the check runs, and how it starts programs."""

import dataclasses
import os
import subprocess
import sys
import time


@dataclasses.dataclass
class Setting:
    cpu: bool  # every step on the CPU, at small sizes
    pack: str  # the unpacked pack
    work: str  # what steps leave for each other: gone at the end
    out: str  # table, numbers and logs
    tree: str  # the checked-out repository
    end: float  # the moment at which a step has to give way to the next

    @property
    def device(self):
        """As mga and PyTorch both call it."""
        return "cpu" if self.cpu else "cuda:0"

    def left(self):
        return self.end - time.time()

    def path(self, name):
        return os.path.join(self.work, name)

    def log(self, name):
        return os.path.join(self.out, name)

    def program(self, name, *arguments):
        """The command of a program of the pack."""
        return [os.path.join(self.pack, "launch.sh"), name, *map(str, arguments)]

    def script(self, name, *arguments):
        """The command of a script of the tree."""
        return [sys.executable, os.path.join(self.tree, "scripts", name), *map(str, arguments)]

    def environment(self, **more):
        """Tests find their device and their fixtures by it."""
        return os.environ | {
            "MGA_TEST_DEVICE": self.device,
            "CARGO_MANIFEST_DIR": os.path.join(self.tree, "mga-models"),
            "OMP_WAIT_POLICY": "PASSIVE",
            "RUST_BACKTRACE": "0",
        } | more

    def run(self, command, log, seconds=3600.0, **environment):
        """Runs it for at most `seconds`, and no longer than the step has; gives status and output, which is kept in `log`."""
        limit = min(seconds, self.left())
        if limit <= 1:
            raise TimeoutError("no time is left for it")
        started = time.time()
        done = subprocess.Popen(
            command, env=self.environment(**environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            output, _ = done.communicate(timeout=limit)
            status = done.returncode
        except subprocess.TimeoutExpired:
            done.kill()
            output, status = done.communicate()[0], None
        with open(self.log(log), "w") as file:
            file.write(f"{' '.join(command)}\n{output}\nstatus {status}, {time.time() - started:.1f} seconds\n")
        if status is None:
            raise TimeoutError(f"ended after {limit:.0f} seconds, for the check's time is short: {last(output)}")
        return status, output


def last(output):
    """The line that says most about a failure: an error's, or the last (where Python puts it)."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("error")]
    return (errors or lines or ["it said nothing"])[-1]
