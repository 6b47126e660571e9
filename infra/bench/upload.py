"""An upload of 200 MB through each face: seconds and extra memory, beside a bare body reader."""

import os
import socket
import threading
import time
from pathlib import Path
from typing import Any

from infra.bench.api import served
from infra.bench.table import Figure, show

SIZE_BYTES = 200 * 1024 * 1024
LINE = b"G1 X100.123 Y100.456 E0.01234 F1800\n"
BOUNDARY = b"----gantrybench"


def run(*, as_json: bool = False) -> None:
    """Measure and print."""
    block = LINE * (1024 * 1024 // len(LINE))
    count = SIZE_BYTES // len(block)
    with served(1) as facts:
        bare_s, _ = _send(facts, "/bench/sink", [], block, count)
        token = f"X-API-Key: {facts['token']}"
        v1_s, v1_mb = _send(facts, "/api/v1/print-files/upload", [token], block, count)
        key = f"X-Api-Key: {facts['octoprint_key']}"
        path = f"/octoprint/{facts['slug']}/api/files/local"
        octo_s, octo_mb = _send(facts, path, [key], block, count)
    figures = [Figure("bare body reader with sha256", bare_s, "s")]
    for name, seconds, mb in (("v1", v1_s, v1_mb), ("OctoPrint", octo_s, octo_mb)):
        figures.append(Figure(f"{name}: time", seconds, "s", bare_s, "s"))
        figures.append(Figure(f"{name}: extra RSS", mb, "MB", goal="<= 32 MB"))
    title = f"upload of {SIZE_BYTES // 1024**2} MB, scanned for metadata and temperatures"
    show(title, figures, as_json=as_json)


class Refused(RuntimeError):
    """The upload was not taken; the text is the answer."""


def _send(
    facts: dict[str, Any], path: str, headers: list[str], block: bytes, count: int
) -> tuple[float, float]:
    """(seconds until the answer, extra MB of resident memory at the highest)."""
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
