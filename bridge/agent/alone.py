"""Going on alone: when a room that is cut off starts the next lease of a printer. Pure.

Room link contract, "Assignments are leases"; safety M15, M17. While the link stands, only the API
starts jobs. What the journal alone knows (the lease is next and not void, the last print is over,
the plate's claim is not used) is asked again in the very transaction that uses the lease.
"""

from collections.abc import Callable
from dataclasses import dataclass

from bridge.agent.commands import CommandRow
from bridge.agent.leases import Held
from schemas.commands import VERBS, StartArgs, Verb
from schemas.printer import Live, PrinterState


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a printer of the room stands. *away_s*: how long the link has been gone, None: it is not.

    *held*: its next lease. *is_free*: its sender is adopted, settled and holds no print.
    *open_commands*: without an outcome. *file_there*: whole and verified, in the spool.
    """

    away_s: float | None
    held: Held | None
    picture: Live | None
    is_free: bool
    open_commands: int
    plate_clear: bool
    file_there: bool


def _is_operational(now: Standing, held: Held) -> bool:
    picture = now.picture
    return (
        now.is_free
        and picture is not None
        and picture.state is PrinterState.OPERATIONAL
        and picture.grant is None
    )


#: What must hold, in the order in which a person is told, and what it then waits for.
_CONDITIONS: tuple[tuple[Callable[[Standing, Held], bool], str], ...] = (
    (lambda now, held: held.left_s > 0, "the farm: it may not be started alone any more"),
    (lambda now, held: held.is_open, "the hours in which prints start"),
    (lambda now, held: now.file_there, "its file"),
    (_is_operational, "its printer"),
    (lambda now, held: not now.open_commands, "the commands before it"),
    (
        lambda now, held: held.lease.clears_itself or now.plate_clear,
        "its plate: clear it, then say so with `bridge plate clear`",
    ),
    (lambda now, held: now.away_s is not None, "the farm, which starts it"),
    (lambda now, held: (now.away_s or 0.0) >= held.lease.silence_s, "the farm to come back"),
)


def waits_for(now: Standing) -> str | None:
    """What the next lease of a printer waits for; None: it starts now, alone."""
    if now.held is None:
        return "the print before it"
    for holds, wanted in _CONDITIONS:
        if not holds(now, now.held):
            return wanted
    return None


def start_row(held: Held, sender_boot: str, now_ms: int) -> CommandRow:
    """The start that the API would have sent. Its life is an ordinary one, should we die now."""
    lease = held.lease
    args = StartArgs(
        grant=lease.grant,
        job=lease.job,
        print=0,  # numbered by the API when it hears of it
        attempt=0,
        file_name=lease.file_name,
        sha256=lease.sha256,
        size_bytes=lease.size_bytes,
    )
    return CommandRow(
        id=lease.command,
        seq=0,
        printer=lease.printer,
        verb=Verb.START,
        args=args,
        deadline_ms=now_ms + (VERBS[Verb.START].ttl_ms or 0),
        sender_boot=sender_boot,
    )
