"""A real browser for flow tests: Chromium without a window, driven over its own protocol."""

import base64
import json
import os
import shutil
import subprocess
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

from websockets.sync.client import ClientConnection, connect

CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome")
     if (found := shutil.which(name))), None
)  # fmt: skip

#: Chromium draws without a graphics card here, beside everything else that runs.
ANSWER_S = 90.0


class Page:
    """One page; `complaints` is what the browser wrote to its console: refusals, errors."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._number = 0
        self.complaints: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self._call(f"{domain}.enable")

    def open(self, url: str) -> None:
        self._call("Page.navigate", url=url)

    def ignore_policy(self) -> None:
        """What the page's own policy forbids is allowed: for programs that are not the page's."""
        self._call("Page.setBypassCSP", enabled=True)

    def run(self, script: str) -> Any:
        """The value of *script*, an expression; a promise is waited for."""
        answer = self._call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait(self, script: str, timeout_s: float = 30.0) -> Any:
        """The first true value of *script*."""
        deadline = time.monotonic() + timeout_s
        while not (value := self.run(script)):
            assert time.monotonic() < deadline, (script, self.complaints, self.run(_TEXT))
            time.sleep(0.05)
        return value

    def click(self, selector: str) -> None:
        self.wait(f"document.querySelector({json.dumps(selector)}) !== null")
        self.run(f"document.querySelector({json.dumps(selector)}).click()")

    def type(self, selector: str, text: str) -> None:
        """Put *text* into a field as a person does: the page's own listeners hear of it."""
        self.wait(f"document.querySelector({json.dumps(selector)}) !== null")
        self.run(
            f"(() => {{ const field = document.querySelector({json.dumps(selector)});"
            "field.focus(); field.select(); })()"
        )
        self._call("Input.insertText", text=text)

    def picture(self, path: Path) -> None:
        """A PNG of what is visible."""
        path.write_bytes(base64.b64decode(self._call("Page.captureScreenshot")["data"]))

    def _call(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        self._connection.send(json.dumps(message))
        while True:
            answer = json.loads(self._connection.recv(ANSWER_S))
            if answer.get("id") == self._number:
                assert "error" not in answer, (method, answer)
                return answer["result"]
            self._hear(answer)

    def _hear(self, event: dict[str, Any]) -> None:
        if event.get("method") == "Log.entryAdded":
            entry = event["params"]["entry"]
            if entry["level"] == "error":
                self.complaints.append(f"{entry['text']} {entry.get('url', '')}")
        elif event.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(str(event["params"]["exceptionDetails"]))


_TEXT = "document.body.innerText.slice(0, 2000)"


class Browser:
    """`with Browser(directory) as browser: page = browser.page()`."""

    def __init__(self, directory: Path) -> None:
        assert CHROMIUM is not None
        self._directory = directory
        self._process = subprocess.Popen(
            [
                *(CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"),
                *(
                    "--disable-dev-shm-usage",
                    "--remote-debugging-port=0",
                    "--window-size=1280,1400",
                ),
                *("--disable-background-networking", "--disable-component-update"),
                *(f"--user-data-dir={directory}", "--remote-allow-origins=*", "about:blank"),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": str(directory)},
        )
        self._open = ExitStack()

    def __enter__(self) -> "Browser":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()
        self._process.terminate()
        self._process.wait(20.0)

    def page(self) -> Page:
        """A new page."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port()}/json/new?about:blank", method="PUT"
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=10.0) as answer:
            url = json.loads(answer.read())["webSocketDebuggerUrl"]
        return Page(self._open.enter_context(connect(url, max_size=None, proxy=None)))

    def _port(self) -> int:
        file = self._directory / "DevToolsActivePort"
        deadline = time.monotonic() + 30.0
        while not (file.exists() and file.read_text(encoding="utf-8").strip()):
            assert self._process.poll() is None, "the browser ended at its start"
            assert time.monotonic() < deadline, "the browser did not start"
            time.sleep(0.05)
        return int(file.read_text(encoding="utf-8").splitlines()[0])
