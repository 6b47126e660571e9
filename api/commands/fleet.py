"""Many printers at once: named one by one, by a tag or by a pool; and stopping all of them.

Every printer is asked by itself and at the same time as the others, by the same service as when it
is asked alone, so one that is away or refuses holds up nobody, and each has an answer of its own.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from api.commands.machine import Stopped
from api.db import persistently, set_apart
from api.errors import Invalid, Problem
from api.events.rehearsal import Rehearsed, is_rehearsed, rehearsing, would
from api.events.service import Happened, Ledger
from api.outage import AWAY, past_database
from api.pools.service import Pools
from api.principal import Principal
from api.printers.service import Printer, Printers
from api.printers.view import answered_state
from schemas.commands import Verb
from schemas.printer import PrinterState

_log = logging.getLogger("gantry.commands")

#: One call controls so many printers at most; a stop takes all that there are.
MAX_PRINTERS = 500
_NO_BRIDGE = "It hangs on no bridge, so nobody can stop it from here: use its power switch."


class FleetAction(StrEnum):
    """What many printers can be told at once. Resetting a stop is not among them: somebody has
    to look at each.
    """

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"
    TEMPERATURE = "temperature"
    CONNECT = "connect"
    DISCONNECT = "disconnect"
    HOLD_QUEUE = "hold_queue"
    RELEASE_QUEUE = "release_queue"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which printers; the first of the three that is there counts. None of them: all."""

    printer_ids: Sequence[int] | None = None
    tag: str | None = None
    pool_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it for one printer. *state* is what it reported; None: nobody knows.

    *code*: of `schemas.problems`, None when it was done.
    """

    printer_id: int
    name: str | None
    state: str | None
    message: str
    code: str | None = None
    status: int = 200
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def success(self) -> bool:
        """Whether the printer did it, or its room has taken it over."""
        return self.code is None


@dataclass(frozen=True, slots=True, kw_only=True)
class StopOutcome:
    """What a stop came to for one printer.

    *sent*: M112 was written to its port. *reached*: it reports that it is stopped, and stays so
    until somebody resets it. *obeys_at_once* None: nobody knows. *held*: its queue waits as well.
    """

    printer_id: int
    name: str | None
    state: str | None
    message: str
    sent: bool = False
    reached: bool = False
    obeys_at_once: bool | None = None
    held: bool = False

    @property
    def needs_power_switch(self) -> bool:
        """Whether only a person at its switch can be sure that it stands still now."""
        return not (self.reached and self.obeys_at_once is True)


class Machine(Protocol):
    """What people do at one machine (`api.commands.machine`)."""

    async def remote_stop(self, by: Principal, printer_id: int) -> Stopped:
        """M112 at once."""

    async def heat(self, by: Principal, printer_id: int, targets_c: Mapping[str, float]) -> Printer:
        """Set targets in °C by heater."""


class Control(Protocol):
    """Telling one printer what to do (`api.commands.control`)."""

    async def tell(self, by: Principal, printer_id: int, verb: Verb) -> Printer:
        """Do it and return the printer with the state that it reported."""


class JobsRoom(Protocol):
    """What the fleet needs of the jobs."""

    @property
    def control(self) -> Control:
        """Telling printers what to do."""

    async def stop(self, by: Principal, printer_id: int) -> Printer:
        """End its print with the cancel script."""


Work = Callable[[Principal, int], Awaitable[Printer]]
_T = TypeVar("_T")


class Fleet:
    """The printers of an organization as one."""

    def __init__(
        self,
        printers: Printers,
        pools: Pools,
        machine: Machine,
        jobs: JobsRoom,
        *,
        ledger: Ledger,
    ) -> None:
        self._printers = printers
        self._pools = pools
        self._machine = machine
        self._jobs = jobs
        self._ledger = ledger

    async def control(
        self,
        by: Principal,
        which: Choice,
        action: FleetAction,
        targets_c: Mapping[str, float] | None = None,
    ) -> Sequence[Outcome]:
        """Tell each of these printers to do *action*; *targets_c* goes with `temperature`.

        Raises `Invalid` (more than `MAX_PRINTERS`, no targets) or `NotFound` (the pool): then
        nobody was told anything.
        """
        by.require("printers.fleet")
        if action is FleetAction.TEMPERATURE and not targets_c:
            raise Invalid(
                "targets_c: temperature needs one heater at least",
                code="validation_failed",
                field="targets_c",
            )
        ids = await self._chosen(by, which)
        if len(ids) > MAX_PRINTERS:
            raise Invalid(
                f"{len(ids)} printers at once; {MAX_PRINTERS} are allowed. Name fewer.",
                code="limit_exceeded",
            )
        work = self._work(action, targets_c or {})
        found = await asyncio.gather(*(self._outcome(by, *each, work) for each in ids.items()))
        done = sum(one.success for one in found)
        would(f"{action}_printers", printer_ids=[*ids], results=[_previewed(one) for one in found])
        async with self._ledger.change() as change:
            facts = {"command": action, "printer_ids": [*ids], "succeeded": done}
            change.note(by, "printers.controlled", ("printer", ""), **facts)
        return found

    async def stop(self, by: Principal, which: Choice) -> Sequence[StopOutcome]:
        """M112 to each of these printers at once, latched until somebody resets each.

        Who cannot be reached is not stopped, and the answer says so; its queue waits from now on,
        and a start that has not come to its room is taken back. While the database is away those
        are meant that are remembered, and what came of it is in the log alone (safety M07).
        Raises `NotFound` (the pool): then nothing was stopped.
        """
        by.require("printers.fleet")
        ids = await self._chosen_to_stop(by, which)
        found = await asyncio.gather(*(self._stopped(by, *each) for each in ids.items()))
        would(
            "stop_fleet",
            printer_ids=[*ids],
            not_reachable=[one.printer_id for one in found if not one.sent and not one.reached],
        )
        summary = {
            "printers": len(found),
            "reached": sum(one.reached for one in found),
            "power_switch": sum(one.needs_power_switch for one in found),
        }
        try:
            async with self._ledger.change() as change:
                change.record(
                    Happened(by.organization_id, "fleet.stopped", user_id=by.user_id, data=summary)
                )
                change.note(by, "fleet.stopped", ("printer", ""), printer_ids=[*ids], **summary)
        except AWAY as error:
            _log.error("%s stopped %s; that is not written down: %s", by.username, summary, error)
        return found

    # Whom.

    async def _chosen_to_stop(self, by: Principal, which: Choice) -> dict[int, Printer | None]:
        """`_chosen`; while the database is away, by what is remembered."""
        try:
            return await self._chosen(by, which)
        except AWAY:
            with past_database():
                return await self._chosen(by, which)

    async def _chosen(self, by: Principal, which: Choice) -> dict[int, Printer | None]:
        """The chosen printers by number; None for a number that is no printer of the caller's."""
        rows = await self._printers.list(by)
        if which.printer_ids is not None:
            known = {row.id: row for row in rows}
            return {each: known.get(each) for each in which.printer_ids}
        if which.tag is not None:
            rows = [row for row in rows if which.tag in row.tags]
        elif which.pool_id is not None:
            pool = await self._pools.get(by, which.pool_id)
            rows = await self._pools.printers_of(by, pool)
        return {row.id: row for row in rows}

    # What.

    def _work(self, action: FleetAction, targets_c: Mapping[str, float]) -> Work:
        verbs = {
            FleetAction.PAUSE: Verb.PAUSE,
            FleetAction.RESUME: Verb.RESUME,
            FleetAction.CONNECT: Verb.CONNECT,
            FleetAction.DISCONNECT: Verb.DISCONNECT,
        }
        if action in verbs:
            return lambda by, each: self._jobs.control.tell(by, each, verbs[action])
        others: dict[FleetAction, Work] = {
            FleetAction.CANCEL: self._jobs.stop,
            FleetAction.TEMPERATURE: lambda by, each: self._machine.heat(by, each, targets_c),
            FleetAction.HOLD_QUEUE: self._printers.hold_queue,
            FleetAction.RELEASE_QUEUE: self._printers.release_queue,
        }
        return others[action]

    async def _outcome(
        self, by: Principal, printer_id: int, row: Printer | None, work: Work
    ) -> Outcome:
        name, state = (None, None) if row is None else (row.name, answered_state(row))
        try:
            told, facts = await _alone(lambda: work(by, printer_id))
        except Problem as problem:
            return Outcome(
                printer_id=printer_id,
                name=name,
                state=state,
                message=problem.detail,
                code=problem.code,
                status=problem.kind.v1_status,
            )
        state = state if told is None else answered_state(told)
        message = f"{name} reports {state}"
        return Outcome(printer_id=printer_id, name=name, state=state, message=message, facts=facts)

    async def _stopped(self, by: Principal, printer_id: int, row: Printer | None) -> StopOutcome:
        name, state = (None, None) if row is None else (row.name, answered_state(row))
        if row is not None and row.bridge_id is None:
            return StopOutcome(printer_id=printer_id, name=name, state=state, message=_NO_BRIDGE)
        try:
            stopped, _ = await _alone(lambda: self._machine.remote_stop(by, printer_id))
        except Problem as problem:
            return StopOutcome(
                printer_id=printer_id,
                name=name,
                state=state,
                message=problem.detail,
                held="queue_held" in problem.extra,
            )
        if stopped is None:
            message = "It would be told to stop."
            return StopOutcome(
                printer_id=printer_id, name=name, state=state, message=message, sent=True
            )
        return StopOutcome(
            printer_id=printer_id,
            name=name,
            state=answered_state(stopped.printer),
            message=stopped.advice,
            sent=stopped.is_sent,
            reached=stopped.printer.state == PrinterState.HALTED,
            obeys_at_once=stopped.obeys_at_once,
        )


async def _alone(work: Callable[[], Awaitable[_T]]) -> tuple[_T | None, Mapping[str, Any]]:
    """What *work* returns, run again by itself where the database collided.

    While the whole call is rehearsed: (what it returns where nothing would change, else None,
    what it would do).
    """
    with set_apart():
        if not is_rehearsed():
            return await persistently(work), {}
        with rehearsing() as rehearsal:
            try:
                return await work(), {}
            except Rehearsed:
                return None, {"action": rehearsal.action, **rehearsal.facts}


def _previewed(one: Outcome) -> dict[str, Any]:
    """A result of a dry run: what the printer would be told, or why not."""
    told = {"refused": one.message, "code": one.code} if one.code else dict(one.facts)
    return {"printer_id": one.printer_id, **told}
