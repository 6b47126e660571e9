"""`bridge stop`: ends senders and simulators when no agent runs (what Ctrl-C of a farm calls).

A sender that is told to quit without draining cancels its print with the cancel script and turns
the heaters off before it goes; what it could not tell an agent, its next life will. One that hangs
hears nothing of that and is killed, as an agent would do.
"""

import asyncio
import os
import signal
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from bridge.agent import status
from bridge.agent.detached import Children
from bridge.agent.errors import AlreadyRunning, JournalError, SenderLost
from bridge.agent.journal import Journal, open_or_replace
from bridge.agent.printers import ADOPT_AGAIN_S, ADOPT_TRIES
from bridge.agent.process import EPOCHS_PER_RUN, host_clock
from bridge.agent.senders import Home, Line, SenderHome
from bridge.agent.simulators import pid_of
from bridge.control.messages import Adopt, Quit
from bridge.control.paths import runtime_dir

_POLL_S = 0.05
#: A simulated printer that is told to end does so at once.
SIMULATOR_GRACE_S = 5.0


class UnknownPrinter(JournalError):
    """This bridge has no printer of that name."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """Printers whose sender ended, printers whose sender still runs, simulators that ended."""

    ended: tuple[int, ...]
    left: tuple[int, ...]
    simulators: tuple[str, ...]


def stop(state_dir: Path, names: Sequence[str], *, everything: bool, timeout_s: float) -> Stopped:
    """End the senders of the printers *names* (number or slug), or with *everything* all of them.

    Raises `AlreadyRunning` while an agent runs, which would start them again, and `UnknownPrinter`.
    """
    if status.is_running(state_dir):
        raise AlreadyRunning(
            f"an agent runs in {state_dir} and would start them again: end it first"
        )
    runtime = runtime_dir(state_dir, status.sender_pids(state_dir))
    home = SenderHome(runtime, state_dir, Children(state_dir / "log"))
    journal, _ = open_or_replace(state_dir / "journal.sqlite3", int(time.time()))
    try:
        _, generation = journal.next_run(host_clock()())
        wanted = set(home.running() if everything else _numbers(journal, names))
    finally:
        journal.close()
    running = sorted(wanted & set(home.running()))
    left = asyncio.run(quit_all(home, running, count(generation * EPOCHS_PER_RUN), timeout_s))
    simulators = end_simulators(runtime) if everything and not left else ()
    ended = tuple(number for number in running if number not in left)
    return Stopped(ended=ended, left=tuple(left), simulators=simulators)


def _numbers(journal: Journal, names: Iterable[str]) -> list[int]:
    _, configs = journal.desired()
    known = {config.slug: config.id for config in configs}
    known |= {str(config.id): config.id for config in configs}
    for name in names:
        if name not in known:
            have = ", ".join(sorted(config.slug for config in configs)) or "none"
            raise UnknownPrinter(f"no printer {name!r}; this bridge has {have}")
    return [known[name] for name in names]


async def quit_all(
    home: Home, printers: Sequence[int], epochs: Iterator[int], timeout_s: float
) -> list[int]:
    """End the senders of *printers* at once; those that still run after *timeout_s* seconds."""
    ended = await asyncio.gather(*(_quit(home, each, epochs, timeout_s) for each in printers))
    return [printer for printer, gone in zip(printers, ended, strict=True) if not gone]


async def _quit(home: Home, printer: int, epochs: Iterator[int], timeout_s: float) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            if not await _told(home, printer, epochs):
                home.kill(printer)
            while home.pid(printer) is not None:  # noqa: ASYNC110 - another process ends
                await asyncio.sleep(_POLL_S)
    return home.pid(printer) is None


async def _told(home: Home, printer: int, epochs: Iterator[int]) -> bool:
    """Tell a sender to quit and listen until it has hung up; False: it does not answer."""
    for _ in range(ADOPT_TRIES):
        epoch = next(epochs)
        try:
            line = await home.adopt(printer, Adopt(epoch=epoch, agent_pid=os.getpid()))
            line.send(Quit(id=f"stop.{epoch}", drain=False))
        except SenderLost:
            await asyncio.sleep(ADOPT_AGAIN_S)
        else:
            await _until_closed(line)
            return True
        if home.pid(printer) is None:
            return True
    return False


async def _until_closed(line: Line) -> None:
    with suppress(SenderLost):
        while True:
            await line.receive()
    line.close()


def end_simulators(runtime: Path, grace_s: float = SIMULATOR_GRACE_S) -> tuple[str, ...]:
    """End every simulator of *runtime*; one that still runs after *grace_s* seconds is killed."""
    links = [lock.with_suffix("") for lock in sorted(runtime.glob("*.port.lock"))]
    running = [link for link in links if _signal(link, signal.SIGTERM)]
    deadline = time.monotonic() + grace_s
    while any(map(pid_of, running)) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    for link in running:
        _signal(link, signal.SIGKILL)
    return tuple(link.name.removesuffix(".port") for link in running)


def _signal(link: Path, number: signal.Signals) -> bool:
    """Signal the simulator that holds *link*; False: there is none."""
    pid = pid_of(link)
    if pid:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
            return True
    return False
