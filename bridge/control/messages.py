"""What an agent and a sender say to each other over the printer's unix socket.

The sender listens, accepts one owner by epoch and goes on printing when the owner is gone. Every
command carries an id that the agent made unique; a sender answers each with exactly one `Outcome`
and answers a repeated id with the stored one. Events are numbered without gaps per sender life
(*boot*), kept until `EventAck`, and replayed to the next owner.
"""

from enum import StrEnum

import msgspec

from schemas.commands import CardAction
from schemas.jobs import AttemptEvent, AttemptState
from schemas.printer import CardFile, Live, PrinterConfig, PrinterState, Progress, Quality

PROTOCOL = 3
#: Protocols this side can speak, oldest first: N-2 to N.
PROTOCOLS = (1, 2, 3)
#: Since this protocol a sender understands `WatchTerminal`.
WITH_TERMINAL = 2
#: Since this protocol a sender understands `CardWrite`.
WITH_CARD_WRITE = 3


class JobSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A start grant with its file, which lies complete and verified in the spool at *path*."""

    grant: str
    job: int
    file_name: str
    path: str
    sha256: str | None
    size_bytes: int


# --- agent to sender -------------------------------------------------------------------------


class Adopt(msgspec.Struct, frozen=True, kw_only=True, tag="adopt"):
    """First message of an owner. The highest *epoch* wins; an older owner's socket is closed."""

    epoch: int
    agent_pid: int
    protocols: tuple[int, ...] = PROTOCOLS
    live_interval_s: float = 1.0


class Configure(msgspec.Struct, frozen=True, kw_only=True, tag="configure"):
    """The printer's configuration and where its port is now (*device* None: not plugged in).

    A changed device, baud rate or dialect takes effect at the next connect. With *autoconnect* an
    idle sender opens the port by itself and again after a loss.
    """

    id: str
    config: PrinterConfig
    device: str | None
    autoconnect: bool = True


class Timed(msgspec.Struct, frozen=True, kw_only=True):
    """What a person wants now. *before_ms*: it is refused (``expired``) by whoever reads it later,
    on the host's monotonic clock; None: never.
    """

    id: str
    before_ms: int | None = None


class Connect(Timed, frozen=True, kw_only=True, tag="connect"):
    """Open the port and greet the firmware; done when it is operational."""


class Disconnect(Timed, frozen=True, kw_only=True, tag="disconnect"):
    """Close the port; refused while a job is bound."""


class Start(Timed, frozen=True, kw_only=True, tag="start"):
    """Print a file. A grant that this sender has already seen is never started again."""

    job: JobSpec


class Pause(Timed, frozen=True, kw_only=True, tag="pause"):
    """Pause the attempt *grant* (`CARD_PRINT`: that from its card); if it does not run: refused."""

    grant: str


class Resume(Timed, frozen=True, kw_only=True, tag="resume"):
    """Resume the attempt *grant*; refused unless it is paused."""

    grant: str


class Cancel(Timed, frozen=True, kw_only=True, tag="cancel"):
    """End the attempt *grant* with the cancel script; `CARD_PRINT`: what runs with the card."""

    grant: str


class Gcode(Timed, frozen=True, kw_only=True, tag="gcode"):
    """Lines for the printer, through the same gate as a file's; done when all are acknowledged.

    *admin*: from an admin who has just given the password; an older sender refuses their codes.
    """

    lines: list[str]
    admin: bool = False


class SetTargets(Timed, frozen=True, kw_only=True, tag="targets"):
    """Target temperatures in degrees Celsius, keyed tool0…n, bed, chamber."""

    targets_c: dict[str, float]


class Card(Timed, frozen=True, kw_only=True, tag="card"):
    """Something about the printer's own card; *name* is a file's, "" where none is meant.

    Done when the printer has taken it; a start or select fails when it does not find the file.
    """

    action: CardAction
    name: str = ""


class CardWrite(Timed, frozen=True, kw_only=True, tag="card_write"):
    """A file for the printer's own card, complete and verified in the spool at *path*.

    Done when the printer has opened it there under *name*; `CardWritten` tells of its end. *then*:
    what follows when it is there whole. `Cancel` with `CARD_PRINT` ends it.
    """

    name: str
    path: str
    sha256: str | None
    size_bytes: int
    then: CardAction | None = None


class RemoteStop(msgspec.Struct, frozen=True, kw_only=True, tag="remote_stop"):
    """M112 past every queue, then latched until `ResetStop`."""

    id: str


class ResetStop(Timed, frozen=True, kw_only=True, tag="reset_stop"):
    """Release the latch; the printer is offline until it is connected again."""


class EventAck(msgspec.Struct, frozen=True, kw_only=True, tag="event_ack"):
    """The agent's journal holds all events up to *seq* of sender life *boot*."""

    boot: str
    seq: int


class WatchTerminal(msgspec.Struct, frozen=True, kw_only=True, tag="watch_terminal"):
    """Somebody reads the terminal for the next *lease_s* seconds; 0: nobody any more.

    *after*: the cursor of the last `TerminalSaid` that was heard; empty: begin with the past; None:
    go on from where the sender is.
    """

    lease_s: float
    after: str | None = None


class Quit(msgspec.Struct, frozen=True, kw_only=True, tag="quit"):
    """End this sender. *drain*: first finish the print; otherwise cancel it, cool down, exit."""

    id: str
    drain: bool = False


#: What is answered with an `Outcome`.
Command = (
    Configure
    | Connect
    | Disconnect
    | Start
    | Pause
    | Resume
    | Cancel
    | Gcode
    | SetTargets
    | Card
    | CardWrite
    | RemoteStop
    | ResetStop
    | Quit
)
ToSender = Adopt | EventAck | WatchTerminal | Command


# --- sender to agent -------------------------------------------------------------------------


class Adopted(msgspec.Struct, frozen=True, kw_only=True, tag="adopted"):
    """The sender's answer to `Adopt`: who it is and where it stands."""

    protocol: int
    printer: int
    pid: int
    boot: str
    live: Live
    oldest_event: int
    newest_event: int


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag="refused"):
    """The owner is not accepted: an older epoch, or no common protocol. The socket closes."""

    reason: str


class Verdict(StrEnum):
    """How a command ended."""

    DONE = "done"
    FAILED = "failed"
    REJECTED = "rejected"  # nothing happened


class Outcome(msgspec.Struct, frozen=True, kw_only=True, tag="outcome"):
    """The one answer to a command. *code* is a stable word, *reason* is for a person.

    A done `RemoteStop` has the code `at_once`, `in_turn` or `unknown`: what the firmware can do.
    """

    id: str
    verdict: Verdict
    code: str = ""
    reason: str = ""


class StateChanged(msgspec.Struct, frozen=True, kw_only=True, tag="state"):
    """The printer's state moved, as seen on the wire."""

    state: PrinterState
    previous: PrinterState
    grant: str | None = None
    reason: str = ""


class AttemptChanged(msgspec.Struct, frozen=True, kw_only=True, tag="attempt"):
    """The attempt *grant* moved to *state* by *event*; *quality* once lines have gone."""

    grant: str
    job: int
    event: AttemptEvent
    state: AttemptState
    reason: str = ""
    progress: Progress | None = None
    quality: Quality | None = None


class Alarm(msgspec.Struct, frozen=True, kw_only=True, tag="alarm"):
    """Something a person should know: an error of the firmware, a refused line, a lost port."""

    code: str
    text: str
    grant: str | None = None


class Firmware(msgspec.Struct, frozen=True, kw_only=True, tag="firmware"):
    """What M115 said; *fields* as the firmware wrote them, an older sender does not tell them."""

    name: str
    uuid: str | None = None
    machine: str | None = None
    capabilities: dict[str, bool] = {}
    fields: dict[str, str] = {}


class CardSeen(msgspec.Struct, frozen=True, kw_only=True, tag="card_seen"):
    """The card came or went, or was listed; *unlisted* counts files beyond the list."""

    present: bool | None
    files: list[CardFile] = []
    unlisted: int = 0


class CardWritten(msgspec.Struct, frozen=True, kw_only=True, tag="card_written"):
    """A file has gone to the card within *time_s*; *reason* not blank: it is not there, and why."""

    name: str
    time_s: float
    reason: str = ""


Happening = StateChanged | AttemptChanged | Alarm | Firmware | CardSeen | CardWritten


class Event(msgspec.Struct, frozen=True, kw_only=True, tag="event"):
    """A numbered happening. *at_ms* is the host's monotonic clock in milliseconds."""

    boot: str
    seq: int
    at_ms: int
    body: Happening


class Status(msgspec.Struct, frozen=True, kw_only=True, tag="status"):
    """The freshest picture; may be skipped, is never queued twice."""

    live: Live


class TerminalSaid(msgspec.Struct, frozen=True, kw_only=True, tag="terminal"):
    """Lines of the terminal, oldest first; said only while somebody reads, may be skipped.

    *dropped*: lines before them that were left out, None: some. *cursor*: where they end; empty
    where the next text follows at once and belongs to these.
    """

    lines: list[str]
    cursor: str
    dropped: int | None = 0


FromSender = Adopted | Refused | Outcome | Event | Status | TerminalSaid
