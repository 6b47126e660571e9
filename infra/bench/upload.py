"""Uploads through each face: seconds and extra memory, beside a bare body reader."""

import os
import socket
import threading
import time
from pathlib import Path
from typing import Any

from infra.bench.api import served
from infra.bench.table import Figure, show

TIMED_MB = 50
TIMES = 5  # the best of: what else the machine does is not the question
LARGE_MB = 500
LINE = b"G1 X100.123 Y100.456 E0.01234 F1800\n"
BOUNDARY = b"----gantrybench"


def run(*, as_json: bool = False) -> None:
    """Measure and print."""
    with served(1) as facts:
        path = f"/octoprint/{facts['slug']}/api/files/local"
        faces = {
            "v1": ("/api/v1/print-files/upload", [f"X-API-Key: {facts['token']}"]),
            "OctoPrint": (path, [f"X-Api-Key: {facts['octoprint_key']}"]),
        }
        targets = {"bare": ("/bench/sink", list[str]()), **faces}
        runs = [
            {name: send(facts, *target, TIMED_MB)[0] for name, target in targets.items()}
            for _ in range(TIMES)
        ]
        best = {name: min(run[name] for run in runs) for name in targets}
        figures = [Figure(f"{TIMED_MB} MB, bare body reader with sha256", best["bare"], "s")]
        for name in faces:
            what = f"{TIMED_MB} MB, {name}"
            figures.append(Figure(what, best[name], "s", best["bare"], "s", "ratio <= 1.5"))
        for name, target in faces.items():
            seconds, extra_mb = send(facts, *target, LARGE_MB)
            figures.append(Figure(f"{LARGE_MB} MB, {name}", seconds, "s"))
            figures.append(Figure("  its extra RSS", extra_mb, "MB", goal="<= 32 MB"))
    title = "uploads, hashed, stored durably, scanned for metadata and temperatures"
    show(title, figures, as_json=as_json)


class Refused(RuntimeError):
    """The upload was not taken; the text is the answer."""


def send(facts: dict[str, Any], path: str, headers: list[str], size_mb: int) -> tuple[float, float]:
    """(seconds until the answer, extra MB of resident memory at the highest)."""
    block = LINE * (1024 * 1024 // len(LINE))
    count = size_mb * 1024 * 1024 // len(block)
    head = (
        b"--" + BOUNDARY + b'\r\nContent-Disposition: form-data; name="file"; '
        b'filename="bench.gcode"\r\nContent-Type: text/plain\r\n\r\n'
    )
    tail = b"\r\n--" + BOUNDARY + b"--\r\n"
    mark = f"; {path} {os.urandom(8).hex()}\n".encode()  # no two uploads are the same file
    length = len(head) + len(mark) + len(block) * count + len(tail)
    lines = [
        f"POST {path} HTTP/1.1",
        f"Host: 127.0.0.1:{facts['port']}",
        f"Content-Length: {length}",
        f"Content-Type: multipart/form-data; boundary={BOUNDARY.decode()}",
        "Connection: close",
        *headers,
    ]
    address = ("127.0.0.1", facts["port"])
    with socket.create_connection(address) as connection, Watch(facts["pid"]) as watch:
        started = time.perf_counter()
        connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode() + head + mark)
        for _ in range(count):
            connection.sendall(block)
        connection.sendall(tail)
        answer = connection.recv(65536)
        seconds = time.perf_counter() - started
    if not answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 201")):
        raise Refused(answer.decode("utf-8", "replace")[:500])
    return seconds, watch.extra_mb


class Watch:
    """The highest resident memory of a process while in use, above what it was before."""

    def __init__(self, pid: int) -> None:
        self._statm = Path(f"/proc/{pid}/statm")
        self._before = self._peak = self._rss()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    @property
    def extra_mb(self) -> float:
        """MB above the start."""
        return (self._peak - self._before) / 1e6

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._done.wait(0.02):
            self._peak = max(self._peak, self._rss())

    def _rss(self) -> int:
        return int(self._statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
