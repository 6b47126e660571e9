"""Facts: what a bridge has seen, numbered and sent until the API has them (room link contract).

Each is one struct with a tag of its own.
"""

import msgspec

from schemas.commands import CommandState
from schemas.jobs import AttemptEvent, AttemptState
from schemas.printer import CardFile, PrinterState, Progress, Quality


class Port(msgspec.Struct, frozen=True, kw_only=True):
    """A serial port of the room. *port_id* is stable over re-plugging and reboots."""

    port_id: str
    device: str
    description: str = ""
    kind: str = "usb"  # usb, path or virtual
    usb_id: str | None = None
    serial_number: str | None = None
    printer: int | None = None
    error: str | None = None


class CommandFact(msgspec.Struct, frozen=True, kw_only=True, tag="cmd"):
    """A command moved to *state*."""

    id: str
    state: CommandState
    code: str = ""
    reason: str = ""


class PrinterFact(msgspec.Struct, frozen=True, kw_only=True, tag="printer"):
    """A printer's state moved."""

    printer: int
    state: PrinterState
    grant: str | None = None
    reason: str = ""


class AttemptFact(msgspec.Struct, frozen=True, kw_only=True, tag="attempt"):
    """An attempt moved to *state* by *event*; *quality* is that of its stream of lines so far."""

    printer: int
    grant: str
    event: AttemptEvent
    state: AttemptState
    reason: str = ""
    progress: Progress | None = None
    quality: Quality | None = None


class AlarmFact(msgspec.Struct, frozen=True, kw_only=True, tag="alarm"):
    """Something a person should know."""

    printer: int | None
    code: str
    text: str
    grant: str | None = None


class FirmwareFact(msgspec.Struct, frozen=True, kw_only=True, tag="firmware"):
    """What a printer says of itself; *fields* as it wrote them, an older bridge tells none."""

    printer: int
    name: str
    uuid: str | None = None
    machine: str | None = None
    capabilities: dict[str, bool] = {}
    fields: dict[str, str] = {}


class CardFact(msgspec.Struct, frozen=True, kw_only=True, tag="card"):
    """What is on a printer's own card: a new list, or that it came or went.

    *present* None: the printer has not said. *unlisted* counts what is there and not in *files*.
    """

    printer: int
    present: bool | None
    files: list[CardFile] = []
    unlisted: int = 0


class CardWrittenFact(msgspec.Struct, frozen=True, kw_only=True, tag="card_written"):
    """A file has gone to the printer's own card, or has not.

    *name*: as it is called there. *reason* "": it is there whole; else why not, and then nothing of
    that name is left on the card unless *reason* says so.
    """

    printer: int
    name: str
    time_s: float
    reason: str = ""


class PlateFact(msgspec.Struct, frozen=True, kw_only=True, tag="plate"):
    """A person at the machine says that its plate is clear: a claim for one start."""

    printer: int


class PlugFact(msgspec.Struct, frozen=True, kw_only=True, tag="plug"):
    """How the plug that feeds a printer stands.

    *is_on* None: it does not answer, and *error* says why. *power_w* and *energy_kwh* (all it has
    ever counted) are None where it does not measure.
    """

    printer: int
    is_on: bool | None
    power_w: float | None = None
    energy_kwh: float | None = None
    error: str = ""


class PortsFact(msgspec.Struct, frozen=True, kw_only=True, tag="ports"):
    """The ports of the room, whole, after one came or went."""

    ports: list[Port]


class GapFact(msgspec.Struct, frozen=True, kw_only=True, tag="gap"):
    """*count* facts of kind *what* were dropped because the outbox was full."""

    what: str
    count: int


FactBody = (
    CommandFact
    | PrinterFact
    | AttemptFact
    | AlarmFact
    | FirmwareFact
    | CardFact
    | CardWrittenFact
    | PlateFact
    | PlugFact
    | PortsFact
    | GapFact
)


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """One numbered fact; *at_ms* is the bridge's monotonic clock of *boot_id*."""

    seq: int
    at_ms: int
    boot_id: str
    body: FactBody


class FactBatch(msgspec.Struct, frozen=True, kw_only=True):
    """Facts with contiguous numbers of one journal, oldest first.

    *sent_ms* and *boot_id*: the bridge's clock when they left, so how old each of them is.
    """

    journal_id: str
    facts: list[Fact]
    sent_ms: int | None = None
    boot_id: str = ""
