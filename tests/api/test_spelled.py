"""Statements spelled once say what the ORM would say, to both databases."""

from typing import Any

from api.bridges.models import Bridge
from api.spelled import Rows, among, ask, in_dialect, update
from tests.api.conftest import FakeClock

ROOM = Rows(Bridge, f"organization_id = $1 AND {among('name', ['Cellar', 'Attic'])} ORDER BY id")


async def _room(clock: FakeClock, name: str, **more: Any) -> Bridge:
    uid = name.ljust(26, "x")
    values: dict[str, Any] = {"uid": uid, "public_key": uid, "created_at": clock.now(), **more}
    return await Bridge.create(organization_id=1, name=name, **values)


async def test_rows_are_whole_and_in_order(database: None, clock: FakeClock) -> None:
    """Every column is as the ORM reads it: times, truth, JSON, what is empty."""
    ports = [{"port_id": "usb:1", "what": {"deep": [1, None]}}]
    await _room(clock, "Cellar", ports=ports, connected_at=clock.now(), shown_online=True)
    await _room(clock, "Kitchen")
    await _room(clock, "Attic")
    found = await ROOM.of(1)
    assert [row.name for row in found] == ["Cellar", "Attic"]
    for row in found:
        other = await Bridge.get(id=row.id)
        for name in Bridge._meta.fields_db_projection:
            mine, theirs = getattr(row, name), getattr(other, name)
            assert (type(mine), mine) == (type(theirs), theirs), name
    first = await ROOM.first(1)
    assert first is not None
    assert (first.ports, first.connected_at) == (ports, clock.now())
    assert await ROOM.of(2) == []
    assert await ROOM.first(2) is None


async def test_a_row_that_was_read_can_be_saved(database: None, clock: FakeClock) -> None:
    """It is the ORM's row in everything."""
    await _room(clock, "Cellar")
    row = await ROOM.first(1)
    assert row is not None
    row.name = "Attic"
    await row.save()
    assert [each.name for each in await Bridge.all()] == ["Attic"]


async def test_an_update_touches_only_rows_that_are_as_read(
    database: None, clock: FakeClock
) -> None:
    """A row that has moved meanwhile stays, and the count says so."""
    row = await _room(clock, "Cellar", epoch=3)
    new = {"epoch": 4, "ports": [{"port_id": "a"}], "disconnected_at": None, "shown_online": True}
    as_read = {"id": row.id, "epoch": 3, "shown_online": False, "revoked_at": None}
    assert await update(Bridge, new, {**as_read, "epoch": 2}) == 0
    assert (await Bridge.get(id=row.id)).epoch == 3
    assert await update(Bridge, new, as_read) == 1
    now = await Bridge.get(id=row.id)
    assert (now.epoch, now.ports, now.shown_online) == (4, [{"port_id": "a"}], True)


async def test_what_is_empty_is_asked_for_as_such(database: None, clock: FakeClock) -> None:
    """None in a condition means that there is no value, not one that equals nothing."""
    there = await _room(clock, "Cellar")
    await _room(clock, "Attic", revoked_at=clock.now())
    assert await update(Bridge, {"revoked_at": clock.now()}, {"revoked_at": None}) == 1
    assert (await Bridge.get(id=there.id)).revoked_at == clock.now()
    assert await update(Bridge, {"revoked_at": None}, {"id": there.id}) == 1
    assert (await Bridge.get(id=there.id)).revoked_at is None


async def test_values_are_bound_and_never_read_as_sql(database: None, clock: FakeClock) -> None:
    """A hostile text is a text."""
    hostile = "x'; DROP TABLE bridge; --"
    row = await _room(clock, "Cellar")
    assert await update(Bridge, {"name": hostile}, {"id": row.id, "name": "Cellar"}) == 1
    assert await ask("SELECT id FROM bridge WHERE name = $1", hostile) == [{"id": row.id}]


def test_sqlite_hears_its_own_words() -> None:
    """Numbered values, and no lock on a row: it has one writer."""
    text = "SELECT a FROM b WHERE c = $1 AND d = $2 FOR UPDATE"
    assert in_dialect(text, "postgres") == text
    assert in_dialect(text, "sqlite") == "SELECT a FROM b WHERE c = ?1 AND d = ?2"
