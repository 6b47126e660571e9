"""A farm over real rows, with a room that exists only here: it answers commands with facts.

The services are the real ones and can be made anew at any moment (`Farm.restart`); the room, the
files and the library are small fakes at the seams.
"""

import asyncio
from collections.abc import Collection, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from api.bus.local import LocalBus
from api.commands.models import Command
from api.commands.service import Commands
from api.errors import Invalid, NotFound, Unavailable
from api.events.models import Event
from api.events.service import Change, Ledger
from api.files.models import Blob
from api.jobs.file_use import FileUse
from api.jobs.models import Attempt, Job
from api.jobs.service import Jobs, NewJob
from api.models_library.models import LibraryModel, PrintFile
from api.pools.service import Pools
from api.principal import Principal
from api.printers.forms import PrinterCreate
from api.printers.models import Printer
from api.printers.service import Printers
from api.scheduler.demands import Demands
from api.scheduler.service import Scheduler
from api.scheduler.sight import Sight
from schemas.commands import CommandState, Verb
from schemas.facts import AttemptFact, CommandFact, Port, PrinterFact
from schemas.gcode.survey import Survey
from schemas.jobs import AttemptEvent, AttemptState
from schemas.printer import PrinterState, Profile
from tests.api.conftest import FakeClock

T = TypeVar("T")

BRIDGE = 7


class FakeBridges:
    """One room, whose line can be cut."""

    def __init__(self) -> None:
        self.is_online = True
        self.desired = 1
        self.port_ids = ["virtual:one", "virtual:two", "usb:1", "usb:2"]

    def online(self, bridge_id: int) -> bool:
        return self.is_online and bridge_id == BRIDGE

    def last_there(self, bridge_id: int) -> float | None:
        return None

    async def ports(self, by: Principal, bridge_id: int) -> Sequence[Port]:
        if bridge_id != BRIDGE:
            raise NotFound("no such bridge", code="bridge_not_found")
        return [Port(port_id=each, device=f"/dev/{each}") for each in self.port_ids]

    async def raise_desired(self, change: Change, bridge_id: int) -> None:
        self.desired += 1

    async def next_command_seq(self, change: Change, bridge_id: int) -> int:
        last = await Command.filter(bridge_id=bridge_id).order_by("-seq").first()
        return last.seq + 1 if last else 1


class FakeFiles:
    """Files that ask for a nozzle temperature, kept in the blob's facts. *gone*: without bytes."""

    def __init__(self) -> None:
        self.is_down = False
        self.gone: set[int | None] = set()
        self.surveys: dict[int, Survey] = {}

    async def has_bytes(self, blob: Blob) -> bool:
        if self.is_down:
            raise Unavailable("down", code="storage_unavailable")
        return blob.id not in self.gone

    async def blob(self, organization_id: int, blob_id: int) -> Blob:
        return await Blob.get(id=blob_id, organization_id=organization_id)

    async def blobs(self, organization_id: int, blob_ids: Iterable[int]) -> Mapping[int, Blob]:
        rows = Blob.filter(organization_id=organization_id, id__in=[*blob_ids])
        return {row.id: row for row in await rows}

    async def survey(self, blob: Blob) -> Survey | None:
        return self.surveys.get(blob.id)

    async def kept_surveys(self, blob_ids: Collection[int]) -> Mapping[int, Survey]:
        return {each: self.surveys[each] for each in blob_ids if each in self.surveys}

    def check_against(self, blob: Blob, profile: Profile) -> None:
        asked_c = blob.facts.get("max_nozzle_c", {"c": 0})["c"]
        if asked_c > profile.max_nozzle_c:
            raise Invalid(
                f"Line 3 asks for {asked_c} °C; {profile.max_nozzle_c:g} °C are allowed.",
                code="limit_exceeded",
                line=3,
                asked_c=asked_c,
                allowed_c=profile.max_nozzle_c,
            )


UNKNOWN_MODEL = 404


class FakeLibrary:
    """Print files straight from the rows."""

    def ask_jobs(self, jobs: FileUse) -> None:
        self.use = jobs

    async def get_file(self, by: Principal, file_id: int) -> PrintFile:
        row = await PrintFile.filter(id=file_id).first()
        if row is None:
            raise NotFound("no such file", code="file_not_found")
        return row

    async def get_model(self, by: Principal, model_id: int) -> LibraryModel:
        if model_id == UNKNOWN_MODEL:
            raise NotFound("no such model", code="model_not_found")
        return LibraryModel(id=model_id, name=f"Model {model_id}", build_time_hours=1.5)

    async def newest_file(self, by: Principal, model_id: int) -> PrintFile | None:
        return await PrintFile.filter(model_id=model_id).order_by("-id").first()

    async def model_names(self, model_ids: Collection[int]) -> Mapping[int, str]:
        return {number: f"Model {number}" for number in model_ids}


@dataclass(frozen=True)
class BridgeId:
    """A bridge as facts name it."""

    id: int


@dataclass
class Farm:
    """The rooms, and shortcuts to what a test wants of them."""

    ledger: Ledger
    clock: FakeClock
    bus: LocalBus
    admin: Principal
    bridges: FakeBridges = field(default_factory=FakeBridges)
    library: FakeLibrary = field(default_factory=FakeLibrary)
    files: FakeFiles = field(default_factory=FakeFiles)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """A new API process: nothing is known but the rows."""
        self.bus.listeners.clear()
        self.printers = Printers(self.bridges, self.ledger, self.clock, self.bus)
        self.pools = Pools(self.printers, self.ledger, self.clock)
        self.commands = Commands(self.bridges, self.ledger, self.clock, self.bus)
        self.jobs = Jobs(
            self.printers,
            self.commands,
            self.files,
            self.library,
            pools=self.pools,
            ledger=self.ledger,
            clock=self.clock,
        )
        self.scheduler = Scheduler(
            self.jobs,
            self.commands,
            Sight(self.printers, self.pools, self.ledger, self.clock),
            Demands(self.files, self.clock),
            ledger=self.ledger,
            clock=self.clock,
            bus=self.bus,
        )

    # Making.

    async def printer(self, name: str = "One", port_id: str | None = "virtual:one") -> Printer:
        """A printer of the room (or by hand, without *port_id*) that is ready to print."""
        bridge_id = BRIDGE if port_id is not None else None
        new = PrinterCreate(name=name, bridge_id=bridge_id, port_id=port_id)
        row = await self.printers.create(self.admin, new)
        if bridge_id is not None:
            await self.report(row.id, PrinterState.OPERATIONAL)
        return row

    async def blob(
        self,
        max_nozzle_c: float = 210.0,
        size_bytes: int = 1000,
        analysis: Mapping[str, object] | None = None,
        **facts: object,
    ) -> Blob:
        """Bytes to print, with what was found out about them."""
        number = await Blob.all().count() + 1
        return await Blob.create(
            organization_id=1,
            sha256=f"{number:064d}",
            size_bytes=size_bytes,
            storage_key=f"1/{number}",
            facts={"max_nozzle_c": {"c": max_nozzle_c, "line": 3}, **facts},
            analysis=analysis,
            created_at=self.clock.now(),
        )

    async def job(self, printer: Printer | None = None, **fields: object) -> Job:
        """A job for *printer*, or for whichever is free."""
        blob = await self.blob()
        new: dict[str, object] = {
            "item_name": "Cube",
            "blob_id": blob.id,
            "file_name": "cube.gcode",
        }
        new |= {"printer_id": printer.id if printer else None, **fields}
        return await self.jobs.create(self.admin, NewJob(**new))  # type: ignore[arg-type]

    # What the room says.

    async def report(self, printer_id: int, state: PrinterState, reason: str = "") -> None:
        """The printer's state moved."""
        async with self.ledger.change() as change:
            fact = PrinterFact(printer=printer_id, state=state, reason=reason)
            await self.printers.record_state(change, fact)

    async def answer(self, command: Command, state: CommandState, code: str = "") -> None:
        """A command moved."""
        async with self.ledger.change() as change:
            fact = CommandFact(id=command.id, state=state, code=code, reason=code)
            await self.commands.record(change, BridgeId(BRIDGE), fact)

    async def stopping(self, press: Coroutine[Any, Any, T], code: str = "at_once") -> T:
        """What *press*, of a stop, is answered when the room has carried it out."""
        stops = Command.filter(verb=Verb.REMOTE_STOP)
        before = await stops.count()
        asking = asyncio.create_task(press)
        async with asyncio.timeout(5):
            while await stops.count() == before:
                await asyncio.sleep(0)
        await self.answer(await self.last(Verb.REMOTE_STOP), CommandState.DONE, code)
        return await asking

    async def tell(
        self, grant: str, event: AttemptEvent, reason: str = "", bridge: int = BRIDGE
    ) -> Attempt | None:
        """An attempt moved."""
        attempt = await Attempt.filter(grant=grant).first()
        fact = AttemptFact(
            printer=attempt.printer_id if attempt else 0,
            grant=grant,
            event=event,
            state=AttemptState.GRANTED,
            reason=reason,
        )
        async with self.ledger.change() as change:
            return await self.jobs.record_attempt(change, BridgeId(bridge), fact)

    async def run(self, printer: Printer, *events: AttemptEvent) -> None:
        """The attempt that holds *printer* goes through *events*."""
        grant = (await self.row(printer)).active_grant
        assert grant is not None
        for event in events:
            await self.tell(grant, event)

    # Looking.

    async def row(self, printer: Printer) -> Printer:
        """The printer now."""
        return await Printer.get(id=printer.id)

    async def job_now(self, job: Job) -> Job:
        """The job now."""
        return await Job.get(id=job.id)

    async def last(self, verb: Verb) -> Command:
        """The newest command of this kind."""
        command = await Command.filter(verb=verb).order_by("-seq").first()
        assert command is not None
        return command

    async def kinds(self) -> list[str]:
        """What happened, in order."""
        return [event.kind for event in await Event.all().order_by("number")]
