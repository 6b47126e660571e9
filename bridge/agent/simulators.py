"""Simulated printers of this bridge: detached processes that outlive the agent, like real ones."""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from bridge.agent.detached import Children
from bridge.agent.status import SimulatorStatus
from bridge.control.lock import is_held, read_pid

log = logging.getLogger(__name__)

START_S = 10.0
CHECK_S = 2.0
_POLL_S = 0.02


class Simulated(Protocol):
    """A configured simulated printer."""

    @property
    def name(self) -> str:
        """Its name: the port is `virtual:NAME`."""

    def arguments(self, link: str) -> list[str]:
        """What follows `python` on the command line that starts it at *link*."""


class Simulators:
    """The configured simulated printers, their links in *runtime*."""

    def __init__(self, printers: Sequence[Simulated], runtime: Path, children: Children) -> None:
        self._printers = printers
        self._children = children
        self.links = {printer.name: link_of(runtime, printer.name) for printer in printers}

    async def start(self) -> None:
        """Start those that do not run and wait for their links, at most 10 s."""
        self._start_missing()
        try:
            async with asyncio.timeout(START_S):
                while not all(link.exists() for link in self.links.values()):  # noqa: ASYNC110
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            missing = [name for name, link in self.links.items() if not link.exists()]
            log.error(
                "simulators %s did not start, see %s",
                ", ".join(missing),
                self._children.log_path(f"simulator-{missing[0]}"),
            )

    async def run(self) -> None:
        """Start again what dies, for ever."""
        while True:
            await asyncio.sleep(CHECK_S)
            self._start_missing()

    def status(self) -> list[SimulatorStatus]:
        """Each of them, for `bridge status`."""
        return [
            SimulatorStatus(name=name, pid=pid_of(link), link=str(link))
            for name, link in self.links.items()
        ]

    def _start_missing(self) -> None:
        for printer in self._printers:
            link = self.links[printer.name]
            if pid_of(link) is not None:
                continue
            try:
                self._children.start(f"simulator-{printer.name}", printer.arguments(str(link)))
            except OSError as error:
                log.error("simulator %s cannot be started: %s", printer.name, error)


def link_of(runtime: Path, name: str) -> Path:
    """Where the port of the simulator *name* is."""
    return runtime / f"{name}.port"


def pid_of(link: Path) -> int | None:
    """The simulator behind *link*; None: it does not run."""
    lock = link.with_name(link.name + ".lock")
    return read_pid(lock) if is_held(lock) else None
