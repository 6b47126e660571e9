"""The API of a simulation: real rooms over real rows, one process after another.

Everything between the socket and the rows is the product's own (`api.link.connection.Connection`,
`LinkHandler`, the rooms, the scheduler); a kill leaves what was committed and nothing else.
"""

import asyncio
import random
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from tortoise.exceptions import OperationalError
from websockets.exceptions import ConnectionClosedError

from api.accounts.models import Organization
from api.bridges.models import Bridge
from api.bridges.service import Bridges
from api.bus.local import Listener, LocalBus
from api.commands.service import Commands
from api.config import Settings
from api.errors import Problem
from api.events.service import Ledger
from api.jobs.leases import Terms
from api.jobs.service import Jobs
from api.link.connection import Connection
from api.link.facts import FactRecorder
from api.link.handler import LinkHandler
from api.link.turns import Turns
from api.pools.service import Pools
from api.principal import Principal, Role
from api.printers.models import Printer
from api.printers.service import Printers
from api.scheduler.demands import Demands
from api.scheduler.models import Timetable
from api.scheduler.service import Scheduler
from api.scheduler.sight import Sight
from api.telemetry.service import Telemetry
from bridge.agent.errors import LinkError
from schemas.gcode.survey import Survey
from schemas.printer import Profile
from tests.fakes.farm import FakeLibrary
from tests.simulation.history import History
from tests.simulation.network import Weather, Wire
from tests.simulation.rows import Rows
from tests.simulation.time import Killed, Life, check_alive

SHA256 = "ab" * 32
ADMIN = Principal(
    organization_id=1,
    user_id=1,
    username="admin",
    role=Role.ADMIN,
    kind="token",
    credential_id=1,
    is_superadmin=True,
)


class FarmClock:
    """Virtual time; the wall may jump, the rest does not."""

    def __init__(self) -> None:
        self.jumped_s = 0.0

    def now(self) -> datetime:
        seconds = self.monotonic() + self.jumped_s
        return datetime(2026, 1, 1, 12, 0, tzinfo=UTC) + timedelta(seconds=seconds)

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


class OrderedBus(LocalBus):
    """The bus, ringing in an order that does not depend on where objects lie in memory."""

    def ring(self, names: Any) -> None:
        for name in sorted(names):
            for listener in sorted(self.listeners.get(name, ()), key=_number):
                listener.ring()

    def listen(self, *names: str, on_ring: Any = None) -> Listener:
        listener = super().listen(*names, on_ring=on_ring)
        self.made = getattr(self, "made", 0) + 1
        listener.number = self.made  # type: ignore[attr-defined]
        return listener


def tag_of(printer: int) -> str:
    """What only this printer has."""
    return f"printer-{printer}"


def _number(listener: Any) -> int:
    return int(listener.number)


@dataclass
class _Bytes:
    """A file that any printer may print."""

    id: Any = 1
    sha256: Any = SHA256
    size_bytes: Any = 10
    facts: Any = field(default_factory=dict)


class AnyFile:
    """The files' room: one harmless file."""

    async def blob(self, organization_id: int, blob_id: int) -> _Bytes:
        return _Bytes()

    async def blobs(self, organization_id: int, blob_ids: Any) -> Mapping[int, Any]:
        return {}

    async def kept_surveys(self, blob_ids: Any) -> Mapping[int, Any]:
        return {}

    async def has_bytes(self, blob: Any) -> bool:
        return True

    def check_against(self, blob: Any, profile: Profile) -> None:
        pass

    async def survey(self, blob: Any) -> Survey | None:
        return None


@dataclass(frozen=True)
class Rooms:
    """What the link knows."""

    ledger: Ledger
    bridges: Bridges
    printers: Printers
    commands: Commands
    jobs: Jobs
    telemetry: Telemetry


class WatchedFacts(FactRecorder):
    """Writes down which facts of which link became rows: they did if the transaction commits."""

    rows: Rows
    epoch = 0

    async def record(self, bridge: Any, epoch: int, batch: Any) -> Any:
        self.epoch, self.journal = epoch, batch.journal_id
        return await super().record(bridge, epoch, batch)

    async def _apply(self, work: Any, fact: Any) -> None:
        data = {"epoch": self.epoch, "newest": work.bridge.epoch, "journal": self.journal}
        self.rows.note("recorded", seq=fact.seq, body=fact.body, **data)
        await super()._apply(work, fact)


class Farm:
    """The API through all its lives."""

    def __init__(
        self, rows: Rows, history: History, weather: Weather, settings: Settings, seed: str
    ) -> None:
        self.rows, self.history, self.weather = rows, history, weather
        self.settings = settings
        self.clock = FarmClock()
        self.rng = random.Random(f"{seed} farm")
        self.life: Life | None = None
        self.rooms: Rooms
        self.bridge: Bridge
        self.wires: list[Wire] = []
        self.errors: list[str] = []
        self._dead: list[Life] = []

    async def found(self, policies: list[str]) -> None:
        """The first rows: an organization, a room, its printers."""
        now = self.clock.now()
        await Organization.create(id=1, name="Farm", created_at=now)
        self.bridge = await Bridge.create(
            id=1, organization_id=1, uid="B" * 26, name="Room", public_key="k", created_at=now
        )
        for number, policy in enumerate(policies, start=1):
            await Printer.create(
                id=number,
                organization_id=1,
                name=f"P{number} 0",
                slug=f"p{number}",
                bridge_id=1,
                port_id=f"usb:{number}",
                plate_policy=policy,
                tags=[tag_of(number)],
                created_at=now,
                updated_at=now,
            )

    async def close_at(self, begin_minute: int, end_minute: int) -> None:
        """By itself nothing starts in these minutes of the day."""
        times = [f"12:{minute:02}" for minute in (begin_minute, end_minute)]
        await Timetable.create(
            organization_id=1,
            blackout_start=times[0],
            blackout_end=times[1],
            updated_at=self.clock.now(),
        )
        self.history.add("farm", "closed", begin=begin_minute * 60.0, end=end_minute * 60.0)

    # Lives.

    async def start(self) -> None:
        """A new process."""
        self.rows.power_off()
        life = Life("api", self._died)
        self.life = life
        self.history.add("api", "up")
        await life.spawn(self._open(), "opening")
        life.spawn(self._tick(life), "ticks")

    def _died(self, life: Life) -> None:
        self.history.add("api", "killed")
        self._dead.append(life)
        for wire in self.wires:
            wire.end_down()

    async def bury(self) -> None:
        """Wait until nothing of a dead process moves."""
        while self._dead:
            await self._dead.pop().reap()
            self.rows.power_off()

    async def _open(self) -> None:
        bus = OrderedBus()
        ledger = Ledger(bus, self.clock)
        bridges = Bridges(ledger, self.clock, self.settings, bus)
        printers = Printers(bridges, ledger, self.clock, bus)
        commands = Commands(bridges, ledger, self.clock, bus)
        pools = Pools(printers, ledger, self.clock)
        jobs = Jobs(
            printers,
            commands,
            AnyFile(),
            FakeLibrary(),
            pools=pools,
            ledger=ledger,
            clock=self.clock,
        )
        jobs.leases.terms = Terms(self.settings.lease_hours, self.settings.alone_after_s)
        telemetry = Telemetry(bridges, printers, self.clock, bus)
        self.rooms = Rooms(ledger, bridges, printers, commands, jobs, telemetry)
        self.bus = bus
        self.scheduler = Scheduler(
            jobs,
            commands,
            Sight(printers, pools, ledger, self.clock),
            Demands(AnyFile(), self.clock),
            ledger=ledger,
            clock=self.clock,
            bus=bus,
        )
        self.handler = LinkHandler(self.rooms, self.clock, self.settings)
        watched = WatchedFacts(self.rooms)
        watched.rows = self.rows
        self.handler._facts = watched
        try:
            await bridges.load()
        except OperationalError:
            assert self.life is not None
            self.life.kill()

    async def _tick(self, life: Life) -> None:
        bus, scheduler, bridges = self.bus, self.scheduler, self.rooms.bridges
        with bus.listen("scheduler") as listener:
            while True:
                try:
                    await scheduler.step()
                    await bridges.report_lapsed()
                except OperationalError:
                    await asyncio.sleep(1.0)
                await listener.wait(10.0)

    # What is asked of it.

    async def dial(self) -> Wire:
        """A socket of the room. Raises `LinkError`."""
        await asyncio.sleep(self.rng.uniform(0.01, 0.1))
        check_alive()
        life = self.life
        if self.weather.down or life is None or not life.alive:
            await asyncio.sleep(self.rng.choice((0.1, 3.0)))
            raise LinkError("no route")
        wire = Wire(self.history, self.weather, self.rng)
        self.wires = [each for each in self.wires if not each.is_cut] + [wire]
        life.spawn(self._serve(wire), "link")
        return wire

    async def _serve(self, wire: Wire) -> None:
        bridge = await self._paired()
        if bridge is None:
            wire.cut()
            return
        name = f"bridge:{bridge.id}"
        args = (self.handler, bridge, self.clock, wire.api_receive, wire.api_send)
        connection = Connection(*args, turns=Turns())
        try:
            with self.bus.listen(name) as listener:
                await connection.run(listener)
        except (OperationalError, ConnectionClosedError):
            wire.cut()

    async def _paired(self) -> Bridge | None:
        try:
            return await Bridge.get(id=1)
        except OperationalError:
            return None

    async def ask(self, work: Coroutine[Any, Any, Any]) -> str:
        """A person's request: ok, or the code of its refusal; `no answer` when nobody answered."""
        life = self.life
        if life is None or not life.alive:
            work.close()
            return "no answer"
        task = life.spawn(work, "request")
        try:
            await asyncio.wait((task,))
            task.result()
        except Problem as problem:
            return problem.code or type(problem).__name__
        except OperationalError:
            return "database"
        except (Killed, asyncio.CancelledError):
            return "no answer"
        return "ok"
