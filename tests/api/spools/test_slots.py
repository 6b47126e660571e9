"""Slots of printers: what people say, what hangs there, what somebody should look at (v1 2.3)."""

import pytest

from api.spools.forms import Use
from api.spools.slot_routes import SlotRoutes
from api.spools.slots import Slots
from tests.api.spools.conftest import Store
from tests.fakes.farm import Farm
from tests.fakes.farm_app import FarmApp


@pytest.fixture
def farm(store: Store) -> Farm:
    return store.farm


@pytest.fixture
def app(store: Store) -> FarmApp:
    app = FarmApp(store.farm)
    slots = Slots(store.spools, store.farm.printers, store.farm.ledger)
    SlotRoutes(slots, store.spools, store.farm.printers).register(app.v1)
    return app


async def test_slots_hold_what_people_said(app: FarmApp, farm: Farm) -> None:
    """slot_count slots from 1, unique ids; loading one shows in the printer and its colours.

    A printer leaves out what nobody has said of a slot.
    """
    body = {"name": "A", "slot_count": 2, "initial_slots": [{"slot_number": 2, "color": "red"}]}
    row = await app.ask("POST", "/printers", body, 201)
    other = await app.ask("POST", "/printers", {"name": "B"}, 201)
    slots = await app.ask("GET", f"/printers/{row['id']}/slots")
    assert [(each["slot_number"], each["color"]) for each in slots] == [(1, None), (2, "red")]
    assert len({each["id"] for each in row["filament_slots"] + other["filament_slots"]}) == 6
    path = f"/printers/{row['id']}/slots"
    loaded = await app.ask("PATCH", f"{path}/1", {"filament_type": "PETG", "color_hex": "#00FF00"})
    assert (loaded["filament_type"], loaded["loaded_at"]) == ("PETG", "2026-01-01T12:00:00.000Z")
    shown = await app.ask("GET", f"/printers/{row['id']}")
    said = {name: value for name, value in loaded.items() if value is not None}
    assert (shown["loaded_colors"], shown["filament_slots"][0]) == (["#00FF00"], said)
    await app.ask("PATCH", f"{path}/3", {"color": "blue"}, 404)
    await app.ask("PATCH", f"{path}/1", {"filament_type": "CHEESE"}, 422)
    twice = {**body, "name": "C", "initial_slots": [{"slot_number": 1}, {"slot_number": 1}]}
    await app.ask("POST", "/printers", twice, 422)


async def test_assign_hangs_a_spool_into_a_slot(app: FarmApp, store: Store) -> None:
    """POST .../slots/{n}/assign?spool_id=: the slot shows it, the one that was there is out."""
    printer = await store.farm.printer("A", None)
    one, two = await store.spool(800.0, "PETG"), await store.spool()
    path = f"/printers/{printer.id}/slots/2"
    for spool, previous in ((one, None), (two, one.id), (one, two.id)):
        answer = await app.ask("POST", f"{path}/assign?spool_id={spool.id}")
        assert (answer["spool_id"], answer["previous_spool_id"]) == (spool.id, previous)
        assert (answer["success"], answer["slot_number"]) == (True, 2)
    slot = (await app.ask("GET", f"/printers/{printer.id}/slots"))[1]
    assert (slot["assigned_spool_id"], slot["filament_type"]) == (one.id, "PETG")
    assert (slot["remaining"], slot["spool_confirmed"]) == (800.0, True)
    assert (await store.now(two)).location_printer_id is None
    await app.ask("POST", f"{path}/assign", expect=422)
    await app.ask("POST", f"{path}/assign?spool_id=99", expect=404)
    await app.ask("POST", f"/printers/{printer.id}/slots/5/assign?spool_id={two.id}", expect=404)


async def test_what_contradicts_the_spool_needs_attention_until_it_is_confirmed(
    app: FarmApp, store: Store
) -> None:
    """GET .../slots/needs-attention and POST .../confirm: the spool in the slot is what counts."""
    printer = await store.farm.printer("A", None)
    spool = await store.spool(material="PETG")
    path = f"/printers/{printer.id}/slots"
    await app.ask("POST", f"{path}/1/assign?spool_id={spool.id}")
    assert await app.ask("GET", f"{path}/needs-attention") == []
    said = await app.ask("PATCH", f"{path}/1", {"filament_type": "ABS"})
    assert (said["filament_type"], said["spool_confirmed"]) == ("ABS", False)
    [noticed] = await app.ask("GET", f"{path}/needs-attention")
    assert (noticed["slot_number"], noticed["reasons"]) == (1, ["unconfirmed"])
    answer = await app.ask("POST", f"{path}/1/confirm")
    assert (answer["success"], answer["spool_id"]) == (True, spool.id)
    assert await app.ask("GET", f"{path}/needs-attention") == []
    assert (await app.ask("GET", path))[0]["filament_type"] == "PETG"
    await app.ask("POST", f"{path}/9/confirm", expect=404)


async def test_spools_that_run_out_need_attention(app: FarmApp, store: Store) -> None:
    """low, then empty, then gone when it is archived; a slot without a spool needs none."""
    printer = await store.farm.printer("A", None)
    spool = await store.spool(100.0)
    path, by = f"/printers/{printer.id}/slots", store.farm.admin
    await app.ask("PATCH", f"{path}/1", {"assigned_spool_id": spool.id})
    for grams, reason in ((60.0, "low"), (60.0, "empty")):
        await store.spools.use(by, spool.id, Use(grams=grams))
        [noticed] = await app.ask("GET", f"{path}/needs-attention")
        assert noticed["reasons"] == [reason]
    taken = await app.ask("PATCH", f"{path}/1", {"assigned_spool_id": None})
    assert (taken["assigned_spool_id"], taken["remaining"]) == (None, None)
    assert await app.ask("GET", f"{path}/needs-attention") == []
    assert (await store.now(spool)).location_printer_id is None


async def test_a_slot_is_filled_by_hand_out_of_the_library(app: FarmApp, store: Store) -> None:
    """PATCH manual-assign: the library's words or one's own; what hung there is out."""
    printer = await store.farm.printer("A", None)
    spool = await store.spool(material="PETG")
    path = f"/printers/{printer.id}/slots/1"
    await app.ask("POST", f"{path}/assign?spool_id={spool.id}")
    body = {"filament_library_id": f"lib_{spool.filament_id}", "color": "green"}
    slot = await app.ask("PATCH", f"{path}/manual-assign", body)
    assert (slot["assigned_spool_id"], slot["filament_type"], slot["color"]) == (
        *(None, "PETG"),
        "green",
    )
    assert slot["brand"]
    assert (await store.now(spool)).location_printer_id is None
    slot = await app.ask("PATCH", f"{path}/manual-assign", {"filament_type": "ABS", "brand": "B"})
    assert (slot["filament_type"], slot["brand"], slot["color"]) == ("ABS", "B", "green")
    await app.ask("PATCH", f"{path}/manual-assign", {"filament_library_id": 987654}, 404)
    await app.ask("PATCH", f"{path}/manual-assign", {"filament_type": "CHEESE"}, 422)
    for number in (0, 5):
        other = f"/printers/{printer.id}/slots/{number}"
        await app.ask("PATCH", f"{other}/manual-assign", {"color": "red"}, 404)
        await app.ask("PATCH", other, {"assigned_spool_id": None}, 404)


async def test_what_is_in_no_library_is_unmatched(app: FarmApp, store: Store) -> None:
    """GET .../unmatched-slots: neither a spool nor a kind of the library; empty slots are none."""
    printer = await store.farm.printer("A", None)
    spool = await store.spool(material="PETG")
    path = f"/printers/{printer.id}"
    assert await app.ask("GET", f"{path}/unmatched-slots") == []
    said = {"filament_type": "ABS", "color_hex": "#123456"}
    await app.ask("PATCH", f"{path}/slots/1", said)
    await app.ask("PATCH", f"{path}/slots/2", {"filament_type": "empty"})
    await app.ask("POST", f"{path}/slots/3/assign?spool_id={spool.id}")
    kind = {"filament_library_id": spool.filament_id}
    await app.ask("PATCH", f"{path}/slots/4/manual-assign", kind)
    [slot] = await app.ask("GET", f"{path}/unmatched-slots")
    assert (slot["slot_number"], slot["filament_type"]) == (1, "ABS")


async def test_a_slot_can_be_named_as_in_an_ams(app: FarmApp, store: Store) -> None:
    """PUT .../ams/{unit}/slots/{slot}: units and slots from 0, four in each; others are 404."""
    printer = await store.farm.printer("A", None)
    await app.ask("PATCH", f"/printers/{printer.id}", {"slot_count": 6})
    path = f"/printers/{printer.id}/ams"
    body = {"tray_type": "PETG", "tray_color": "00FF00"}
    slot = await app.ask("PUT", f"{path}/1/slots/0", body)
    assert (slot["slot_number"], slot["filament_type"], slot["color_hex"]) == (
        *(5, "PETG"),
        "00FF00",
    )
    for place in ("1/slots/2", "0/slots/4", "9/slots/0"):
        await app.ask("PUT", f"{path}/{place}", body, 404)
    await app.ask("PUT", f"{path}/0/slots/0", {"tray_type": "CHEESE"}, 422)
