"""A hall of printers for the agent's tests: a real fleet over fake senders."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from bridge.agent.database import Clock
from bridge.agent.errors import SpoolError
from bridge.agent.fleet import Fleet
from bridge.agent.journal import Journal
from bridge.agent.journal_thread import JournalThread
from bridge.agent.live import LiveSlots
from bridge.agent.ports import Ports
from bridge.agent.printers import Tools
from bridge.agent.work import Files
from schemas.commands import Verb
from schemas.facts import AttemptFact, CommandFact, FactBody, Port
from schemas.link import Desired
from schemas.printer import PrinterConfig
from tests.fakes.api_link import FakeApi
from tests.fakes.sender import FakeHome, FakeSender

P = ParamSpec("P")
T = TypeVar("T")

CONFIG = PrinterConfig(id=1, slug="one", name="One", port_id="usb:1")
PORT = Port(port_id="usb:1", device="/dev/ttyX")
DATA = b"G28\n"


class Hall:
    """A fleet over fake senders, with a journal and an API's way of writing commands."""

    def __init__(self, directory: Path, home: FakeHome) -> None:
        self.directory = directory
        self.home = home
        self.api = FakeApi()  # only as the writer of commands
        self.live = LiveSlots()
        self.usb = [PORT]
        self.epoch = 0
        self.file_error: SpoolError | None = None
        self.file_there = asyncio.Event()
        self.file_there.set()
        self.now_s = 1000.0
        self.journal: JournalThread
        self.fleet: Fleet

    def _epoch(self) -> int:
        self.epoch += 1
        return self.epoch

    def clock(self) -> float:
        self.now_s += 0.001
        return self.now_s

    def open(self) -> None:
        self.take_up(JournalThread(Journal(self.directory / "j"), self.moment))

    def moment(self) -> Clock:
        return Clock(int(self.now_s * 1000), "boot", 1_800_000_000)

    def take_up(self, journal: JournalThread) -> None:
        """A new agent over *journal*."""
        self.journal = journal
        tools = Tools(
            home=self.home,
            live=self.live,
            clock=self.clock,
            owner_epoch=self._epoch,
            agent_pid=1,
            on_picture=lambda: None,
        )
        ports = Ports(lambda: self.usb, (), {})
        ports.scan()
        self.ports = ports
        files = Files(self._fetch, lambda sha256: Path("/spool", sha256))
        self.fleet = Fleet(tools, self.journal, files, ports, lambda: None)

    async def _fetch(self, sha256: str, size_bytes: int) -> Path:
        await self.file_there.wait()
        if self.file_error is not None:
            raise self.file_error
        return Path("/spool", sha256)

    async def close(self) -> None:
        await self.fleet.close()
        self.journal.close()

    @property
    def sender(self) -> FakeSender:
        return self.home.senders[1]

    async def command(self, verb: Verb, args: Any = None, **more: Any) -> str:
        cmd = self.api.command(1, verb, args, **more)
        await self.fleet.commands([cmd])
        return cmd.id

    async def start(self, grant: str = "g1") -> str:
        cmd = self.api.start(1, grant, DATA)
        await self.fleet.commands([cmd])
        return cmd.id

    async def facts(self) -> list[FactBody]:
        facts = await self.journal.run(Journal.facts_after, 0)
        return [fact.body for fact in facts]

    async def states(self, command_id: str) -> list[str]:
        bodies = await self.facts()
        return [b.state.value for b in bodies if isinstance(b, CommandFact) and b.id == command_id]

    async def attempts(self, grant: str) -> list[str]:
        bodies = await self.facts()
        return [b.event.value for b in bodies if isinstance(b, AttemptFact) and b.grant == grant]

    async def until(self, condition: Callable[[], Any], timeout_s: float = 5.0) -> None:
        """Wait for *condition*, plain or awaitable, while the fleet works."""
        async with asyncio.timeout(timeout_s):
            while True:
                result = condition()
                if asyncio.iscoroutine(result):
                    result = await result
                if result:
                    return
                await asyncio.sleep(0.001)

    async def told(self, command_id: str, *states: str) -> None:
        async def same() -> bool:
            return await self.states(command_id) == list(states)

        await self.until(same)


@asynccontextmanager
async def hall_of(directory: Path, *senders: FakeSender) -> AsyncIterator[Hall]:
    hall = Hall(directory, FakeHome(*senders))
    hall.open()
    await hall.fleet.configure(Desired(version=1, printers=[CONFIG]))
    await hall.fleet.open()
    try:
        yield hall
    finally:
        await hall.close()


class InlineJournal(JournalThread):
    """A journal without a thread, for many quick runs: a kill may strike before and after each
    transaction, never within one."""

    def __init__(self, journal: Journal, clock: Callable[[], Clock]) -> None:
        self._inline = journal
        self._moment = clock

    async def run(
        self, method: Callable[Concatenate[Journal, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        await asyncio.sleep(0)
        result = method(self._inline, *args, **kwargs)
        await asyncio.sleep(0)
        return result

    def now(self) -> Clock:
        return self._moment()

    def close(self) -> None:
        """The journal outlives this agent."""
