"""A headless Chromium, driven over its DevTools protocol; Debian's package `chromium`."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

PATIENCE = 60.0
"""Longest to wait for a browser on a busy machine."""


def found() -> str:
    """The browser of this machine; "" where there is none."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or ""


class Browser:
    """One page of one browser with a profile of its own. Blocks: run it in a thread."""

    def __init__(self) -> None:
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        flags = ["--headless", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage"]
        flags += ["--disable-background-networking", "--disable-component-update"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            flags.append("--no-sandbox")  # in a container of CI; what it opens is our own
        self._process = subprocess.Popen(
            [found(), *flags, f"--user-data-dir={self._profile.name}", "--remote-debugging-port=0"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        file = Path(self._profile.name) / "DevToolsActivePort"
        port = self.until(lambda: file.exists() and file.read_text().split("\n")[0])
        new = Request(f"http://127.0.0.1:{port}/json/new?about:blank", method="PUT")
        with urlopen(new, timeout=PATIENCE) as answer:  # noqa: S310  # of our own process
            page = json.load(answer)
        from websockets.sync.client import connect

        self._stack = ExitStack()
        self._socket = self._stack.enter_context(
            connect(page["webSocketDebuggerUrl"], max_size=None, proxy=None)
        )
        self._number = 0
        self.do("Page.enable")
        self.do("Runtime.enable")

    def do(self, method: str, **params: Any) -> dict[str, Any]:
        """One command, and what comes of it."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": params}))
        while True:
            message = json.loads(self._socket.recv(timeout=PATIENCE))
            if message.get("id") == self._number:
                assert "error" not in message, message["error"]
                result: dict[str, Any] = message["result"]
                return result

    def go(self, url: str) -> None:
        self.do("Page.navigate", url=url)
        self.until(lambda: self.value("document.readyState") == "complete")

    def value(self, expression: str) -> Any:
        """What a JavaScript expression comes to in the page."""
        with suppress(AssertionError):  # while it goes from one page to the next
            told = self.do("Runtime.evaluate", expression=expression, returnByValue=True)
            return told["result"].get("value")
        return None

    def type(self, text: str) -> None:
        """Into what has the focus."""
        self.do("Input.insertText", text=text)

    def press(self, key: str) -> None:
        code = {"Enter": 13, "Tab": 9}[key]
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.do(
                "Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **text
            )

    def prefer(self, scheme: str) -> None:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.do("Emulation.setEmulatedMedia", features=features)

    def names(self) -> list[tuple[str, str]]:
        """Role and name of everything that a screen reader tells."""
        nodes = self.do("Accessibility.getFullAXTree")["nodes"]
        told = [each for each in nodes if not each.get("ignored")]
        return [(each["role"]["value"], each.get("name", {}).get("value", "")) for each in told]

    def picture(self, width: int, height: int) -> bytes:
        self.do(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        return base64.b64decode(self.do("Page.captureScreenshot", format="png")["data"])

    def until(self, true: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + PATIENCE
        while not (so := true()):
            assert time.monotonic() < deadline, "it never came true"
            time.sleep(0.02)
        return so

    def close(self) -> None:
        with suppress(Exception):
            self.do("Browser.close")
        with suppress(Exception):
            self._stack.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._profile.cleanup()
