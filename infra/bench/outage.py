"""What a room's people see when parts of a real farm die or hang: heat, offline, back online.

A whole farm (API, agent, sender, a simulated printer), whose parts are killed or stopped in their
tracks; who watches them starts again what died, as `make run` and a service manager do.
"""

import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from infra.bench.table import Figure, show
from infra.farm.started import StartedFarm

API_GONE_S = 60.0  # long enough for an agent's pauses between two tries to become long
HEAT = {"command": "target", "targets": {"tool0": 60}}
_LOOK_S = 0.1
_PATIENCE_S = 120.0


class NeverHappened(RuntimeError):
    """What was waited for did not come; the text is what it was."""


def run(*, as_json: bool = False) -> None:
    """Measure and print."""
    with (
        tempfile.TemporaryDirectory() as directory,
        StartedFarm(Path(directory), "--printers", "1", "--no-demo-job") as started,
    ):
        farm = _Farm(started)
        figures = [_offline(farm), _agent_back(farm), _api_back(farm), _heat(farm)]
        farm.close()
    show("parts of a farm die or hang", figures, as_json=as_json)


class _Farm:
    """A farm and its one printer, as its API shows it."""

    def __init__(self, started: StartedFarm) -> None:
        self._started = started
        self.printer = started.ready["printers"][0]
        self.executed = Path(self.printer["executed_log"])
        self._http = httpx.Client(trust_env=False, timeout=10.0)

    def close(self) -> None:
        """Let go of its connections."""
        self._http.close()

    def process(self, name: str) -> int:
        """The process id of the API or the agent as it runs now."""
        return int(self._started.ready["processes"][name])

    def sender(self) -> int:
        """The process id of the printer's sender."""
        return int(self._started.ready["printers"][0]["sender_pid"])

    def status(self) -> str:
        """How the API shows the printer."""
        ready = self._started.ready
        answer = self._http.get(
            f"{ready['url']}/api/v1/printers/{self.printer['id']}",
            headers={"X-API-Key": ready["token"]},
        )
        return str(answer.raise_for_status().json()["status"])

    def post(self, path: str, body: dict[str, Any]) -> bool:
        """Whether OctoPrint's *path* took *body*."""
        key = {"X-Api-Key": self.printer["octoprint_key"]}
        try:
            url = f"{self.printer['octoprint_url']}{path}"
            return self._http.post(url, json=body, headers=key).is_success
        except httpx.HTTPError:
            return False

    def did(self, command: bytes) -> int:
        """How often the printer executed *command*."""
        return self.executed.read_bytes().count(command)


def _offline(farm: _Farm) -> Figure:
    with _stopped(farm.process("agent")):
        took_s = _until(lambda: farm.status() == "offline", "the printer is shown offline")
    return Figure("agent hangs: its printer is shown offline after", took_s, "s", goal="<= 45 s")


def _agent_back(farm: _Farm) -> Figure:
    """From the moment that the agent goes on."""
    took_s = _until(lambda: farm.status() == "idle", "the printer is shown online")
    return Figure("  agent goes on: its printer is back after", took_s, "s", goal="<= 10 s")


def _api_back(farm: _Farm) -> Figure:
    """The API hangs for a minute; from the moment it goes on until a command arrives again."""
    with _stopped(farm.process("api")):
        time.sleep(API_GONE_S)
    marks = iter(range(1_000_000))

    def arrives() -> bool:
        mark = f"M117 back {next(marks)}"
        farm.post("/api/printer/command", {"command": mark})
        return farm.did(b"M117 back") > 0 and farm.status() == "idle"

    took_s = _until(arrives, "a command reaches the printer")
    return Figure(
        f"API hung for {API_GONE_S:.0f} s: the printer takes commands after",
        took_s,
        "s",
        goal="<= 10 s",
    )


def _heat(farm: _Farm) -> Figure:
    """A target without a job; then agent and sender are killed at once."""
    _until(lambda: farm.post("/api/printer/tool", HEAT), "a target is taken")
    _until(lambda: farm.did(b"M104 S60") + farm.did(b"M104 T0 S60") > 0, "the heater is on")
    offs = farm.did(b"M104 S0") + farm.did(b"M104 T0 S0")
    for pid in (farm.process("agent"), farm.sender()):
        os.kill(pid, signal.SIGKILL)
    took_s = _until(
        lambda: farm.did(b"M104 S0") + farm.did(b"M104 T0 S0") > offs, "the heater is off"
    )
    return Figure("agent and sender killed: heaters are off after", took_s, "s", goal="<= 15 s")


@contextmanager
def _stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _until(is_it: Callable[[], bool], what: str) -> float:
    """Seconds until *is_it*. Raises `NeverHappened`."""
    began = time.monotonic()
    while not is_it():
        if time.monotonic() > began + _PATIENCE_S:
            raise NeverHappened(f"after {_PATIENCE_S:.0f} s still not: {what}")
        time.sleep(_LOOK_S)
    return time.monotonic() - began
