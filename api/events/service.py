"""The ledger: every change writes its rows and its events in one transaction, then wakes.

Rooms never call each other's sockets or feeds: they record what happened and name who should look.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

from api.bus.local import Bus
from api.clock import Clock
from api.db import Transaction, has_other_writers
from api.events.models import AuditEntry, Event
from api.events.outbox import put
from api.events.rehearsal import stop_rehearsal
from api.events.writers import Writers
from api.principal import Principal
from api.spelled import ask

_LAST_NUMBER = "SELECT number FROM event WHERE organization_id = $1 ORDER BY number DESC LIMIT 1"

#: The peer of the request that is being served; empty for what the farm does by itself.
asked_from: ContextVar[str] = ContextVar("asked_from", default="")
#: What the request that is served wants written together with whatever it commits.
with_commit: ContextVar[Callable[[], Awaitable[object]] | None] = ContextVar(
    "with_commit", default=None
)


@dataclass(slots=True)
class Happened:
    """One event to be written. *kind* is dotted, for example ``job.completed``."""

    organization_id: int
    kind: str
    printer_id: int | None = None
    job_id: int | None = None
    user_id: int | None = None
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Change:
    """What one transaction does beside its rows."""

    happened: list[Happened] = field(default_factory=list)
    noted: list[AuditEntry] = field(default_factory=list)
    wakes: set[str] = field(default_factory=set)

    def record(self, event: Happened) -> None:
        """Write *event* with this change, and wake the organization's readers."""
        self.happened.append(event)
        self.wakes.add(f"events:{event.organization_id}")

    def note(
        self, by: Principal, action: str, entity: tuple[str, object] = ("", ""), **details: Any
    ) -> None:
        """An audit entry with this change: *by* did *action* to *entity* (its kind and its id).

        If it cannot be written, nothing of the change is. *details*: facts, never secrets.
        """
        self.noted.append(
            AuditEntry(
                organization_id=by.organization_id,
                user_id=by.user_id or None,
                username=by.username[:100],
                action=action,
                entity_type=entity[0],
                entity_id=str(entity[1])[:64],
                details=details,
                remote_address=asked_from.get()[:64],
            )
        )

    def wake(self, *names: str) -> None:
        """Wake these listeners after the commit, and only then."""
        self.wakes.update(names)


Follower = Callable[[Change, Sequence[Happened]], Awaitable[object]]


class Ledger:
    """The one way to change the farm."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock
        self._writers: WeakValueDictionary[int | None, Writers] = WeakValueDictionary()
        self._followers: list[Follower] = []

    def follow(self, follower: Follower) -> None:
        """Call *follower* (change, what happened) in every transaction in which something did,
        before it is committed. What it records in turn is told to those who came after it.
        """
        self._followers.append(follower)

    @asynccontextmanager
    async def change(
        self,
        organization_id: int | None = None,
        *,
        is_flushed: bool = True,
        gives_way: bool = False,
    ) -> AsyncIterator[Change]:
        """A transaction. Rows and events commit together; wake-ups leave after the commit.

        One writer at a time, in all processes together, so a read in it is still true at its
        write; with *organization_id* one per organization, and it must touch nothing of others.
        Never await the network inside. An exception rolls everything back and wakes nobody.
        *is_flushed* False: for what does no harm if the database's machine dies and forgets it.
        *gives_way*: it has piled up, and what others ask for now goes first.
        """
        change = Change()
        scope = organization_id if has_other_writers() else None
        writers = self._writers.setdefault(scope, Writers())
        turn = writers.turn(gives_way=gives_way)
        async with turn, Transaction(scope, is_flushed=is_flushed) as transaction:
            yield change
            first = _first(change.noted)
            for follower in self._followers:
                if change.happened:
                    await follower(change, tuple(change.happened))
            stop_rehearsal(first)  # after them: one may refuse what happened
            await self._write(change.happened)
            await self._audit(change.noted)
            also = with_commit.get()
            if also is not None:
                await also()
            number = await put(self._bus, transaction, change.wakes, self._clock)
        self._bus.wake(change.wakes, number)

    async def _write(self, happened: list[Happened]) -> None:
        numbers: dict[int, int] = {}
        rows = []
        for event in happened:
            organization = event.organization_id
            if organization not in numbers:
                numbers[organization] = await self._last_number(organization)
            numbers[organization] += 1
            rows.append(
                Event(
                    organization_id=organization,
                    number=numbers[organization],
                    kind=event.kind,
                    printer_id=event.printer_id,
                    job_id=event.job_id,
                    user_id=event.user_id,
                    data=event.data,
                    at=self._clock.now(),
                )
            )
        if rows:
            await Event.bulk_create(rows)

    async def _audit(self, noted: list[AuditEntry]) -> None:
        now = self._clock.now()
        for entry in noted:
            entry.at = now
        if noted:
            await AuditEntry.bulk_create(noted)

    async def _last_number(self, organization_id: int) -> int:
        last = await ask(_LAST_NUMBER, organization_id)
        return int(last[0]["number"]) if last else 0

    async def read(self, organization_id: int, since: int, limit: int) -> list[Event]:
        """Up to *limit* events after number *since*, oldest first."""
        return (
            await Event.filter(organization_id=organization_id, number__gt=since)
            .order_by("number")
            .limit(limit)
        )


def _first(noted: Sequence[AuditEntry]) -> tuple[str, str, str, dict[str, Any]] | None:
    if not noted:
        return None
    entry = noted[0]
    return entry.action, entry.entity_type, entry.entity_id, entry.details
