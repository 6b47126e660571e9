"""Printer profiles: shared by printers, and a change that never interrupts a print."""

from dataclasses import replace

import pytest

from api.errors import Conflict, Forbidden, Invalid, NotFound
from api.principal import Role
from api.printers.drafts import config
from api.printers.models import Printer
from api.printers.profiles import NewProfile, PrinterProfile
from api.printers.service import PrinterCreate
from schemas.jobs import AttemptEvent
from schemas.printer import PrinterState
from tests.api.pools.test_pools import foreigner
from tests.fakes.farm import Farm
from tests.fakes.farm_app import FarmApp


@pytest.fixture
def app(farm: Farm) -> FarmApp:
    return FarmApp(farm)


async def kind(farm: Farm, **profile: object) -> PrinterProfile:
    """A profile of a small printer."""
    new = NewProfile(
        name="Mini", profile={"width_mm": 180, **profile}, dialect="prusa", plate_policy="confirm"
    )
    return await farm.printers.profiles.create(farm.admin, new)


async def following(farm: Farm, profile: PrinterProfile, port_id: str = "virtual:one") -> Printer:
    """A printer that follows *profile*."""
    printer = await farm.printer(port_id, port_id)
    return await farm.printers.update(farm.admin, printer.id, {"profile_id": profile.id})


async def test_a_profile_is_made_read_changed_and_deleted(app: FarmApp, farm: Farm) -> None:
    """Volume, limits, nozzle, materials, firmware, plate policy; the rest is as by default."""
    body = {
        "name": "MK4",
        "profile": {"width_mm": 250, "max_nozzle_c": 290, "materials": ["PLA", "PETG"]},
        "dialect": "prusa-buddy",
        "plate_policy": "confirm",
    }
    made = await app.ask("POST", "/printer-profiles", body, 201)
    assert (made["profile"]["materials"], made["profile"]["nozzle_mm"]) == (["PLA", "PETG"], 0.4)
    one = f"/printer-profiles/{made['id']}"
    changed = await app.ask("PATCH", one, {"profile": {"nozzle_mm": 0.6}, "plate_policy": None})
    assert (changed["profile"]["nozzle_mm"], changed["profile"]["max_nozzle_c"]) == (0.6, 290)
    assert (changed["plate_policy"], changed["dialect"]) == (None, "prusa-buddy")
    assert await app.ask("GET", "/printer-profiles") == [await app.ask("GET", one)]
    await app.ask("POST", "/printer-profiles", {"name": "MK4"}, 400)
    await app.ask("DELETE", one, expect=204)
    await app.ask("GET", one, expect=404)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"profile": {"max_nozzle_c": 501}}, "max_nozzle_c"),
        ({"profile": {"width_mm": 0}}, "width_mm"),
        ({"profile": {"extruders": 17}}, "extruders"),
        ({"profile": {"materials": ["x" * 33]}}, "materials"),
        ({"profile": {"allowed_codes": ["M303"]}}, "allowed_codes"),
        ({"dialect": "marvin"}, "dialect"),
        ({"plate_policy": "never"}, "plate_policy"),
        ({"name": "  "}, "name"),
    ],
)
async def test_limits_of_a_profile_are_refused_by_name(
    app: FarmApp, body: dict[str, object], field: str
) -> None:
    """422, and the answer names the field."""
    refused = await app.ask("POST", "/printer-profiles", {"name": "X", **body}, 422)
    assert field in str(refused)


async def test_only_an_admin_allows_codes_in_files(farm: Farm) -> None:
    """safety M20: on a shared profile and a printer's own; an operator changes the rest of both."""
    operator = replace(farm.admin, role=Role.OPERATOR)
    printers, codes = farm.printers, {"allowed_codes": ["M500", "M302", "M500"]}
    allowing = {"profile": codes}
    printer, profile = await farm.printer("own", "virtual:one"), await kind(farm)
    with pytest.raises(Forbidden):
        await printers.update(operator, printer.id, allowing)
    with pytest.raises(Forbidden):
        await printers.profiles.update(operator, profile.id, allowing)
    with pytest.raises(Forbidden):
        await printers.profiles.create(operator, NewProfile(name="Other", profile=codes))
    with pytest.raises(Forbidden):
        await printers.create(operator, PrinterCreate(name="Other", profile=codes))
    printer = await printers.update(farm.admin, printer.id, allowing)
    profile = await printers.profiles.update(farm.admin, profile.id, allowing)
    assert printer.profile["allowed_codes"] == ["M302", "M500"]
    assert config(printer).profile.allowed_codes == ("M302", "M500")
    same = {"profile": {"allowed_codes": ["M500", "M302"], "nozzle_mm": 0.6}}
    assert (await printers.update(operator, printer.id, same)).profile["nozzle_mm"] == 0.6
    assert (await printers.profiles.update(operator, profile.id, same)).profile["nozzle_mm"] == 0.6
    with pytest.raises(Forbidden):
        await printers.update(operator, printer.id, {"profile": {"allowed_codes": []}})
    with pytest.raises(Invalid, match="allowed_codes"):
        await printers.update(farm.admin, printer.id, {"profile": {"allowed_codes": ["M997"]}})


async def test_printers_that_follow_a_profile_get_its_changes(farm: Farm) -> None:
    """Their copy and what their bridge is told; the bridge hears of it at once."""
    profile = await kind(farm)
    one, two = await following(farm, profile), await following(farm, profile, "virtual:two")
    desired = farm.bridges.desired
    values = {"profile": {"max_bed_c": 80.0}, "dialect": "marlin"}
    await farm.printers.profiles.update(farm.admin, profile.id, values)
    for printer in (one, two):
        found = config(await farm.row(printer), {})
        assert (found.profile.max_bed_c, found.profile.width_mm) == (80.0, 180.0)
        assert found.dialect == "marlin"
    assert (await farm.row(one)).plate_policy == "confirm"
    assert farm.bridges.desired == desired + 2


async def test_a_change_waits_for_the_end_of_a_print(farm: Farm) -> None:
    """A printing printer keeps what its print began with; the new values come when it is over."""
    profile = await kind(farm)
    printer = await following(farm, profile)
    await farm.printers.plate_cleared(farm.admin, printer.id)
    await farm.job(printer)
    assert await farm.scheduler.step() == 1
    await farm.run(printer, AttemptEvent.STARTED)
    await farm.report(printer.id, PrinterState.PRINTING)
    desired = farm.bridges.desired
    await farm.printers.profiles.update(farm.admin, profile.id, {"profile": {"max_nozzle_c": 190}})
    assert config(await farm.row(printer), {}).profile.max_nozzle_c == 275.0
    assert farm.bridges.desired == desired
    await farm.run(printer, AttemptEvent.COMPLETED)
    await farm.report(printer.id, PrinterState.OPERATIONAL)
    assert config(await farm.row(printer), {}).profile.max_nozzle_c == 190.0
    assert farm.bridges.desired == desired + 1
    await farm.report(printer.id, PrinterState.OFFLINE)
    assert farm.bridges.desired == desired + 1


async def test_what_a_printer_has_from_its_profile_is_not_its_own(farm: Farm) -> None:
    """The refusal names the field; without the profile it may be changed again."""
    profile = await kind(farm)
    printer = await following(farm, profile)
    for name, value in (("profile", {"width_mm": 99}), ("dialect", "marlin")):
        with pytest.raises(Invalid, match=f"{name}: this comes from the printer profile"):
            await farm.printers.update(farm.admin, printer.id, {name: value})
    with pytest.raises(Conflict, match="1 printers follow Mini"):
        await farm.printers.profiles.delete(farm.admin, profile.id)
    await farm.printers.update(farm.admin, printer.id, {"profile_id": None})
    row = await farm.printers.update(farm.admin, printer.id, {"profile": {"width_mm": 99.0}})
    assert (row.profile["width_mm"], row.dialect) == (99.0, "prusa")
    await farm.printers.profiles.delete(farm.admin, profile.id)


async def test_a_new_printer_may_follow_a_profile(app: FarmApp, farm: Farm) -> None:
    """It begins with the profile's values, and has none of its own beside them."""
    profile = await kind(farm, materials=["PLA"])
    made = await app.ask("POST", "/printers", {"name": "A", "profile_id": profile.id}, 201)
    assert (made["profile_id"], made["bed_x_mm"]) == (profile.id, 180)
    assert (made["profile"]["materials"], made["plate_policy"]) == (["PLA"], "confirm")
    both = {"name": "B", "profile_id": profile.id, "profile": {"width_mm": 100}}
    await app.ask("POST", "/printers", both, 422)
    await app.ask("POST", "/printers", {"name": "B", "profile_id": 99}, 404)
    [shown] = await app.ask("GET", "/printer-profiles")
    assert shown["printer_ids"] == [made["id"]]


async def test_a_profile_is_its_organizations(farm: Farm) -> None:
    """Foreign profiles are not found, nor followed (v1 1.4)."""
    profile = await kind(farm)
    profiles = farm.printers.profiles
    assert await profiles.list(foreigner()) == []
    for asked in (
        profiles.get(foreigner(), profile.id),
        profiles.update(foreigner(), profile.id, {"name": "Theirs"}),
        profiles.delete(foreigner(), profile.id),
    ):
        with pytest.raises(NotFound):
            await asked
