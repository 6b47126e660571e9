"""Alerts: who is told of what, once, in the transaction of the event."""

from dataclasses import replace
from typing import Any

import pytest

from api.accounts.models import User
from api.alerts.service import Alert, AlertFilter, Alerts, Severity
from api.bus.local import LocalBus
from api.errors import NotFound
from api.events.service import Happened, Ledger
from api.principal import Principal, Role
from schemas.jobs import AttemptEvent
from schemas.printer import PrinterState
from tests.api.conftest import FakeClock
from tests.fakes.farm import Farm


class People:
    """Users straight from the rows."""

    async def members(self, organization_id: int) -> list[User]:
        return await User.filter(organization_id=organization_id, is_active=True)


@pytest.fixture
def farm(ledger: Ledger, clock: FakeClock, bus: LocalBus, admin: Principal) -> Farm:
    return Farm(ledger, clock, bus, admin)


@pytest.fixture
async def alerts(farm: Farm) -> Alerts:
    for number, role in ((1, Role.ADMIN), (2, Role.OPERATOR), (3, Role.VIEWER), (4, Role.VIEWER)):
        await User.create(
            id=number,
            organization_id=1,
            username=f"user{number}",
            password_hash="",
            role=role,
            created_at=farm.clock.now(),
        )
    return Alerts(People(), farm.jobs, farm.ledger, farm.clock)


async def say(farm: Farm, kind: str, **more: Any) -> None:
    async with farm.ledger.change() as change:
        change.record(Happened(1, kind, **more))


async def told() -> dict[int, str]:
    """The newest alert of each person."""
    return {row.user_id: row.alert_type for row in await Alert.all().order_by("id")}


async def test_a_failed_print_is_told_to_staff_and_its_owner(farm: Farm, alerts: Alerts) -> None:
    """Operators, admins and who asked for it; not everybody. A print that was interrupted fails."""
    printer = await farm.printer()
    job = await farm.job(printer)
    job.created_by = 3
    await job.save()
    await farm.jobs.start_explicit(farm.admin, job)
    await farm.run(printer, AttemptEvent.STARTED, AttemptEvent.INTERRUPTED)
    assert await told() == {1: "print_failed", 2: "print_failed", 3: "print_failed"}
    assert (await farm.kinds())[-1] == "alert.new"


async def test_a_print_that_is_done_is_told_to_its_owner(farm: Farm, alerts: Alerts) -> None:
    """print_complete, info."""
    printer = await farm.printer()
    job = await farm.job(printer)
    await farm.jobs.start_explicit(farm.admin, job)
    await farm.run(printer, AttemptEvent.STARTED, AttemptEvent.COMPLETED)
    assert await told() == {1: "print_complete"}


async def test_a_printer_in_trouble_is_told_once_in_five_minutes(
    farm: Farm, alerts: Alerts
) -> None:
    """Same type, printer and title are not repeated; later they are."""
    printer = await farm.printer()
    for _ in range(3):
        await farm.report(printer.id, PrinterState.ERROR, "thermal runaway")
        await farm.report(printer.id, PrinterState.OPERATIONAL)
    assert await Alert.all().count() == 2
    farm.clock.advance(301)
    await farm.report(printer.id, PrinterState.HALTED)
    await farm.report(printer.id, PrinterState.ERROR, "thermal runaway")
    assert await Alert.all().count() == 6


async def test_approval_is_told_to_who_waits_for_it(farm: Farm, alerts: Alerts) -> None:
    """job_submitted to the staff; job_approved and job_rejected to the submitter alone."""
    job = await farm.job(submitted=True)
    await type(job).filter(id=job.id).update(created_by=4)
    assert await told() == {1: "job_submitted", 2: "job_submitted"}
    await say(farm, "job.approve", job_id=job.id, data={"item_name": "Cube"})
    assert (await told())[4] == "job_approved"
    await say(farm, "job.reject", job_id=job.id, data={"item_name": "Cube", "reason": "no"})
    rejected = (await Alert.all().order_by("-id"))[0]
    assert (rejected.user_id, rejected.message, rejected.severity) == (4, "no", "warning")


@pytest.mark.parametrize(
    ("kind", "data", "severity"),
    [
        ("inventory.spool_low", {"qr_code": "SPL-1", "remaining_grams": 40.0}, "warning"),
        ("inventory.spool_empty", {"qr_code": "SPL-1", "remaining_grams": 0.0}, "critical"),
        ("bridge.offline", {"bridge_id": 7, "name": "room"}, "warning"),
        ("job.file_pending", {"item_name": "Cube", "reason": "its file: gone"}, "warning"),
        ("bridge.cloned", {"bridge_id": 7, "name": "room"}, "warning"),
        ("bridge.alarm", {"bridge_id": 7, "bridge_name": "room", "code": "disk_low"}, "warning"),
        ("bridge.alarm", {"bridge_name": "room", "code": "journal_damaged"}, "warning"),
        ("bridge.alarm", {"bridge_name": "room", "code": "journal_gone"}, "warning"),
        ("printer.alarm", {"bridge_id": 7, "code": "sender_failed", "text": "down"}, "critical"),
        ("printer.alarm", {"bridge_id": 7, "code": "power_not_cut", "text": "on"}, "critical"),
        ("printer.alarm", {"code": "stop_uncertain", "text": "switch it off"}, "critical"),
        ("printer.alarm", {"code": "cold_print", "text": "heat it"}, "warning"),
        ("printer.alarm", {"code": "printer_waits", "text": "press its button"}, "warning"),
        ("printer.alarm", {"code": "file_pause", "text": "magnets"}, "warning"),
        ("printer.alarm", {"code": "stray_command", "text": "look at it"}, "warning"),
        ("maintenance.overdue", {"task_name": "Oil it", "printer_name": "One"}, "warning"),
    ],
)
async def test_what_the_staff_hears_of(
    farm: Farm, alerts: Alerts, kind: str, data: dict[str, Any], severity: str
) -> None:
    """One row for each operator and admin."""
    await say(farm, kind, data=data)
    rows = await Alert.all()
    assert {row.user_id for row in rows} == {1, 2}
    assert {row.severity for row in rows} == {severity}


@pytest.mark.parametrize("kind", ["bridge.alarm", "printer.alarm"])
async def test_what_a_bridge_tells_in_passing_is_no_alert(
    farm: Farm, alerts: Alerts, kind: str
) -> None:
    """A clock that was set, a code that nobody here knows: they stand among the events."""
    for code in ("clock_jumped", "printer_says", "of another version"):
        await say(farm, kind, data={"code": code, "text": "so it is"})
    assert await Alert.all().count() == 0


async def test_everybody_has_their_own(farm: Farm, alerts: Alerts, admin: Principal) -> None:
    """Reading and dismissing is for oneself; somebody else's alert is not there."""
    await say(farm, "bridge.offline", data={"name": "a"})
    await say(farm, "inventory.spool_empty", data={"qr_code": "b"})
    rows, total = await alerts.list(admin, AlertFilter(), 0, 50)
    assert (total, [row.alert_type for row in rows]) == (2, ["spool_low", "bridge_offline"])
    assert sum((await alerts.unread(admin)).values()) == 2
    await alerts.mark_read(admin, rows[0].id)
    rows, _ = await alerts.list(admin, AlertFilter(is_read=False), 0, 50)
    assert [row.alert_type for row in rows] == ["bridge_offline"]
    await alerts.dismiss(admin, rows[0].id)
    rows, total = await alerts.list(admin, AlertFilter(severity=Severity.WARNING), 0, 50)
    assert (total, list(rows)) == (0, [])
    operator = replace(admin, user_id=2, role=Role.OPERATOR)
    theirs, _ = await alerts.list(operator, AlertFilter(), 0, 50)
    with pytest.raises(NotFound):
        await alerts.dismiss(admin, theirs[0].id)
    assert await alerts.mark_all_read(operator) == 2
    assert await alerts.unread(operator) == {}
    assert await alerts.mark_all_read(admin) == 0
