"""Command latency: from the HTTP request to the first byte on the serial line.

A whole farm (API, agent, sender) with one attached printer that answers at once, beside printers in
other rooms that print all the time. The reference is a bare GET to the API in the same run: what
HTTP alone costs. Stops are measured with nothing to do, and with a queue that the printer does not
take any more.
"""

import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from infra.bench.busy import BusyPrinters
from infra.bench.responder import Responder
from infra.bench.table import Figure, show
from infra.farm.started import StartedFarm

COMMANDS = 200
STOPS = 20
BUSY = 99  # and the one that is measured
QUEUED = 200  # commands that wait when the stop comes


class Lost(RuntimeError):
    """A command did not reach the serial line."""


def run(*, as_json: bool = False) -> None:
    """Measure and print."""
    responder = Responder()
    try:
        with tempfile.TemporaryDirectory() as directory:
            arguments = ("--printers", "0", "--no-demo-job", "--attach", f"r={responder.device}")
            with StartedFarm(Path(directory), *arguments) as farm:
                figures = _measure(farm, responder)
        show("command latency", figures, as_json=as_json)
    finally:
        responder.close()


def _measure(farm: StartedFarm, responder: Responder) -> list[Figure]:
    ready = farm.ready
    with BusyPrinters(ready, BUSY):
        return _beside_busy(ready, responder)


def _beside_busy(ready: dict[str, Any], responder: Responder) -> list[Figure]:
    printer = ready["printers"][0]
    octoprint = httpx.Client(
        base_url=printer["octoprint_url"],
        headers={"X-Api-Key": printer["octoprint_key"]},
        trust_env=False,
    )
    v1 = httpx.Client(
        base_url=f"{ready['url']}/api/v1", headers={"X-API-Key": ready["token"]}, trust_env=False
    )
    with octoprint, v1:
        bare = sorted(_bare(v1) for _ in range(COMMANDS))
        commands = sorted(_command(octoprint, responder, turn) for turn in range(COMMANDS))
        stops = sorted(_stop(v1, printer["id"], responder) for _ in range(STOPS))
        full = sorted(_stop(v1, printer["id"], responder, octoprint) for _ in range(STOPS))
    reference = bare[len(bare) // 2]
    busy, waiting = f"{BUSY + 1} printers busy", f"{QUEUED} commands wait"
    return [
        _figure(f"command p50, {busy}", _at(commands, 0.5), reference, "<= 20 ms"),
        _figure(f"command p99, {busy}", _at(commands, 0.99), reference, "<= 80 ms"),
        _figure("remote stop p50", _at(stops, 0.5), reference, ""),
        _figure("remote stop p99", _at(stops, 0.99), reference, "<= 150 ms"),
        _figure(f"remote stop p50, {waiting}", _at(full, 0.5), reference, ""),
        _figure(f"remote stop p99, {waiting}", _at(full, 0.99), reference, "<= 150 ms"),
    ]


def _figure(name: str, value_ms: float, reference_ms: float, goal: str) -> Figure:
    return Figure(name, value_ms, "ms", reference_ms, "ms bare GET /health", goal)


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def _bare(v1: httpx.Client) -> float:
    started = time.perf_counter()
    v1.get("/health").raise_for_status()
    return (time.perf_counter() - started) * 1000


def _command(octoprint: httpx.Client, responder: Responder, turn: int) -> float:
    text = f"M117 bench {turn} "
    responder.watch(text.strip().encode())
    started = time.perf_counter()
    octoprint.post("/api/printer/command", json={"command": text.strip()}).raise_for_status()
    return _took(responder, text.strip().encode(), started)


def _stop(
    v1: httpx.Client, printer_id: int, responder: Responder, queue: httpx.Client | None = None
) -> float:
    """One stop; with *queue*, OctoPrint's face, the printer stops answering before."""
    if queue is not None:
        responder.hold()
        commands = [f"M117 waits {number}" for number in range(QUEUED)]
        queue.post("/api/printer/command", json={"commands": commands})
    responder.watch(b"M112")
    started = time.perf_counter()
    v1.post(f"/printers/{printer_id}/remote-stop").raise_for_status()
    took = _took(responder, b"M112", started)
    responder.release()
    v1.post(f"/printers/{printer_id}/reset-stop").raise_for_status()
    v1.post(f"/printers/{printer_id}/connect").raise_for_status()
    _until_idle(v1, printer_id)
    return took


def _took(responder: Responder, text: bytes, started: float) -> float:
    arrived = responder.arrived(text, 5.0)
    if arrived is None:
        raise Lost(f"{text.decode()} did not reach the serial line within 5 s")
    return (arrived - started) * 1000


def _until_idle(v1: httpx.Client, printer_id: int) -> None:
    deadline = time.monotonic() + 20.0
    while time.monotonic() < deadline:
        if v1.get(f"/printers/{printer_id}").json()["status"] == "idle":
            return
        time.sleep(0.05)
    raise Lost(f"printer {printer_id} did not come back after the stop was reset")
