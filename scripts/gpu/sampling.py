"""What nvidia-smi says of the first card, again and again while something else runs."""

import subprocess
import threading
import time


class Samples:
    """Load in percent and memory in MiB, every fifth of a second, with the moment of each."""

    def __init__(self):
        query = ["nvidia-smi", "--id=0", "--query-gpu=utilization.gpu,memory.used", "--format=csv,noheader,nounits",
                 "--loop-ms=200"]
        self.found = []
        self.process = None
        try:
            self.process = subprocess.Popen(query, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        except FileNotFoundError:  # no nvidia-smi: whoever asks finds no samples, and says so
            return
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()
        # The first sample is what was there before, so whoever asks waits for it.
        end = time.time() + 5
        while not self.found and time.time() < end and self.process.poll() is None:
            time.sleep(0.02)

    def listen(self):
        for line in self.process.stdout:
            try:
                load, memory = (float(part) for part in line.split(","))
            except ValueError:  # "[N/A]"
                continue
            self.found.append((time.time(), load, memory))

    def stop(self):
        if self.process:
            self.process.kill()
            self.thread.join(2)
        return self.found
