"""What the link calls in the rooms, exactly: facts go in, configuration and commands come out."""

from collections.abc import AsyncIterator, Collection, Container, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from api.bridges.service import Bridge, Bridges
from api.commands.direct import DirectStops
from api.events.service import Change, Ledger
from api.telemetry.service import OnBridge, Telemetry
from schemas.facts import (
    AttemptFact,
    CardFact,
    CardWrittenFact,
    CommandFact,
    PlugFact,
    PrinterFact,
)
from schemas.leases import Lent
from schemas.printer import PrinterConfig


class CommandRow(Protocol):
    """A command as the link carries it."""

    @property
    def id(self) -> str:
        """Its ULID."""

    @property
    def seq(self) -> int:
        """Its number in the room."""

    @property
    def printer_id(self) -> int:
        """Whom it is for."""

    @property
    def verb(self) -> str:
        """What to do (`schemas.commands.Verb`)."""

    @property
    def args(self) -> Any:
        """Its arguments as plain JSON."""

    @property
    def grant(self) -> str | None:
        """The attempt it means."""

    @property
    def actor(self) -> str:
        """Who asked."""


C = TypeVar("C", bound=CommandRow)


class CommandsRoom(Protocol[C]):
    """Commands on their way to a bridge."""

    @property
    def direct(self) -> DirectStops:
        """The stop's way past the database."""

    async def pending(self, bridge_id: int, epoch: int, told: Container[str] | None) -> Sequence[C]:
        """What the link of *epoch*, which has said those of *told*, has to carry, in order."""

    async def waits(self, bridge_id: int) -> bool:
        """Whether a command is on its way to the bridge and not in its journal."""

    async def unconfirmed(self, bridge_id: int, epoch: int) -> Sequence[C]:
        """What the link of *epoch* carried a while ago without the journal's word for it."""

    async def mark_sent(self, commands: Sequence[C], epoch: int) -> Collection[str]:
        """They are about to be carried; the ids of those that still may be."""

    def ttl_left_ms(self, command: C) -> int | None:
        """What is left of its life; None: it never expires."""

    async def delivered(self, change: Change, bridge_id: int, seq: int) -> None:
        """The agent's journal holds everything up to *seq*."""

    async def record(self, change: Change, bridge: Bridge, fact: CommandFact) -> object:
        """A step of a command."""


class ReportsRoom(Protocol):
    """What bridges report of printers."""

    async def plug(self, change: Change, fact: PlugFact) -> None:
        """How the plug of a printer stands."""

    async def card_written(self, change: Change, fact: CardWrittenFact) -> None:
        """A file went to its own card, or did not."""


class PrintersRoom(Protocol):
    """Printers of a bridge."""

    @property
    def reported(self) -> ReportsRoom:
        """What bridges report of them."""

    async def on_bridge(self, bridge_id: int) -> Sequence[OnBridge]:
        """Those that are there now."""

    async def numbers_on(self, bridge_id: int) -> frozenset[int]:
        """Their numbers, as the rows say now."""

    async def desired(self, bridge_id: int) -> Sequence[PrinterConfig]:
        """Their configuration."""

    async def record_state(self, change: Change, fact: PrinterFact) -> object:
        """A printer's state moved."""

    async def record_card(self, change: Change, fact: CardFact) -> None:
        """What is on its own card."""

    async def record_plate(self, change: Change, printer_id: int) -> None:
        """A person at the machine says that its plate is clear."""

    async def record_firmware(
        self, change: Change, printer_id: int, firmware: Mapping[str, Any]
    ) -> None:
        """What a printer says of itself."""


class LeasesRoom(Protocol):
    """What rooms may start while they are cut off."""

    async def of_room(self, bridge_id: int) -> Lent:
        """What the agent of a room is told."""

    async def went_on(self, change: Change, bridge_id: int, fact: CommandFact) -> None:
        """A room has made a start by itself, if *fact* says that."""

    async def given_back(
        self, change: Change, bridge_id: int, journal: str, fact: AttemptFact
    ) -> bool:
        """Whether *fact* is the word of a room that it never starts what it had."""


class JobsRoom(Protocol):
    """Attempts."""

    @property
    def leases(self) -> LeasesRoom:
        """Jobs that are with rooms."""

    async def record_attempt(
        self, change: Change, bridge: Bridge, fact: AttemptFact, age_s: float
    ) -> object:
        """A step of an attempt, *age_s* old."""


class LinkRooms(Protocol):
    """Everything the link needs."""

    @property
    def ledger(self) -> Ledger:
        """The one way to change rows."""

    @property
    def bridges(self) -> Bridges:
        """Rooms and their links."""

    @property
    def telemetry(self) -> Telemetry:
        """Current pictures."""

    @property
    def printers(self) -> PrintersRoom:
        """Printers."""

    @property
    def commands(self) -> CommandsRoom[Any]:
        """Commands."""

    @property
    def jobs(self) -> JobsRoom:
        """Attempts."""


class BlobRow(Protocol):
    """A file's bytes."""

    @property
    def size_bytes(self) -> int:
        """Their number."""


B = TypeVar("B", bound=BlobRow)


class FilesRoom(Protocol[B]):
    """Files for download."""

    async def blob_by_sha256(self, organization_id: int, sha256: str) -> B:
        """The organization's blob of that content. Raises `NotFound`."""

    async def link(self, blob: B) -> str | None:
        """A URL for its bytes that needs no token; None: they are read here."""

    def read(self, blob: B, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Its bytes, in chunks, read off the event loop."""
