#!/usr/bin/env python3
"""Opens a report's page in headless Chromium and uses it as a reader does.

    check_page.py PAGE.html [--screenshots DIR]

Checks: nothing on the console and no error; no request leaves the page; a click on a head sorts, by keyboard too; typing
filters; an arm can be hidden; every picture loads; nothing is wider than the window at 1280 and 390 pixels; names with
markup in them are text. Needs Chromium (Debian's `chromium`, or CHROMIUM=PATH) and Python's own library alone: it talks to
the browser over the pipe of its debugging protocol.
"""

import argparse
import base64
import json
import os
import pathlib
import select
import shutil
import subprocess
import sys
import tempfile
import time

ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--remote-debugging-pipe",
]
PATIENCE = 120.0


class Browser:
    """A Chromium with one page, and what it reported."""

    def __init__(self, program, profile):
        command_read, self.write_end = os.pipe()
        self.read_end, answer_write = os.pipe()

        def three_and_four():
            # The protocol's pipes are file descriptors 3 and 4.
            a, b = os.dup(command_read), os.dup(answer_write)
            os.dup2(a, 3), os.dup2(b, 4)

        self.process = subprocess.Popen(
            [program, *ARGUMENTS, f"--user-data-dir={profile}", "about:blank"],
            preexec_fn=three_and_four, close_fds=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )
        os.close(command_read), os.close(answer_write)
        self.number, self.buffer, self.events, self.session = 0, b"", [], None
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def message(self, until):
        while b"\0" not in self.buffer:
            if not select.select([self.read_end], [], [], max(0.0, until - time.monotonic()))[0]:
                raise TimeoutError("Chromium does not answer")
            data = os.read(self.read_end, 1 << 20)
            if not data:
                raise EOFError("Chromium ended")
            self.buffer += data
        text, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, **parameters):
        self.number += 1
        call = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            call["sessionId"] = self.session
        os.write(self.write_end, json.dumps(call).encode() + b"\0")
        until = time.monotonic() + PATIENCE
        while True:
            message = self.message(until)
            if message.get("id") == self.number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                return message["result"]
            self.events.append(message)

    def wait_for(self, method):
        until = time.monotonic() + PATIENCE
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self.message(until))

    def evaluate(self, script):
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise RuntimeError(f"{result['exceptionDetails']}\nin {script}")
        return result["result"].get("value")

    def window(self, width, height, scheme):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setScrollbarsHidden", hidden=True)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def screenshot(self, path, top=0, height=None):
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": top, "width": size["width"], "height": min(height or 1e9, size["height"] - top, 12000), "scale": 1}
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
        path.write_bytes(base64.b64decode(shot["data"]))

    def close(self):
        try:
            self.call("Browser.close")
        except (EOFError, TimeoutError, RuntimeError, OSError):
            pass
        try:
            self.process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.read_end), os.close(self.write_end)


def expect(is_so, what):
    if not is_so:
        raise AssertionError(what)


def complaints(events):
    """What the browser reported that a good page gives no reason for."""
    said, requests = [], []
    for event in events:
        method, of = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            said.append(json.dumps(of["exceptionDetails"])[:500])
        elif method == "Runtime.consoleAPICalled" and of["type"] in ("error", "warning", "assert"):
            said.append(json.dumps(of["args"])[:500])
        elif method == "Log.entryAdded" and of["entry"]["level"] in ("error", "warning"):
            said.append(of["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            requests.append(of["request"]["url"][:100])
    return said, requests


# The texts of a column, of the rows that are shown.
COLUMN = """(id, column) => [...document.getElementById(id).tBodies[0].rows].filter(row => !row.hidden)
    .map(row => row.cells[column].getAttribute('data-key'))"""


def sorts(browser, table):
    heads = browser.evaluate(f"[...document.querySelectorAll('#{table} thead th')].map(h => h.hasAttribute('data-number'))")
    for column, number in enumerate(heads):
        button = f"document.querySelectorAll('#{table} thead button')[{column}]"
        for order in ("ascending", "descending"):
            browser.evaluate(f"{button}.click()")
            state = browser.evaluate(f"{button}.parentElement.getAttribute('aria-sort')")
            expect(state == order, f"{table}, column {column}: aria-sort is {state}, not {order}")
            others = browser.evaluate(f"document.querySelectorAll('#{table} th[aria-sort]:not([aria-sort=none])').length")
            expect(others == 1, f"{table}: {others} columns say that they are sorted")
            if number:
                keys = browser.evaluate(f"({COLUMN})('{table}', {column})")
                values = [float(key) for key in keys if key != ""]
                expect(values == sorted(values, reverse=order == "descending"), f"{table}, column {column}: {values}")
                expect(all(key == "" for key in keys[len(values):]), f"{table}, column {column}: gaps are not last: {keys}")
    # By keyboard: a button is reached with tab and pressed with enter.
    browser.evaluate(f"document.querySelector('#{table} thead button').focus()")
    for kind in ("rawKeyDown", "char", "keyUp"):
        browser.call("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r")
    state = browser.evaluate(f"document.querySelector('#{table} thead th').getAttribute('aria-sort')")
    expect(state == "ascending", f"{table}: enter on a head does not sort ({state})")
    names = browser.evaluate(f"({COLUMN})('{table}', 0)")
    in_order = browser.evaluate(f"{json.dumps(names)}.toSorted(new Intl.Collator('en', {{numeric: true, sensitivity: 'base'}}).compare)")
    expect(names == in_order, f"{table}: names are not sorted: {names}")


def filters(browser, table):
    rows = browser.evaluate(f"({COLUMN})('{table}', 0)")
    word = rows[-1]
    browser.evaluate(f"document.getElementById('filter-{table}').focus()")
    browser.call("Input.insertText", text=word.upper())
    shown = browser.evaluate(f"[...document.getElementById('{table}').tBodies[0].rows].filter(r => r.getClientRects().length).map(r => r.textContent)")
    words = word.lower().split()
    expect(shown and all(all(part in text.lower() for part in words) for text in shown), f"{table}: {word} shows {shown}")
    count = browser.evaluate(f"document.getElementById('count-{table}').value")
    expect(count.startswith(f"{len(shown)} of {len(rows)} "), f"{table}: the count says {count}")
    browser.call("Input.insertText", text=" no-such-row")
    expect(browser.evaluate(f"({COLUMN})('{table}', 0).length") == 0, f"{table}: rows are shown that do not have the text")
    browser.evaluate(f"(() => {{ const i = document.getElementById('filter-{table}'); i.value = ''; i.dispatchEvent(new Event('input')); }})()")
    expect(browser.evaluate(f"({COLUMN})('{table}', 0).length") == len(rows), f"{table}: an empty filter hides rows")


def hides(browser):
    if not browser.evaluate("!!document.querySelector('[data-shows]')"):
        return
    opacity = "getComputedStyle(document.querySelector('main figure:not([data-series]) [data-series=\"0\"]')).opacity"
    if browser.evaluate("!!document.querySelector('main figure:not([data-series]) [data-series=\"0\"]')"):
        browser.evaluate("document.querySelector('[data-shows=\"0\"]').click()")
        expect(float(browser.evaluate(opacity)) < 1, "an arm that is switched off is still drawn")
        browser.evaluate("document.querySelector('[data-shows=\"0\"]').click()")
        expect(float(browser.evaluate(opacity)) == 1, "an arm that is switched on again is not drawn")


def pictures(browser):
    """Waits for every picture; they are in what was opened before."""
    browser.evaluate("""(async () => {
        const images = [...document.images];
        images.forEach(i => i.loading = 'eager');
        await Promise.all(images.map(i => i.decode().catch(() => null)));
    })()""")
    images = browser.evaluate("[...document.images].map(i => [i.alt, i.complete, i.naturalWidth])")
    expect(all(complete and width > 0 for _, complete, width in images), f"pictures that do not load: {images}")
    return len(images)


def overlapping(browser):
    """Pairs of texts of a plot that cover each other."""
    return browser.evaluate("""(() => {
        const found = [];
        for (const plot of document.querySelectorAll('figure svg.plot')) {
            const texts = [...plot.querySelectorAll('text')].map(t => [t.lastChild.data, t.getBoundingClientRect()]);
            const paper = plot.getBoundingClientRect();
            for (const [text, box] of texts) {
                if (box.left < paper.left - 1 || box.right > paper.right + 1 || box.bottom > paper.bottom + 1)
                    found.push([plot.ariaLabel.slice(0, 60), text, 'leaves the paper']);
            }
            for (let i = 0; i < texts.length && texts.length < 400; i++) for (let j = 0; j < i; j++) {
                const [a, b] = [texts[i][1], texts[j][1]];
                const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
                const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
                if (across > 2 && down > 4) found.push([plot.ariaLabel.slice(0, 60), texts[i][0], texts[j][0]]);
            }
        }
        return found;
    })()""")


def check(browser, page, screenshots):
    browser.window(1280, 900, "light")
    browser.call("Page.navigate", url=page.resolve().as_uri())
    browser.wait_for("Page.loadEventFired")
    browser.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    tables = browser.evaluate("[...document.querySelectorAll('table.sortable')].map(t => t.id)")
    expect({"arms", "runs"} <= set(tables), f"tables: {tables}")
    for table in tables:
        sorts(browser, table)
        filters(browser, table)
    hides(browser)
    count = pictures(browser)
    found = overlapping(browser)
    expect(not found, f"texts of plots that cover each other: {found[:10]}")
    expect(browser.evaluate("document.scripts.length") == 1, "a script came in with foreign text")
    for name, width in (("wide", 1280), ("narrow", 390)):
        for scheme in ("light", "dark"):
            browser.window(width, 900, scheme)
            wide = browser.evaluate("document.documentElement.scrollWidth")
            expect(wide <= width, f"at {width} pixels the page is {wide} wide")
            paper = browser.evaluate("getComputedStyle(document.body).backgroundColor")
            expect((paper == "rgb(255, 255, 255)") == (scheme == "light"), f"{scheme}: the paper is {paper}")
            if screenshots:
                browser.screenshot(screenshots / f"{name}-{scheme}.png")
    said, requests = complaints(browser.events)
    expect(not said, "the browser complains: " + "; ".join(said))
    strangers = [url for url in requests if not url.startswith(("data:", page.resolve().as_uri()))]
    expect(not strangers, f"the page asks for {strangers}")
    size = page.stat().st_size / 1e6
    print(f"{page}: {size:.1f} MB, tables {', '.join(tables)}, {count} pictures: all is well")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", type=pathlib.Path)
    parser.add_argument("--screenshots", type=pathlib.Path, help="a folder for pictures of the page")
    arguments = parser.parse_args()
    program = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not program:
        sys.exit("there is no Chromium: install Debian's package `chromium`, or say where it is with CHROMIUM=PATH")
    if arguments.screenshots:
        arguments.screenshots.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        browser = Browser(program, profile)
        try:
            check(browser, arguments.page, arguments.screenshots)
        except AssertionError as error:
            sys.exit(f"{arguments.page}: {error}")
        finally:
            browser.close()


if __name__ == "__main__":
    main()
