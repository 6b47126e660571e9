"""Spools: weights that add up, slots that show them, prints that take filament once."""

import asyncio
from dataclasses import replace

import pytest

from api.errors import Conflict, Forbidden, NotFound
from api.events.models import AuditEntry
from api.files.models import Blob
from api.principal import Role
from api.printers.slots import slot_fields
from api.spools.forms import NewFilament, SpoolFilter, Use
from api.spools.service import SpoolUse
from schemas.jobs import AttemptEvent
from tests.api.spools.conftest import Store


async def test_fifty_uses_at_once_add_up(store: Store) -> None:
    """50 in parallel take 50 times as much, each with its row (safety S55)."""
    spool = await store.spool(1000.0)
    use = Use(grams=3.5)
    admin = store.farm.admin
    await asyncio.gather(*(store.spools.use(admin, spool.id, use) for _ in range(50)))
    assert (await store.now(spool)).remaining_weight_g == 825.0
    assert await SpoolUse.filter(spool_id=spool.id).count() == 50


async def test_an_empty_spool_says_so_once(store: Store) -> None:
    """Low when it passes its threshold, empty at nothing, never below; once each."""
    spool = await store.spool(100.0)
    admin = store.farm.admin
    for grams in (40.0, 20.0, 20.0, 90.0, 5.0):
        await store.spools.use(admin, spool.id, Use(grams=grams))
    row = await store.now(spool)
    assert (row.remaining_weight_g, row.status) == (0.0, "empty")
    kinds = [kind for kind in await store.farm.kinds() if kind.startswith("inventory.")]
    assert kinds == ["inventory.spool_low", "inventory.spool_empty"]


async def test_the_slot_shows_the_spool_and_what_is_left(store: Store) -> None:
    """Loading, using, replacing and unloading are seen in the printer's own row."""
    farm, admin = store.farm, store.farm.admin
    printer = await farm.printer()
    one, two = await store.spool(), await store.spool(500.0, "PETG")
    _, _, previous = await store.spools.load(admin, one.id, printer.id, 2)
    assert previous is None
    await store.spools.use(admin, one.id, Use(grams=10))
    slot = slot_fields(await farm.printers.get(admin, printer.id))[1]
    assert (slot["assigned_spool_id"], slot["remaining"]) == (one.id, 990.0)
    _, _, previous = await store.spools.load(admin, two.id, printer.id, 2)
    assert previous == one.id
    assert (await store.now(one)).location_printer_id is None
    slot = slot_fields(await farm.printers.get(admin, printer.id))[1]
    assert (slot["filament_type"], slot["remaining"]) == ("PETG", 500.0)
    await store.spools.unload(admin, two.id, "shelf 3")
    slot = slot_fields(await farm.printers.get(admin, printer.id))[1]
    assert (slot["assigned_spool_id"], slot["remaining"]) == (None, None)
    assert (await store.now(two)).storage_location == "shelf 3"


async def test_a_spool_hangs_in_one_place(store: Store) -> None:
    """Loading it elsewhere empties the slot it was in; no slot, no printer: not found."""
    farm, admin = store.farm, store.farm.admin
    first = await farm.printer("One", "virtual:one")
    second = await farm.printer("Two", "virtual:two")
    spool = await store.spool()
    await store.spools.load(admin, spool.id, first.id, 1)
    await store.spools.load(admin, spool.id, second.id, 1)
    assert slot_fields(await farm.row(first))[0]["assigned_spool_id"] is None
    with pytest.raises(NotFound):
        await store.spools.load(admin, spool.id, first.id, 5)
    assert (await store.now(spool)).location_printer_id == second.id
    await farm.printers.delete(admin, second.id)
    assert (await store.now(spool)).location_printer_id is None


async def test_a_print_takes_its_filament_once(store: Store) -> None:
    """When it is done, from the spool in the printer, however often its end is reported (R5)."""
    farm = store.farm
    printer = await farm.printer()
    spool = await store.spool()
    await store.spools.load(farm.admin, spool.id, printer.id, 3)
    job = await farm.job(printer)
    await Blob.filter(id=job.blob_id).update(facts={"filament_g": 12.5})
    await farm.jobs.start_explicit(farm.admin, job)
    attempt = await farm.jobs.current_attempts([await farm.job_now(job)])
    [grant] = attempt
    await farm.tell(grant, AttemptEvent.STARTED)
    assert (await store.now(spool)).remaining_weight_g == 1000.0
    for _ in range(3):
        await farm.tell(grant, AttemptEvent.COMPLETED)
    assert (await store.now(spool)).remaining_weight_g == 987.5
    [use] = await SpoolUse.all()
    assert (use.job_id, use.weight_used_g) == (job.id, 12.5)


async def test_scales_correct_the_weight(store: Store) -> None:
    """Gross weight less the spool's; 10 g or less of filament is an empty spool."""
    spool = await store.spool()
    admin = store.farm.admin
    assert (await store.spools.weigh(admin, spool.id, 900)).remaining_weight_g == 650.0
    assert (await store.spools.weigh(admin, spool.id, 1000)).remaining_weight_g == 750.0
    row = await store.spools.weigh(admin, spool.id, 258)
    assert (row.remaining_weight_g, row.status) == (0.0, "empty")


async def test_lists_are_filtered(store: Store) -> None:
    """By material in any case, free ones, low ones; archived ones only when asked for."""
    farm, admin = store.farm, store.farm.admin
    printer = await farm.printer()
    pla, petg, old = await store.spool(), await store.spool(40.0, "PETG"), await store.spool()
    await store.spools.load(admin, pla.id, printer.id, 1)
    await store.spools.archive(admin, old.id)

    async def found(**which: object) -> list[int]:
        rows, total = await store.spools.list(admin, SpoolFilter(**which), 0, 50)  # type: ignore[arg-type]
        assert total == len(rows)
        return [row.id for row in rows]

    assert await found() == [pla.id, petg.id]
    assert await found(material="petg") == [petg.id]
    assert await found(available=True) == [petg.id]
    assert await found(low=True) == [petg.id]
    assert await found(status="archived") == [old.id]
    assert await found(printer_id=printer.id) == [pla.id]
    with pytest.raises(Conflict):
        await store.spools.load(admin, old.id, printer.id, 1)


async def test_a_label_finds_its_spool(store: Store) -> None:
    """Its code and nothing else, whatever a scanner reads."""
    spool = await store.spool()
    assert (await store.spools.by_code(store.farm.admin, spool.qr_code)).id == spool.id
    for code in ("SPL-0", "%", "", "\0", "\ud800", "ü", "a label of nobody"):
        with pytest.raises(NotFound):
            await store.spools.by_code(store.farm.admin, code)


async def test_a_filament_with_spools_stays(store: Store) -> None:
    """409 filament_in_use; without spools it goes, and both are noted."""
    spool = await store.spool()
    filaments, admin = store.spools.filaments, store.farm.admin
    with pytest.raises(Conflict) as refused:
        await filaments.delete(admin, spool.filament_id)
    assert refused.value.code == "filament_in_use"
    other = await filaments.create(admin, NewFilament(brand="B", name="C"))
    await filaments.delete(admin, other.id)
    actions = [entry.action for entry in await AuditEntry.all().order_by("id")]
    assert actions == ["filament.created", "spool.created", "filament.created", "filament.deleted"]


async def test_strangers_and_viewers_are_kept_out(store: Store) -> None:
    """Another organization's spool is not there; a viewer may look."""
    spool = await store.spool()
    stranger = replace(store.farm.admin, organization_id=2, is_superadmin=False)
    with pytest.raises(NotFound):
        await store.spools.get(stranger, spool.id)
    viewer = replace(store.farm.admin, role=Role.VIEWER)
    assert (await store.spools.get(viewer, spool.id)).id == spool.id
    with pytest.raises(Forbidden):
        await store.spools.use(viewer, spool.id, Use(grams=1))
