"""Planted faults: one wrong line each, which the checker must find.

A mutant says which rule has to catch it, so a rule that has gone blind is noticed by name.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from unittest import mock

import msgspec

from api.bridges.service import Bridge, Bridges, Standing
from api.commands import rules
from api.commands.models import Command
from api.commands.service import Commands
from api.jobs.leases import Leases as LentJobs
from api.link.connection import Connection as ApiConnection
from api.printers import plate
from bridge.agent import fleet, handover, leases, work
from bridge.agent.commands import CommandBook
from bridge.agent.fleet import Fleet
from bridge.agent.grants import Grants
from bridge.agent.journal import Journal
from bridge.agent.leases import Leases
from bridge.agent.link.uplink import DesiredParts, Uplink
from bridge.agent.outbox import Outbox
from bridge.agent.work import PrinterWork
from bridge.control.messages import Timed
from schemas.commands import CommandEvent
from schemas.facts import FactBatch
from schemas.link import Cmd, CmdGot, FactAck
from tests.simulation.machines import Machine
from tests.simulation.world import Bias

Plant = Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True)
class Mutant:
    """*plant* breaks the product; one of *caught_by* has to complain, on days of *bias*."""

    plant: Plant
    caught_by: tuple[str, ...]
    bias: Bias | None = None


def _ack_before_commit() -> AbstractContextManager[Any]:
    take = ApiConnection._take

    async def hasty(self: Any, text: Any, now: float) -> None:
        body = msgspec.json.decode(text)
        if body["t"] == "fact":
            batch = msgspec.convert(body["d"], FactBatch)
            self._say(FactAck(journal_id=batch.journal_id, seq=batch.facts[-1].seq))
            await self._out.flush()
        await take(self, text, now)

    return mock.patch.object(ApiConnection, "_take", hasty)


def _effect_before_journal() -> AbstractContextManager[Any]:
    hand = PrinterWork._hand

    async def hasty(self: Any, row: Any) -> None:
        self._send(row)
        await hand(self, row)

    return mock.patch.object(PrinterWork, "_hand", hasty)


def _got_before_journal() -> AbstractContextManager[Any]:
    receive = Uplink.receive

    def hasty(self: Any, text: Any, now: float) -> Any:
        body = receive(self, text, now)
        if isinstance(body, Cmd):
            self.say(CmdGot(seq=body.seq), now)
        return body

    return mock.patch.object(Uplink, "receive", hasty)


def _no_deadline() -> AbstractContextManager[Any]:
    row_of: Any = handover.row_of

    def patient(command: Any, now_ms: int) -> Any:
        row = row_of(command, now_ms)
        row.deadline_ms = None
        return row

    return mock.patch.object(fleet, "row_of", patient)


def _sender_has_no_deadline() -> AbstractContextManager[Any]:
    tell = handover.message_of

    def patient(row: Any, file_of: Any) -> Any:
        message = tell(row, file_of)
        if isinstance(message, Timed):
            return msgspec.structs.replace(message, before_ms=None)
        return message

    return mock.patch.object(work, "message_of", patient)


@contextmanager
def _all(*patches: AbstractContextManager[Any]) -> Iterator[None]:
    with ExitStack() as planted:
        for patch in patches:
            planted.enter_context(patch)
        yield


def _grant_used_twice() -> AbstractContextManager[Any]:
    """The journal forgets ids, and consuming what is consumed is fine."""

    def consume(grants: Any, grant: str, printer: int, boot: str, wall_s: int) -> None:
        with suppress(sqlite3.IntegrityError):
            grants._insert(grant, printer, "granted", boot, wall_s)

    def known(journal: Any, row: Any, clock: Any) -> bool:
        journal._db.execute("DELETE FROM commands WHERE id = ?", (row.id,))
        return False

    return _all(
        mock.patch.object(Grants, "consume", consume),
        mock.patch.object(Journal, "_known", known),
    )


def _old_epochs_are_heard() -> AbstractContextManager[Any]:
    async def standing(self: Any, bridge_id: int, epoch: int) -> Any:
        return Standing.CURRENT, await Bridge.get(id=bridge_id)

    return mock.patch.multiple(Bridges, standing=standing, held=standing)


def _plate_stays_clear() -> AbstractContextManager[Any]:
    return mock.patch.object(plate, "plate_after", lambda policy: plate.PlateState.CLEAR)


def _outbox_backwards() -> AbstractContextManager[Any]:
    after = Outbox.after

    def backwards(self: Any, seq: int) -> Any:
        return after(self, seq)[::-1]

    return mock.patch.object(Outbox, "after", backwards)


def _old_configuration_wins() -> AbstractContextManager[Any]:
    def add(self: Any, part: Any) -> Any:
        return part.version, part.printers

    return mock.patch.object(DesiredParts, "add", add)


def _stop_is_not_latched() -> AbstractContextManager[Any]:
    return _all(
        mock.patch.object(rules, "check_latch", lambda *_: None),
        mock.patch.object(Machine, "latches", False),
    )


def _forgets_at_sending() -> AbstractContextManager[Any]:
    after = Journal.facts_after

    def forgetful(self: Any, seq: int) -> Any:
        batch = after(self, seq)
        if batch:
            self.acknowledge(batch[-1].seq)
        return batch

    return mock.patch.object(Journal, "facts_after", forgetful)


def _sent_is_enough() -> AbstractContextManager[Any]:
    pending = Commands.pending

    async def once(self: Any, bridge_id: int, epoch: int) -> Any:
        return [row for row in await pending(self, bridge_id, epoch) if row.state == "queued"]

    return mock.patch.object(Commands, "pending", once)


def _dead_prints_are_forgotten() -> AbstractContextManager[Any]:
    def nothing(self: Any, *args: Any) -> list[str]:
        return []

    return mock.patch.object(Journal, "interrupt", nothing)


def _runs_again_after_death() -> AbstractContextManager[Any]:
    """What a dead sender had is given to the next one, whatever it is."""

    def adopted(self: Any, now_ms: int, view: Any, reported: Any) -> list[Any]:
        for row in self._rows.values():
            if row.state == "started":
                row.state = type(row.state).DELIVERED
        return []

    return mock.patch.object(CommandBook, "adopted", adopted)


def _outcome_is_guessed() -> AbstractContextManager[Any]:
    """A start that nobody answered is called rejected."""
    expire = Commands.expire_due

    async def hasty(self: Any) -> int:
        late = await Command.filter(state="sent", deadline_at__lte=self._clock.now())
        if late:
            async with self._ledger.change() as change:
                for row in late:
                    await self._step(change, row, CommandEvent.EXPIRED, "expired", "guessed")
        return await expire(self)

    return mock.patch.object(Commands, "expire_due", hasty)


def _stop_without_a_sender_is_dropped() -> AbstractContextManager[Any]:
    def deaf(self: Any, stop: Any) -> None:
        pass

    return mock.patch.object(Fleet, "remote_stop", deaf)


def _claim_of_the_room_stays() -> AbstractContextManager[Any]:
    return mock.patch.object(Leases, "plate_used", lambda self, printer: None)


def _cancelled_without_the_rooms_word() -> AbstractContextManager[Any]:
    async def hasty(self: Any, change: Any, by: Any, job: Any, *, force: bool) -> bool:
        return True

    return mock.patch.object(LentJobs, "cancel", hasty)


def _goes_on_after_a_bad_end() -> AbstractContextManager[Any]:
    return mock.patch.object(Leases, "void", lambda self, printer: None)


def _hours_are_forgotten() -> AbstractContextManager[Any]:
    return mock.patch.object(leases, "_is_open", lambda lease, age_s: True)


_CUT_OFF = ("long_partition",)
_LENT = ("queue_more", "queue_more", "clear_in_the_room", "release")

MUTANTS: dict[str, Mutant] = {
    "plate claim of the room reused": Mutant(
        _claim_of_the_room_stays, ("clear_plate",), Bias(_CUT_OFF, _LENT)
    ),
    "cancelled without the room's word": Mutant(
        _cancelled_without_the_rooms_word,
        ("cancelled_is_not_started",),
        Bias(_CUT_OFF, ("queue_more", "clear_in_the_room", "release", "cancel_waiting")),
    ),
    "alone after a bad end": Mutant(
        _goes_on_after_a_bad_end,
        ("person_after_a_bad_end",),
        Bias((*_CUT_OFF, "kill_sender"), ("queue_more", "clear_in_the_room", "clear_in_the_room")),
    ),
    "hours forgotten": Mutant(
        _hours_are_forgotten,
        ("in_hours",),
        Bias(_CUT_OFF, ("queue_more", "queue_anywhere", "clear_in_the_room", "release"), True),
    ),
    "ack before commit": Mutant(_ack_before_commit, ("ack_after_commit",)),
    "effect before journal": Mutant(_effect_before_journal, ("journal_before_effect",)),
    "delivered before journal": Mutant(_got_before_journal, ("got_after_journal",)),
    "deadline ignored": Mutant(
        _no_deadline, ("nothing_late",), Bias(("half_open", "partition"), ("gcode", "temperature"))
    ),
    "deadline ends at the sender's socket": Mutant(
        _sender_has_no_deadline,
        ("nothing_late",),
        Bias(("freeze_sender", "freeze_sender"), ("gcode", "temperature", "resume")),
    ),
    "grant consumed twice": Mutant(
        _grant_used_twice,
        ("one_start_per_grant", "one_effect_per_command", "one_entry_per_command"),
        Bias(("frames_twice", "cut", "kill_api", "kill_sender"), ("start_now", "queue", "clear")),
    ),
    "old epochs heard": Mutant(
        _old_epochs_are_heard, ("fenced_epochs",), Bias(("slow_line", "kill_agent"))
    ),
    "plate claim reused": Mutant(_plate_stays_clear, ("clear_plate",)),
    "outbox backwards": Mutant(_outbox_backwards, ("all_is_well_in_the_end",)),
    "old configuration wins": Mutant(
        _old_configuration_wins, ("desired_never_goes_back",), Bias(("frames_twice",), ("rename",))
    ),
    "stop not latched": Mutant(
        _stop_is_not_latched,
        ("latched_stop",),
        Bias(acts=("remote_stop", "gcode", "temperature", "start_now", "pause")),
    ),
    "fact forgotten at sending": Mutant(_forgets_at_sending, ("facts_once_in_order",)),
    "command not sent again": Mutant(_sent_is_enough, ("all_is_well_in_the_end",)),
    "dead print forgotten": Mutant(_dead_prints_are_forgotten, ("all_is_well_in_the_end",)),
    "run again after a death": Mutant(
        _runs_again_after_death,
        ("one_effect_per_command", "one_start_per_grant"),
        Bias(("kill_sender", "kill_agent"), ("gcode",)),
    ),
    "outcome guessed": Mutant(
        _outcome_is_guessed, ("honest_commands",), Bias(("half_open", "partition"), ("gcode",))
    ),
    "stop dropped": Mutant(_stop_without_a_sender_is_dropped, ("all_is_well_in_the_end",)),
}
