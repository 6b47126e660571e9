"""A farm for the link: real rooms over an in-memory database, one paired bridge, one printer."""

from dataclasses import dataclass

import pytest

from api.bridges.models import Bridge
from api.bridges.service import Bridges
from api.bus.local import LocalBus
from api.commands.models import Command
from api.commands.service import Commands
from api.config import Settings
from api.events.models import Event
from api.events.service import Ledger
from api.files.service import Files
from api.jobs.models import Attempt, Job, Print
from api.jobs.service import Jobs
from api.link.handler import LinkHandler
from api.models_library.service import Library
from api.pools.service import Pools
from api.principal import Principal
from api.printers.models import Printer
from api.printers.service import Printers
from api.storage import open_storage
from api.telemetry.service import Telemetry
from schemas.commands import Verb
from schemas.facts import Fact, FactBatch, FactBody
from schemas.link import Welcome
from tests.api.conftest import FakeClock
from tests.fakes.agents import AgentKey, hello_of
from tests.fakes.rooms import printer_row


@dataclass(frozen=True)
class Rooms:
    """The rooms that the link knows."""

    ledger: Ledger
    bridges: Bridges
    printers: Printers
    commands: Commands
    jobs: Jobs
    telemetry: Telemetry
    files: Files


class Farm:
    """One bridge with one printer."""

    def __init__(
        self, rooms: Rooms, clock: FakeClock, bus: LocalBus, settings: Settings, admin: Principal
    ) -> None:
        self.rooms, self.clock, self.bus, self.admin = rooms, clock, bus, admin
        self.handler = LinkHandler(rooms, clock, settings)
        self.key = AgentKey()
        self.bridge: Bridge
        self.printer: Printer
        self.epoch = 0

    async def open(self) -> None:
        """Pair the bridge and put a printer on it."""
        async with self.rooms.ledger.change() as change:
            self.bridge = await self.rooms.bridges.create(change, 1, "Room", self.key.public)
        self.printer = await printer_row(self.clock, self.bridge.id)

    async def greet(self, journal: str = "J1", oldest: int = 1, newest: int = 0) -> Welcome:
        """A new link of the bridge."""
        hello = hello_of(self.bridge.uid, journal=journal, oldest=oldest, newest=newest)
        welcome = await self.handler.hello(self.bridge, hello)
        assert isinstance(welcome, Welcome)
        self.epoch = welcome.epoch
        return welcome

    async def credentials(self) -> str:
        """A fresh proof of the bridge's key."""
        nonce = await self.rooms.bridges.make_nonce(self.bridge.uid)
        return self.key.credentials(self.bridge.uid, nonce)

    async def issue(self, verb: Verb = Verb.CONNECT) -> Command:
        """Somebody tells the printer something."""
        printer = await Printer.get(id=self.printer.id)
        return await self.rooms.commands.issue(self.admin, printer, verb)

    async def attempt(self, grant: str = "01GRANT0000000000000000000") -> Attempt:
        """A start grant that is on its way to the printer."""
        now = self.clock.now()
        command = await self.issue(Verb.CONNECT)
        await Command.filter(id=command.id).update(verb=Verb.START, grant=grant)
        job = await Job.create(
            organization_id=1,
            item_name="Cube",
            state="scheduled",
            printer_id=self.printer.id,
            grant=grant,
            created_at=now,
            updated_at=now,
        )
        run = await Print.create(
            organization_id=1, job_id=job.id, printer_id=self.printer.id, created_at=now
        )
        await Printer.filter(id=self.printer.id).update(active_grant=grant)
        return await Attempt.create(
            grant=grant,
            organization_id=1,
            print_id=run.id,
            job_id=job.id,
            printer_id=self.printer.id,
            number=1,
            command_id=command.id,
            created_at=now,
        )

    async def kinds(self) -> list[str]:
        """What happened, in order."""
        return [event.kind for event in await Event.all().order_by("number")]


def batch(*bodies: FactBody, first: int = 1, journal: str = "J1") -> FactBatch:
    """Facts with contiguous numbers from *first*."""
    facts = [
        Fact(seq=seq, at_ms=seq, boot_id="boot-1", body=body)
        for seq, body in enumerate(bodies, start=first)
    ]
    return FactBatch(journal_id=journal, facts=facts)


@pytest.fixture
async def farm(
    ledger: Ledger, clock: FakeClock, bus: LocalBus, settings: Settings, admin: Principal
) -> Farm:
    bridges = Bridges(ledger, clock, settings, bus)
    printers = Printers(bridges, ledger, clock, bus)
    commands = Commands(bridges, ledger, clock, bus)
    files = Files(open_storage(settings), ledger, clock, settings)
    library = Library(files, ledger, clock)
    rooms = Rooms(
        ledger=ledger,
        bridges=bridges,
        printers=printers,
        commands=commands,
        jobs=Jobs(
            printers,
            commands,
            files,
            library,
            pools=Pools(printers, ledger, clock),
            ledger=ledger,
            clock=clock,
        ),
        telemetry=Telemetry(bridges, printers, clock, bus),
        files=files,
    )
    farm = Farm(rooms, clock, bus, settings, admin)
    await farm.open()
    return farm
