"""A rehearsal goes as far as the commit: nothing is kept, nobody is woken, the last word counts."""

from collections.abc import Sequence

import pytest

from api.bus.local import LocalBus
from api.events.models import AuditEntry, Event
from api.events.rehearsal import Rehearsed, rehearsing, would
from api.events.service import Change, Happened, Ledger
from api.principal import Principal


async def act(ledger: Ledger, by: Principal) -> None:
    async with ledger.change() as change:
        change.record(Happened(1, "thing.done"))
        change.note(by, "thing.done", ("printer", 7), name="One")
        change.wake("somebody")


async def test_nothing_is_committed_and_nobody_is_woken(
    ledger: Ledger, bus: LocalBus, admin: Principal
) -> None:
    """The audit entry says what it would have been; afterwards all is as always."""
    with bus.listen("somebody") as listener:
        with rehearsing() as rehearsal, pytest.raises(Rehearsed):
            await act(ledger, admin)
        assert [listener.rang] == [False]
        assert (await Event.all().count(), await AuditEntry.all().count()) == (0, 0)
        await act(ledger, admin)
        assert [listener.rang] == [True]
    assert (rehearsal.action, rehearsal.facts) == ("thing.done", {"printer_id": 7, "name": "One"})
    assert await Event.all().count() == 1


async def test_what_the_service_says_comes_first(ledger: Ledger, admin: Principal) -> None:
    """`would` goes before the audit entry; without a rehearsal it says nothing to anybody."""
    would("nothing")
    with rehearsing() as rehearsal, pytest.raises(Rehearsed):
        would("first", a=1)
        would("last", b=2)
        await act(ledger, admin)
    assert (rehearsal.action, rehearsal.facts) == ("last", {"b": 2})


async def test_followers_hear_in_order_and_inside_the_transaction(
    ledger: Ledger, admin: Principal
) -> None:
    """What one records the next one hears too; what one refuses has not happened."""
    heard: list[tuple[str, list[str]]] = []

    async def first(change: Change, happened: Sequence[Happened]) -> None:
        heard.append(("first", [one.kind for one in happened]))
        change.record(Happened(1, "thing.followed"))

    async def second(change: Change, happened: Sequence[Happened]) -> None:
        heard.append(("second", [one.kind for one in happened]))
        if happened[0].kind == "thing.refused":
            raise RuntimeError("no")

    ledger.follow(first)
    ledger.follow(second)
    await act(ledger, admin)
    assert heard == [("first", ["thing.done"]), ("second", ["thing.done", "thing.followed"])]
    with pytest.raises(RuntimeError):
        async with ledger.change() as change:
            change.record(Happened(1, "thing.refused"))
    assert await Event.filter(kind="thing.refused").count() == 0
