"""The OctoPrint face: hot reads, an upload, the analysis of a file, a hundred OctoPrints at once.

With `PEERS=1` in the environment the upload also goes to OctoPrint itself, from PyPI, in its own
virtual environment. What two hundred push sockets cost is measured by `feed`.
"""

import asyncio
import lzma
import os
import resource
import secrets
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from api.files.analysis.child import read_file
from infra.bench import peers
from infra.bench.api import served
from infra.bench.load import measure
from infra.bench.table import Figure, show
from infra.bench.upload import TIMED_MB, TIMES, send

OCTOPRINTS = 100
READS_GOAL = ">= 1 400/s, ratio >= 0.60"
VASE = Path(__file__).parents[1] / "demo" / "vase_medium.gcode.xz"
COPIES = 8  # of 4.9 MB
START_S = 90.0
_LOOP_STEP_S = 0.005


def run(*, as_json: bool = False) -> None:
    """Measure and print."""
    with served(OCTOPRINTS) as facts:
        figures = [*_memory(facts), *_reads(facts), *_uploads(facts)]
    figures += asyncio.run(_analysis())
    show("the OctoPrint face", figures, as_json=as_json)


def _memory(facts: dict[str, Any]) -> list[Figure]:
    """Of the process, after every OctoPrint in it was asked."""
    token = {"X-Api-Key": facts["token"]}
    for number in range(OCTOPRINTS):
        for path in ("api/printer", "api/job", "api/files"):
            _get(f"http://127.0.0.1:{facts['port']}/octoprint/bench-{number}/{path}", token)
    pages = int(Path(f"/proc/{facts['pid']}/statm").read_text("ascii").split()[1])
    resident_mb = pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    name = f"{OCTOPRINTS} virtual OctoPrints in one process"
    return [Figure(name, resident_mb, "MB", goal="<= 250 MB")]


def _get(url: str, headers: dict[str, str]) -> None:
    httpx.get(url, headers=headers, timeout=30.0, trust_env=False).raise_for_status()


def _reads(facts: dict[str, Any]) -> list[Figure]:
    port, key = facts["port"], {"X-Api-Key": facts["octoprint_key"]}
    figures = []
    for path in ("api/printer", "api/job"):
        bare = measure(port, "/bench/hello", {}).per_second
        rate = measure(port, f"/octoprint/{facts['slug']}/{path}", key).per_second
        figures.append(Figure(f"GET …/{path}", rate, "req/s", bare, "req/s hello", READS_GOAL))
    return figures


def _uploads(facts: dict[str, Any]) -> list[Figure]:
    """The best of some, in turn with OctoPrint itself where that was asked for."""
    path = f"/octoprint/{facts['slug']}/api/files/local"
    ours = _timed(facts, path, facts["octoprint_key"])
    name = f"upload of {TIMED_MB} MB"
    if not os.environ.get("PEERS") or "octoprint" not in peers.ready():
        return [Figure(name, min(ours), "s")]
    with _octoprint() as peer:
        theirs = _timed(peer, "/api/files/local", peer["key"])
        ours += _timed(facts, path, facts["octoprint_key"])
    return [Figure(name, min(ours), "s", min(theirs), "s OctoPrint", "ratio <= 1")]


def _timed(facts: dict[str, Any], path: str, key: str) -> list[float]:
    return [send(facts, path, [f"X-Api-Key: {key}"], TIMED_MB)[0] for _ in range(TIMES)]


@contextmanager
def _octoprint() -> Iterator[dict[str, Any]]:
    """OctoPrint on a free port, with a key."""
    program, key = peers.directory() / "bin" / "octoprint", secrets.token_hex(16)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as home:
        base = Path(home) / "octoprint"
        base.mkdir()
        (base / "config.yaml").write_text(_CONFIG.format(key=key), "utf-8")
        common = [str(program), "--basedir", str(base)]
        subprocess.run(
            [*common, "user", "add", "bench", "--password", key, "--admin"],
            check=True,
            capture_output=True,
        )
        process = subprocess.Popen(
            [*common, "serve", "--host", "127.0.0.1", "--port", str(port), "--iknowwhatimdoing"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_for(f"http://127.0.0.1:{port}/api/version", {"X-Api-Key": key})
            yield {"port": port, "pid": process.pid, "key": key}
        finally:
            process.terminate()
            process.wait(30.0)


_CONFIG = """
api: {{key: {key}}}
server: {{firstRun: false, onlineCheck: {{enabled: false}}, pluginBlacklist: {{enabled: false}}}}
plugins: {{_disabled: [softwareupdate, tracking, pluginmanager, announcements, discovery]}}
"""


def _wait_for(url: str, headers: dict[str, str]) -> None:
    until = time.monotonic() + START_S
    while True:
        try:
            _get(url, headers)
        except httpx.HTTPError:
            if time.monotonic() > until:
                raise
            time.sleep(0.5)
        else:
            return


async def _analysis() -> list[Figure]:
    """By the worker process, and how long the event loop beside it had to wait at most."""
    text = lzma.decompress(VASE.read_bytes()) * COPIES
    figures = []
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "large.gcode"
        file.write_bytes(text)
        for work, what in (("analyse", "time by the slicer"), ("timed", "time simulated")):
            late = asyncio.create_task(_latest_s())
            started, cpu_before_s = time.perf_counter(), _children_s()
            await read_file(work, file, 300.0)
            seconds, cpu_s = time.perf_counter() - started, _children_s() - cpu_before_s
            late.cancel()
            waited_s = (await asyncio.gather(late, return_exceptions=True))[0]
            megabytes = len(text) / 1e6
            name = f"analysis of {megabytes:.0f} MB, {what}"
            figures.append(Figure(name, megabytes / seconds, "MB/s", goal=">= 10 MB/s"))
            figures.append(Figure("  per second of CPU (it stands back)", megabytes / cpu_s, "MB"))
            assert isinstance(waited_s, float)
            figures.append(Figure("  the event loop waits at most", waited_s * 1000, "ms"))
    return figures


def _children_s() -> float:
    """CPU seconds of the processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def _latest_s() -> float:
    """How much later than asked a timer went off, until cancelled."""
    latest = 0.0
    try:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(_LOOP_STEP_S)
            latest = max(latest, time.perf_counter() - before - _LOOP_STEP_S)
    except asyncio.CancelledError:
        return latest
