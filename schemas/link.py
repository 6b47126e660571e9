"""Messages of the room link between agent and API, one struct a type (room link contract).

A frame on the wire is ``{"t": type, "n": seq?, "id": ulid?, "p": printer?, "e": epoch,
"m": bridge_monotonic_ms, "d": body}``. The structs here are the bodies; `Frame` is the header with
its decoded body. Unknown fields are ignored, an unknown type is answered with `Nak`.
"""

from enum import StrEnum

import msgspec

from schemas.commands import Expect
from schemas.facts import FactBatch, Port
from schemas.leases import Lease
from schemas.printer import Live, PrinterConfig
from schemas.watching import Interest, TerminalGot, TerminalLines

PROTOCOL = 1
#: The path of the upgrade and of the plain HTTPS calls beside it.
LINK_PATH = "/bridge/v1/link"
NONCE_PATH = "/bridge/v1/nonce"
FILES_PATH = "/bridge/v1/files"
AUTH_SCHEME = "Gantry-Ed25519"


def signed_text(bridge_id: str, nonce: str) -> bytes:
    """What an agent signs to prove its key: the bytes are the same on both sides."""
    return f"gantry-link-v1\n{bridge_id}\n{nonce}".encode()


# --- greeting --------------------------------------------------------------------------------


class Resume(msgspec.Struct, frozen=True, kw_only=True):
    """Where the agent stands, so that nothing is sent twice for nothing."""

    session: str | None = None
    desired_version: int = 0
    command_seq: int = 0
    journal_id: str = ""
    oldest_fact: int = 0
    newest_fact: int = 0


class Hello(msgspec.Struct, frozen=True, kw_only=True):
    """The agent's first message.

    *boot_id* is that of the host, *run_id* that of this run of the agent; blank from older agents.
    """

    protocols: tuple[int, int]  # lowest and highest it can speak
    bridge_id: str
    boot_id: str
    boot_count: int
    agent_version: str
    run_id: str = ""
    os: str = ""
    capabilities: list[str] = []
    ports: list[Port] = []
    resume: Resume = Resume()


class FactAck(msgspec.Struct, frozen=True, kw_only=True):
    """Cumulative: every fact of *journal_id* up to *seq* is in the API's database."""

    journal_id: str
    seq: int


class BulkToken(msgspec.Struct, frozen=True, kw_only=True):
    """The bearer token for file transfer of this bridge, and its life in seconds."""

    token: str
    life_s: int


class Welcome(msgspec.Struct, frozen=True, kw_only=True):
    """The link stands. Later frames of an older epoch are ignored by both sides."""

    session: str
    epoch: int
    protocol: int
    server_time: str
    fact_ack: FactAck
    bulk: BulkToken
    beat_s: float = 15.0
    dead_s: float = 40.0
    live_s: float = 1.0
    idle_s: float | None = None  # pictures that nobody watches; None: this API says no interest
    desired_version: int = 0


class Refuse(msgspec.Struct, frozen=True, kw_only=True):
    """The hello is not accepted; the socket closes. *action*: upgrade, repair, clone or moved."""

    code: str
    reason: str
    action: str = ""
    retry_after_s: float | None = None


# --- configuration ---------------------------------------------------------------------------


class Desired(msgspec.Struct, frozen=True, kw_only=True):
    """The room's printers as they should be; newest version wins, always in full.

    A room too large for one frame comes in *parts* of the same version; it takes effect when all
    are there. *leases*: the next jobs of each printer, in order; *recalled*: grants of leases that
    are wanted back, with their printers: what did not start under one of them never will.
    """

    version: int
    printers: list[PrinterConfig]
    leases: list[Lease] = []
    recalled: dict[str, int] = {}
    part: int = 1
    parts: int = 1


class Reported(msgspec.Struct, frozen=True, kw_only=True):
    """The agent works by this version of the desired configuration."""

    version: int


# --- commands --------------------------------------------------------------------------------


class Cmd(msgspec.Struct, frozen=True, kw_only=True):
    """A command; *seq* rises by bridge, *ttl_left_ms* None never expires.

    *verb*: one of `Verb`, or of a newer API: then it is answered as unsupported.
    """

    seq: int
    id: str
    printer: int
    verb: str
    args: msgspec.Raw
    expect: Expect = Expect()
    ttl_left_ms: int | None
    actor: str = ""


class CmdGot(msgspec.Struct, frozen=True, kw_only=True):
    """Cumulative: the journal holds every command up to *seq*."""

    seq: int


class RemoteStop(msgspec.Struct, frozen=True, kw_only=True):
    """M112 on its own lane; *id* is the command it is answered under."""

    id: str
    printer: int


# --- live, liveness, the rest ----------------------------------------------------------------


class LiveSnap(msgspec.Struct, frozen=True, kw_only=True):
    """The freshest pictures of the room's printers; a later one replaces an earlier one."""

    printers: list[Live]


class Beat(msgspec.Struct, frozen=True, kw_only=True):
    """Sign of life. *sent_ms* is the sender's monotonic clock, *echo_ms* the other's last one."""

    sent_ms: int
    echo_ms: int | None = None
    printing: int = 0
    outbox: int = 0


class Goaway(msgspec.Struct, frozen=True, kw_only=True):
    """The API drains: reconnect within *window_s*, spread at random."""

    window_s: float
    url: str | None = None


class Nak(msgspec.Struct, frozen=True, kw_only=True):
    """A frame was not taken; the link stays up."""

    code: str
    reason: str
    type: str = ""


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A fresh bulk token before the old one ends."""

    bulk: BulkToken


Body = (
    Hello
    | Welcome
    | Refuse
    | Desired
    | Reported
    | Cmd
    | CmdGot
    | RemoteStop
    | FactBatch
    | FactAck
    | LiveSnap
    | TerminalLines
    | TerminalGot
    | Interest
    | Beat
    | Goaway
    | Nak
    | Token
)


class Sender(StrEnum):
    """Who may say a message."""

    AGENT = "agent"
    API = "api"
    BOTH = "both"


#: type on the wire -> (body, who may send it)
TYPES: dict[str, tuple[type[Body], Sender]] = {
    "hello": (Hello, Sender.AGENT),
    "welcome": (Welcome, Sender.API),
    "refuse": (Refuse, Sender.API),
    "desired": (Desired, Sender.API),
    "reported": (Reported, Sender.AGENT),
    "cmd": (Cmd, Sender.API),
    "cmd.got": (CmdGot, Sender.AGENT),
    "remote_stop": (RemoteStop, Sender.API),
    "fact": (FactBatch, Sender.AGENT),
    "fact.ack": (FactAck, Sender.API),
    "live": (LiveSnap, Sender.AGENT),
    "interest": (Interest, Sender.API),
    "terminal": (TerminalLines, Sender.AGENT),
    "terminal.got": (TerminalGot, Sender.API),
    "beat": (Beat, Sender.BOTH),
    "goaway": (Goaway, Sender.API),
    "nak": (Nak, Sender.BOTH),
    "token": (Token, Sender.API),
}
NAME_OF: dict[type[Body], str] = {body: name for name, (body, _) in TYPES.items()}


class Frame(msgspec.Struct, frozen=True):
    """A decoded frame: *epoch* 0 before the welcome, *mono_ms* the sender's monotonic clock."""

    body: Body
    epoch: int = 0
    mono_ms: int = 0
