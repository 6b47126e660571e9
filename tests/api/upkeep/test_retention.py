"""What is older than it is kept goes, some rows at a time, and nothing else (v1 2.2, 2.4)."""

from datetime import timedelta
from typing import Any

import pytest

from api.alerts.models import Alert
from api.commands.models import Command
from api.events.models import AuditEntry
from api.events.rehearsal import Rehearsed, rehearsing
from api.events.service import Ledger
from api.jobs.lent import FOLLOWED, LeaseState, last_alone
from api.jobs.models import Attempt, Job, Lease, Print
from api.orders.models import OrderJob
from api.policies.service import Policies
from api.principal import Denied, Principal, Role
from api.scheduler.models import Decision
from api.telemetry.models import Sample
from api.upkeep import retention as rules
from api.upkeep.retention import Retention
from schemas.commands import COMMAND_OVER, CommandState, Verb
from tests.api.conftest import FakeClock

OLD_DAYS = 40
#: What is kept for a time of its own, which nobody sets; nothing of it in most tests.
OWN_TIME = {"commands": 0, "leases": 0}


@pytest.fixture
def retention(policies: Policies, ledger: Ledger, clock: FakeClock) -> Retention:
    return Retention(policies, ledger, clock)


async def job(clock: FakeClock, state: str, age_days: float = OLD_DAYS) -> Job:
    """A job with a print, an attempt and a decision."""
    at = clock.now() - timedelta(days=age_days)
    row = await Job.create(
        organization_id=1, item_name="it", state=state, created_at=at, updated_at=at
    )
    made: dict[str, Any] = {"organization_id": 1, "job_id": row.id, "printer_id": 1}
    run = await Print.create(**made, created_at=at)
    grant = f"grant-{row.id}"
    await Attempt.create(
        **made, grant=grant, print_id=run.id, number=1, command_id=grant, created_at=at
    )
    await Decision.create(**made, grant=grant, match_score=1, decided_at=at)
    return row


async def alert(clock: FakeClock, age_days: float) -> None:
    at = clock.now() - timedelta(days=age_days)
    await Alert.create(
        organization_id=1,
        user_id=1,
        alert_type="print_failed",
        severity="info",
        title="x",
        created_at=at,
    )


async def entry(clock: FakeClock, age_days: float) -> None:
    at = clock.now() - timedelta(days=age_days)
    await AuditEntry.create(organization_id=1, at=at, action="old.thing")


async def test_only_what_is_over_and_of_no_order_goes(
    retention: Retention, clock: FakeClock, admin: Principal
) -> None:
    """Jobs go with what was printed for them; what waits, prints or was ordered stays."""
    gone = [await job(clock, state) for state in ("completed", "failed", "cancelled", "rejected")]
    kept = [await job(clock, state) for state in ("pending", "printing", "paused", "submitted")]
    kept.append(await job(clock, "completed", age_days=OLD_DAYS - 20))
    ordered = await job(clock, "completed")
    await OrderJob.create(
        organization_id=1, order_id=1, item_id=1, component_id=1, job_id=ordered.id, makes=1
    )
    await retention.set_days(admin, {"completed_jobs_days": 30})
    cleaned = await retention.clean(admin)
    assert cleaned.deleted["completed_jobs"] == len(gone)
    left: list[Any] = sorted(row.id for row in [*kept, ordered])
    assert sorted(await Job.all().values_list("id", flat=True)) == left
    for model in (Print, Attempt, Decision):
        assert sorted(await model.all().values_list("job_id", flat=True)) == left, model


async def test_nothing_that_is_kept_for_ever_goes(
    retention: Retention, clock: FakeClock, admin: Principal
) -> None:
    """0 days is for ever: what jobs and the trail begin with."""
    await job(clock, "completed", age_days=3000)
    await entry(clock, 3000)
    cleaned = await retention.clean(admin)
    assert set(cleaned.deleted) == {"alerts", "telemetry", *OWN_TIME}
    assert (await Job.all().count(), await AuditEntry.filter(action="old.thing").count()) == (1, 1)


async def test_each_kind_has_its_time(
    retention: Retention, clock: FakeClock, admin: Principal
) -> None:
    """Alerts, entries and temperatures by their own days; the trail says that something went."""
    for age_days in (5, 50, 500):
        await alert(clock, age_days)
        await entry(clock, age_days)
        at = clock.now() - timedelta(days=age_days)
        await Sample.create(organization_id=1, printer_id=1, temps={}, at=at)
    wish = {"alert_history_days": 10, "audit_logs_days": 100, "telemetry_days": 1}
    await retention.set_days(admin, wish)
    cleaned = await retention.clean(admin)
    assert cleaned.deleted == {"alerts": 2, "audit_logs": 1, "telemetry": 3, **OWN_TIME}
    assert not cleaned.more
    told = await AuditEntry.filter(action="retention.cleaned").get()
    assert told.details["deleted"] == cleaned.deleted
    nothing = {"alerts": 0, "audit_logs": 0, "telemetry": 0, **OWN_TIME}
    assert (await retention.clean(admin)).deleted == nothing
    assert await AuditEntry.filter(action="retention.cleaned").count() == 1


async def command(clock: FakeClock, verb: Verb, state: CommandState, age_days: float) -> str:
    """One that ended then, or that still has no outcome."""
    number = await Command.all().count() + 1
    at = clock.now() - timedelta(days=age_days)
    name = f"c{number}"
    await Command.create(
        id=name,
        organization_id=1,
        printer_id=1,
        bridge_id=1,
        seq=number,
        verb=verb,
        state=state,
        created_at=at,
        ended_at=at if state in COMMAND_OVER else None,
    )
    return name


async def lease(clock: FakeClock, state: LeaseState, age_days: float, **more: Any) -> str:
    """One that ended then, unless it is out."""
    number = await Lease.all().count() + 1
    at = clock.now() - timedelta(days=age_days)
    row = await Lease.create(
        grant=f"g{number}",
        command_id=f"c{number}",
        organization_id=1,
        bridge_id=1,
        printer_id=1,
        job_id=number,
        state=state,
        place=0,
        clears_itself=False,
        sha256="0" * 64,
        size_bytes=1,
        journal="j",
        created_at=at,
        expires_at=at,
        ended_at=None if state is LeaseState.OUT else at,
        **more,
    )
    return row.grant


async def test_commands_go_a_month_after_their_end(
    retention: Retention, clock: FakeClock, admin: Principal
) -> None:
    """What has no outcome stays, and a start as long as its job."""
    kept = [
        await command(clock, Verb.GCODE, CommandState.DONE, 29),
        await command(clock, Verb.GCODE, CommandState.DELIVERED, 300),
        await command(clock, Verb.START, CommandState.DONE, 300),
    ]
    for state in sorted(COMMAND_OVER):
        await command(clock, Verb.TEMPERATURE, state, 31)
    assert (await retention.clean(admin)).deleted["commands"] == len(COMMAND_OVER)
    left: list[Any] = await Command.all().order_by("id").values_list("id", flat=True)
    assert left == kept
    start = await command(clock, Verb.START, CommandState.DONE, 50)
    old = await job(clock, "completed")
    await Attempt.filter(job_id=old.id).update(command_id=start)
    await retention.set_days(admin, {"completed_jobs_days": 30})
    await retention.clean(admin)
    assert not await Command.filter(id=start).exists()
    assert await Command.filter(id=kept[-1]).exists()


async def test_leases_go_when_no_room_can_speak_of_them(
    retention: Retention, clock: FakeClock, admin: Principal
) -> None:
    """What is out stays however old, and so does the newest start that a room made alone."""
    kept = [
        await lease(clock, LeaseState.OUT, 300),
        await lease(clock, LeaseState.RETURNED, 89),
        await lease(clock, LeaseState.USED, 300, alone_turn=2),
    ]
    for state in (LeaseState.USED, LeaseState.RETURNED, LeaseState.ABANDONED):
        await lease(clock, state, 91)
    await lease(clock, LeaseState.USED, 91, alone_turn=FOLLOWED)
    assert (await retention.clean(admin)).deleted["leases"] == 4
    left: list[Any] = await Lease.all().order_by("grant").values_list("grant", flat=True)
    assert left == kept
    assert await last_alone(1) == kept[-1]


async def test_prints_without_a_job_go_like_jobs(
    retention: Retention, clock: FakeClock, admin: Principal
) -> None:
    """What a printer printed from its own card, with the same days; what runs stays."""
    made: dict[str, Any] = {"organization_id": 1, "printer_id": 1, "created_at": clock.now()}
    old = clock.now() - timedelta(days=OLD_DAYS)
    await Print.create(**made, ended_at=old)
    kept = [await Print.create(**made, ended_at=clock.now()), await Print.create(**made)]
    await retention.set_days(admin, {"completed_jobs_days": 30})
    assert (await retention.clean(admin)).deleted["prints_without_jobs"] == 1
    left: list[Any] = await Print.all().order_by("id").values_list("id", flat=True)
    assert left == [row.id for row in kept]


async def test_a_run_is_bounded_and_the_next_goes_on(
    retention: Retention, clock: FakeClock, admin: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many batches at a time, each its own transaction; it says that there is more."""
    monkeypatch.setattr(rules, "BATCH_ROWS", 3)
    monkeypatch.setattr(rules, "MOST_BATCHES", 2)
    for _ in range(8):
        await alert(clock, 100)
    first = await retention.clean(admin)
    assert (first.deleted["alerts"], first.more) == (6, True)
    assert await retention.sweep() == 2
    assert await Alert.all().count() == 0


async def test_a_dry_run_counts_and_removes_nothing(
    retention: Retention, clock: FakeClock, admin: Principal
) -> None:
    """It says what the call would remove, and the rows are still there."""
    await alert(clock, 100)
    with rehearsing() as rehearsal, pytest.raises(Rehearsed):
        await retention.clean(admin)
    assert rehearsal.action == "retention_cleanup"
    assert rehearsal.facts["deleted"]["alerts"] == 1
    assert await Alert.all().count() == 1


async def test_the_days_are_a_superadmins(retention: Retention, admin: Principal) -> None:
    """Nobody else reads, sets or runs them."""
    other = Principal(
        organization_id=2,
        user_id=2,
        username="other",
        role=Role.ADMIN,
        kind="session",
        credential_id=2,
    )
    for asked in (
        retention.days(other),
        retention.set_days(other, {"audit_logs_days": 1}),
        retention.clean(other),
    ):
        with pytest.raises(Denied):
            await asked
    assert (await retention.days(admin))["timelapses_days"] == 30
