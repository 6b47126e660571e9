"""What a printer core reports, one word for each thing."""

from dataclasses import dataclass, field

from schemas.jobs import AttemptEvent, AttemptState
from schemas.printer import CardFile, PrinterState, Progress


@dataclass(frozen=True, slots=True)
class StateMoved:
    """The printer's state moved from *previous* to *state*."""

    state: PrinterState
    previous: PrinterState
    grant: str | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class AttemptMoved:
    """The attempt *grant* moved to *state* by *event*."""

    grant: str
    job: int
    event: AttemptEvent
    state: AttemptState
    reason: str = ""
    progress: Progress | None = None


@dataclass(frozen=True, slots=True)
class Warned:
    """Something a person should know. *code* is a stable word."""

    code: str
    text: str
    grant: str | None = None


@dataclass(frozen=True, slots=True)
class Identified:
    """M115 and its capability lines are complete; *fields* as the firmware wrote them."""

    name: str
    uuid: str | None
    machine: str | None
    capabilities: dict[str, bool]
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CardListed:
    """The card came or went, or was listed; *present* None: the firmware has not said."""

    present: bool | None
    files: tuple[CardFile, ...]
    unlisted: int


@dataclass(frozen=True, slots=True)
class CardWritten:
    """A file has gone to the card within *time_s* seconds, or *reason* says why it is not there."""

    name: str
    time_s: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class OrderDone:
    """All lines of the order *token* are acknowledged."""

    token: str


@dataclass(frozen=True, slots=True)
class OrderLost:
    """The order *token* will never be done."""

    token: str
    reason: str


@dataclass(frozen=True, slots=True)
class StreamLost:
    """The communication cannot go on. *code* is a stable word, *text* is for a person."""

    code: str
    text: str


Happening = (
    StateMoved
    | AttemptMoved
    | Warned
    | Identified
    | CardListed
    | CardWritten
    | OrderDone
    | OrderLost
)
