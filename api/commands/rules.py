"""What a command may be, decided without rows: arguments, coalescing, deadlines. Pure."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from api.errors import Conflict, Invalid, Unavailable
from schemas.commands import (
    ARGS,
    CARD_PRINT,
    VERBS,
    Args,
    CommandState,
    NoArgs,
    TemperatureArgs,
    Verb,
    ttl_ms_of,
)
from schemas.gcode.limits import ceiling_c
from schemas.printer import ACTIVE, PrinterState, Profile

#: The verb and the state of a command that is not over.
Underway = tuple[str, str]
#: No journal of a room holds these yet.
UNDELIVERED = (CommandState.QUEUED, CommandState.SENT)
#: So many commands may wait for one printer; more are refused, a stop always passes.
MAX_WAITING = 64
#: What no number of waiting commands keeps out.
ALWAYS_TAKEN = frozenset({Verb.REMOTE_STOP, Verb.RESET_STOP})
#: What still goes through after a remote stop, until somebody resets it: power moves nothing.
PASSES_LATCH = ALWAYS_TAKEN | {Verb.PLUG}
#: What is kept for a room that is away: it may be back before the deadline.
WAITS_FOR_ROOM = frozenset({Verb.CANCEL})

#: The right that a verb asks for; every other one asks for `printers.control`.
RIGHT_OF: dict[Verb, str] = {
    Verb.PAUSE: "prints.control",
    Verb.RESUME: "prints.control",
    Verb.CANCEL: "prints.control",
    Verb.REMOTE_STOP: "printers.stop",
}


def check_args(verb: Verb, args: Args) -> dict[str, Any]:
    """*args* as JSON. Raises `Invalid` when they are another verb's."""
    wanted = ARGS.get(verb, NoArgs)
    if not isinstance(args, wanted):
        raise Invalid(f"{verb} takes {wanted.__name__}, not {type(args).__name__}.")
    data: dict[str, Any] = msgspec.to_builtins(args)
    return data


def args_of(verb: Verb, data: Any) -> Args:
    """Arguments as they are kept in a row."""
    args: Args = msgspec.convert(data, ARGS.get(verb, NoArgs))
    return args


def merged(verb: Verb, older: dict[str, Any], newer: Args) -> Args:
    """*newer* with what it does not say itself from the unsent *older* one that it replaces."""
    if verb is Verb.TEMPERATURE and isinstance(newer, TemperatureArgs):
        return TemperatureArgs(targets_c={**older["targets_c"], **newer.targets_c})
    return newer


def check_targets(targets_c: Mapping[str, float], profile: Profile) -> None:
    """Raises `Invalid` (``limit_exceeded``) for a target in °C above what *profile* allows."""
    for heater, asked_c in targets_c.items():
        allowed_c = ceiling_c(profile, "nozzle" if heater.startswith("tool") else heater)
        if asked_c > allowed_c:
            raise Invalid(
                f"{asked_c:g} °C asked for {heater}; this printer allows {allowed_c:g} °C.",
                code="limit_exceeded",
                field=heater,
                asked_c=asked_c,
                allowed_c=allowed_c,
            )


def deadline(verb: Verb, args: Args, now: datetime) -> datetime | None:
    """When an undelivered command dies; None: never."""
    ttl_ms = ttl_ms_of(verb, args)
    return None if ttl_ms is None else now + timedelta(milliseconds=ttl_ms)


def ttl_left_ms(verb: Verb, args: Any, deadline_at: datetime | None, now: datetime) -> int | None:
    """What is left of a command's life, 0 when it has passed; None: it never expires.

    Never more than the whole of it: a wall clock that was set back makes nothing live longer.
    """
    whole_ms = VERBS[verb].ttl_ms
    if verb is Verb.GCODE:
        whole_ms = ttl_ms_of(verb, args_of(verb, args))
    if deadline_at is None or whole_ms is None:
        return None
    return min(whole_ms, max(0, int((deadline_at - now).total_seconds() * 1000)))


def card_print(state: str) -> str | None:
    """What a printer that no attempt holds does in *state*: with its card, or nothing."""
    return CARD_PRINT if state in ACTIVE or state == PrinterState.TRANSFERRING else None


def check_grant(verb: Verb, grant: str | None, name: str) -> None:
    """A verb that means an attempt needs one. Raises `Conflict`."""
    if VERBS[verb].needs_grant and grant is None:
        raise Conflict(
            f"Nothing is printing on {name}, so there is nothing to {verb}.",
            code="invalid_state_transition",
        )


def check_latch(verb: Verb, state: str, underway: Collection[Underway], name: str) -> None:
    """After a stop nothing goes there until it is reset. Raises `Conflict` (``stopped``)."""
    if verb in PASSES_LATCH:
        return
    if state == PrinterState.HALTED or any(what == Verb.REMOTE_STOP for what, _ in underway):
        raise Conflict(
            f"{name} was stopped. Look at it, then reset the stop (reset-stop).", code="stopped"
        )


def check_room(verb: Verb, underway: Collection[Underway], replaced: int, name: str) -> None:
    """Whether one more fits behind *underway*, of which *replaced* have just been taken back.

    Raises `Unavailable` (``rate_limited``).
    """
    waiting = sum(state in UNDELIVERED for _, state in underway) - replaced
    if verb not in ALWAYS_TAKEN and waiting >= MAX_WAITING:
        raise Unavailable(f"{MAX_WAITING} commands wait for {name} already.", code="rate_limited")
