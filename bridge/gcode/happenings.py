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


NO_ANSWER = StreamLost("no_answer", "the printer does not answer any more")
RESTARTED = StreamLost("printer_reset", "the printer has restarted: it counts from 1 again")


def stuck(times: int, number: int) -> StreamLost:
    """It has asked *times* for line *number*."""
    return StreamLost("stuck", f"the printer has asked {times} times for line {number}")


def answer_lost(family: str, number: int) -> StreamLost:
    """Whether line *number* was executed, a firmware of *family* cannot be asked."""
    return StreamLost(
        "answer_lost",
        f"an answer of the printer is missing and {family} cannot tell whether line {number} was "
        "executed",
    )


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
