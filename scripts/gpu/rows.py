"""What the check found: rows as they come, one table and one JSON file."""

import json
import os
import time

STATES = ["ok", "FAILED", "not run", "measured"]


class Rows:
    """Rows of a check. The JSON file is written anew with every row, so that a check that is killed leaves what it had."""

    def __init__(self, file, about):
        self.file, self.about, self.rows, self.began = file, about, [], time.time()

    def add(self, step, what, state, text, **numbers):
        """`state` is one of STATES: `measured` are numbers that nothing was expected of."""
        assert state in STATES, state
        self.rows.append({"step": step, "what": what, "state": state, "text": text, **numbers})
        print(f"  {state}: {what}: {text}", flush=True)
        self.write()

    def held(self, step, what, holds, text, **numbers):
        """A row that is `ok` where something holds."""
        self.add(step, what, "ok" if holds else "FAILED", text, **numbers)

    def guarded(self, step, what, work):
        """Does it; an error of any kind is a row, for what follows is worth having."""
        try:
            work()
        except Exception as error:
            self.add(step, what, "FAILED", f"{type(error).__name__}: {error}")

    def failed(self):
        return [row for row in self.rows if row["state"] == "FAILED"]

    def write(self):
        content = {**self.about, "seconds": round(time.time() - self.began, 1), "rows": self.rows}
        with open(self.file + ".part", "w") as part:
            json.dump(content, part, indent=1)
            part.write("\n")
        os.replace(self.file + ".part", self.file)

    def table(self):
        lines = ["| step | what | | |", "| --- | --- | --- | --- |"]
        clean = lambda text: " ".join(str(text).split()).replace("|", "/")
        lines += [f"| {row['step']} | {clean(row['what'])} | {row['state']} | {clean(row['text'])} |" for row in self.rows]
        return "\n".join(lines)
