"""The agent of a simulation: the product's own parts, one process after another.

Put together as `bridge.agent.process.Agent` does it, with simulated senders, a simulated disk and a
simulated line. A power cut ends the agent and the senders, and begins another boot of the host.
"""

import asyncio
import random
from contextlib import AbstractContextManager
from itertools import count
from pathlib import Path
from unittest import mock

from bridge.agent import journal_file as journals
from bridge.agent.address import Address
from bridge.agent.database import Clock
from bridge.agent.errors import JournalError, LinkError, SpoolError
from bridge.agent.fleet import Fleet
from bridge.agent.journal import Journal
from bridge.agent.journal_thread import JournalThread
from bridge.agent.link.backoff import Backoff
from bridge.agent.link.client import Greeting, LinkClient
from bridge.agent.live import LiveSlots
from bridge.agent.ports import Ports
from bridge.agent.printers import Tools
from bridge.agent.process import EPOCHS_PER_RUN
from bridge.agent.work import Files
from schemas.facts import Port
from tests.simulation.disk import PATH, Disk, DiskConnection
from tests.simulation.farm import Farm
from tests.simulation.history import History
from tests.simulation.machines import Machines
from tests.simulation.network import Wire
from tests.simulation.time import Killed, Life, check_alive


class Room:
    """The agent through all its lives."""

    def __init__(self, farm: Farm, machines: Machines, history: History, seed: str) -> None:
        self.farm, self.machines, self.history = farm, machines, history
        self.rng = random.Random(f"{seed} room")
        self.disk = Disk(history, random.Random(f"{seed} disk"))
        self.life: Life | None = None
        self.boot = 1
        self.mono_offset_s = 10_000.0
        self.wall_offset_s = 0.0
        self.fetch_fails = 0.0
        self.files: set[str] = set()  # whole, in the spool
        self.fleet: Fleet | None = None  # of the present life
        self._dead: list[Life] = []
        self._runs = count(1)
        for machine in machines.machines.values():
            machine.clock = self.clock

    def clock(self) -> float:
        """Monotonic seconds of this boot of the host."""
        return asyncio.get_running_loop().time() + self.mono_offset_s

    def moment(self) -> Clock:
        """What transactions are stamped with."""
        wall_s = 1_800_000_000 + asyncio.get_running_loop().time() + self.wall_offset_s
        return Clock(int(self.clock() * 1000), f"boot-{self.boot}", int(wall_s))

    # Lives.

    def start(self) -> None:
        """A new process."""
        self.disk.power_off()
        life = Life("agent", self._died)
        self.life, self.fleet = life, None  # nobody answers for it before it has one of its own
        self.history.add("room", "up")
        life.spawn(self._run(life), "agent")

    def _died(self, life: Life) -> None:
        self.history.add("room", "killed")
        self._dead.append(life)
        self.machines.agent_died()
        for wire in self.farm.wires:
            wire.end_up()

    async def plate_cleared(self, printer: int) -> str:
        """A person's `bridge plate clear`: ok, or why not; `no answer` when no agent answered."""
        life, fleet = self.life, self.fleet
        if life is None or not life.alive or fleet is None:
            return "no answer"
        refusal = fleet.why_not_clear(printer)
        if refusal is not None:
            return refusal
        task = life.spawn(fleet.plate_cleared(printer), "plate")
        await asyncio.wait((task,))
        if task.cancelled():
            return "no answer"
        error = task.exception()
        return "no answer" if isinstance(error, Killed | JournalError) else "ok"

    async def bury(self) -> None:
        """Wait until nothing of a dead process moves."""
        while self._dead:
            await self._dead.pop().reap()
            self.disk.power_off()

    def power_cut(self) -> None:
        """Agent and senders are gone; the host boots again, its monotonic clock begins anew."""
        if self.life is not None:
            self.life.kill()
        for machine in self.machines.machines.values():
            machine.die()
        self.boot += 1
        self.mono_offset_s = -asyncio.get_running_loop().time() + 5.0

    async def _run(self, life: Life) -> None:
        try:
            await self._work(life)
        except JournalError:
            life.kill()  # the supervisor of processes starts it again

    async def _work(self, life: Life) -> None:
        journal = Journal(PATH)
        boots, generation = journal.next_run(self.moment())
        thread = JournalThread(journal, self.moment)
        epochs = count(generation * EPOCHS_PER_RUN)
        live = LiveSlots()
        usb = [
            Port(port_id=f"usb:{number}", device=f"/dev/tty{number}")
            for number in self.machines.machines
        ]
        ports = Ports(lambda: usb, (), {})
        ports.scan()
        client: list[LinkClient] = []
        tools = Tools(
            home=self.machines,
            live=live,
            clock=self.clock,
            owner_epoch=lambda: next(epochs),
            agent_pid=next(self._runs),
            on_picture=lambda: client[0].wake(facts=False),
        )
        files = Files(self._fetch, lambda sha256: Path("/spool") / sha256, self._has)
        fleet = Fleet(tools, thread, files, ports, lambda: client[0].wake(facts=True))
        greeting = Greeting("B" * 26, f"boot-{self.boot}", boots, "1", "Linux", f"run-{boots}")
        link = LinkClient(
            self,
            greeting,
            fleet,
            thread,
            live,
            backoff=Backoff(self.rng.random),
            clock=self.clock,
        )
        client.append(link)
        fleet.away_s = link.away_s
        self.fleet = fleet
        await fleet.open()
        await thread.run(Journal.prune, thread.now())
        await asyncio.gather(
            self._keep(link), self._prune(thread), fleet.prefetch.run(), fleet.watch_alone()
        )

    async def _keep(self, link: LinkClient) -> None:
        while True:
            try:
                await link.run()
            except JournalError:
                await asyncio.sleep(1.0)  # as the process's supervisor does

    async def _prune(self, thread: JournalThread) -> None:
        while True:
            await asyncio.sleep(20.0)
            try:
                await thread.run(Journal.prune, thread.now())
            except JournalError:
                pass

    async def _has(self, sha256: str, size_bytes: int) -> bool:
        await asyncio.sleep(self.rng.choice((0.01, 0.3)))
        check_alive()
        return sha256 in self.files

    async def _fetch(self, sha256: str, size_bytes: int) -> Path:
        await asyncio.sleep(self.rng.choice((0.01, 0.5, 3.0)))
        check_alive()
        if self.rng.random() < self.fetch_fails:
            raise SpoolError("the file cannot be had")
        if self.farm.weather.down and sha256 not in self.files:
            raise SpoolError("nobody answers")
        self.files.add(sha256)
        return Path("/spool") / sha256

    async def dial(self, address: Address | None = None) -> Wire:
        """Opens sockets (`bridge.agent.link.client.Dialler`). Raises `LinkError`."""
        check_alive()
        if self.life is None:
            raise LinkError("nobody dials")
        return await self.farm.dial()

    def opened_disk(self) -> AbstractContextManager[object]:
        """While this lasts, journals are opened on this room's disk."""
        return mock.patch.object(journals, "open_database", lambda path: DiskConnection(self.disk))
