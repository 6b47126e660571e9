"""Jobs that are with a room: one grant whoever starts, the room's word, cancels told honestly."""

from datetime import timedelta

import pytest
from tortoise.exceptions import DoesNotExist

from api.commands.models import Command
from api.errors import Conflict, Unavailable
from api.jobs.leases import Terms, Wish
from api.jobs.line import waiting_of
from api.jobs.models import Attempt, Job, Lease
from api.link.facts import age_of
from api.link.handler import desired_parts
from api.printers.models import Printer
from api.scheduler import lending
from schemas.commands import CommandState, Verb
from schemas.facts import AttemptFact, CommandFact, Fact, FactBatch, PlateFact
from schemas.jobs import AttemptEvent, AttemptState
from schemas.leases import ALONE
from schemas.printer import PrinterState
from tests.fakes.farm import BRIDGE, Farm

JOURNAL = "j"


@pytest.fixture
def lender(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> Farm:
    """A farm that lends to its one room."""

    async def borrowers() -> dict[int, str]:
        return {BRIDGE: JOURNAL}

    monkeypatch.setattr(lending, "borrowers", borrowers)
    farm.jobs.leases.terms = Terms(24.0, 180.0)
    return farm


async def with_jobs(farm: Farm, count: int = 1) -> tuple[Printer, list[Job]]:
    """A printer whose plate waits for somebody, and jobs for it."""
    printer = await farm.printer(port_id="usb:1")
    jobs = [await farm.job(printer) for _ in range(count)]
    await farm.scheduler.step()
    return printer, jobs


async def lease_of(job: Job) -> Lease:
    """Its newest lease."""
    lease = await Lease.filter(job_id=job.id).order_by("-grant").first()
    if lease is None:
        raise DoesNotExist("it was not lent")
    return lease


async def went_on(farm: Farm, lease: Lease, *events: AttemptEvent) -> None:
    """The room tells that it started *lease* by itself, and what became of it."""
    started = CommandFact(id=lease.command_id, state=CommandState.STARTED, code=ALONE)
    async with farm.ledger.change() as change:
        await farm.jobs.leases.went_on(change, BRIDGE, started)
    for event in events:
        await farm.tell(lease.grant, event)


async def gives_back(farm: Farm, lease: Lease, journal: str = JOURNAL) -> bool:
    """The room's word that it never starts it."""
    fact = AttemptFact(
        printer=lease.printer_id,
        grant=lease.grant,
        event=AttemptEvent.NOT_STARTED,
        state=AttemptState.NOT_STARTED,
    )
    async with farm.ledger.change() as change:
        return await farm.jobs.leases.given_back(change, BRIDGE, journal, fact)


async def test_next_jobs_of_a_printer_are_lent_in_order(lender: Farm) -> None:
    """At most three, told with the newest configuration, and not lent again and again."""
    _, jobs = await with_jobs(lender, 4)
    told = await lender.jobs.leases.of_room(BRIDGE)
    assert [lease.job for lease in told.leases] == [job.id for job in jobs[:3]]
    before = lender.bridges.desired
    await lender.scheduler.step()
    assert lender.bridges.desired == before
    (part,) = desired_parts(2, [], told)
    assert part.leases == told.leases


async def test_start_of_the_api_uses_the_grant_of_the_lease(lender: Farm) -> None:
    """safety I1: whoever starts it, the room's journal knows the grant and the command."""
    printer, (job,) = await with_jobs(lender)
    lease = await lease_of(job)
    await lender.printers.plate_cleared(lender.admin, printer.id)
    await lender.scheduler.step()
    attempt, command = await Attempt.get(job_id=job.id), await lender.last(Verb.START)
    assert (attempt.grant, command.id) == (lease.grant, lease.command_id)
    assert command.state == CommandState.SENT
    lender.clock.advance(3600)
    await lender.scheduler.step()
    assert (await lender.last(Verb.START)).state == CommandState.SENT


async def test_what_the_room_did_alone_becomes_history(lender: Farm) -> None:
    """One attempt, one print, the job completed; the plate is what the print left."""
    printer, (job,) = await with_jobs(lender)
    lease = await lease_of(job)
    await went_on(lender, lease, AttemptEvent.STARTED)
    assert (await lender.job_now(job)).state == "printing"
    assert (await lender.row(printer)).active_grant == lease.grant
    await went_on(lender, lease, AttemptEvent.COMPLETED)
    assert (await lender.job_now(job)).state == "completed"
    assert await Attempt.filter(job_id=job.id).count() == 1
    row = await lender.row(printer)
    assert (row.active_grant, row.plate_state) == (None, "occupied")
    assert "job.started_alone" in await lender.kinds()


async def test_start_that_never_reached_the_room_gives_way(lender: Farm) -> None:
    """safety I6: the room went on with another job; the printer has one attempt."""
    printer, (job,) = await with_jobs(lender)
    lease = await lease_of(job)
    other = await lender.job(printer)
    await lender.printers.plate_cleared(lender.admin, printer.id)
    await lender.jobs.start_explicit(lender.admin, other)
    await went_on(lender, lease, AttemptEvent.STARTED)
    assert (await lender.row(printer)).active_grant == lease.grant
    assert (await lender.job_now(other)).state == "pending"
    await went_on(lender, lease, AttemptEvent.COMPLETED)
    await lender.printers.plate_cleared(lender.admin, printer.id)
    await lender.scheduler.step()
    assert (await lender.last(Verb.START)).args["last_alone"] == lease.grant


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ((), "cancelled"),
        (("started", "cancelled"), "cancelled"),
        (("started", "failed"), "failed"),
        (("started", "completed"), "completed"),
    ],
)
async def test_cancel_is_told_when_the_room_has_answered(
    lender: Farm, events: tuple[str, ...], state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table of `api.jobs.leases`: till then the job waits and says that it may still begin."""
    monkeypatch.setattr("api.jobs.endings.CANCEL_WAIT_S", 0.0)
    _, (job,) = await with_jobs(lender)
    lease = await lease_of(job)
    asked = await lender.jobs.cancel(lender.admin, job.id)
    assert (asked.state, "may start it" in asked.reason) == ("waiting_plate_clear", True)
    told = await lender.jobs.leases.of_room(BRIDGE)
    assert (told.leases, told.recalled) == ([], {lease.grant: lease.printer_id})
    if not events:
        assert await gives_back(lender, lease)
    else:
        await went_on(lender, lease, *map(AttemptEvent, events))
        assert await Command.filter(verb=Verb.CANCEL, grant=lease.grant).count() == 1
    assert (await lender.job_now(job)).state == state


async def test_plate_of_a_room_that_may_print_alone_is_not_cleared_from_afar(
    lender: Farm,
) -> None:
    """Seed 1001187: nobody here can see what lies on it; without a lease, or with the room: yes."""
    printer, (job,) = await with_jobs(lender)
    lender.bridges.is_online = False
    with pytest.raises(Unavailable, match="bridge plate clear") as refused:
        await lender.printers.plate_cleared(lender.admin, printer.id)
    assert (refused.value.code, refused.value.extra["job_id"]) == ("job_lent", job.id)
    assert (await Printer.get(id=printer.id)).plate_state == "unknown"
    lender.bridges.is_online = True
    assert (await lender.printers.plate_cleared(lender.admin, printer.id)).plate_state == "clear"


async def test_cancel_by_force_says_what_nobody_knows(lender: Farm) -> None:
    """For a room that never comes back; comes it nevertheless, its print is told to cancel."""
    _, (job,) = await with_jobs(lender)
    lease = await lease_of(job)
    gone = await lender.jobs.cancel(lender.admin, job.id, force=True)
    assert gone.state == "cancelled"
    assert "may have printed it" in gone.reason
    await went_on(lender, lease, AttemptEvent.STARTED)
    assert (await lender.job_now(job)).state == "cancelled"
    assert (await Attempt.get(grant=lease.grant)).state == "started"
    assert await Command.filter(verb=Verb.CANCEL, grant=lease.grant).exists()


async def test_nobody_else_gets_the_job_before_the_room_has_answered(
    lender: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another printer, a hold, a deletion: the room is asked first."""
    monkeypatch.setattr("api.jobs.leases.RECALL_S", 0.0)
    _, (job,) = await with_jobs(lender)
    lease = await lease_of(job)
    other = await lender.printer("Two", "virtual:two")
    for change in (
        lambda: lender.jobs.update(lender.admin, job.id, {"printer_id": other.id}),
        lambda: lender.jobs.update(lender.admin, job.id, {"hold": True}),
        lambda: lender.jobs.delete(lender.admin, job.id),
    ):
        with pytest.raises(Unavailable, match="may start the job by itself"):
            await change()
    with pytest.raises(Conflict, match="asked back"):
        await lender.jobs.start_explicit(lender.admin, await lender.job_now(job))
    assert await gives_back(lender, lease)
    moved = await lender.jobs.update(lender.admin, job.id, {"printer_id": other.id})
    assert moved.printer_id == other.id


async def test_journal_that_is_lost_leaves_the_job_to_a_person(lender: Farm) -> None:
    """Its word is of another journal than the one that had the lease: it may have printed."""
    printer, (job,) = await with_jobs(lender)
    lease = await lease_of(job)
    await lender.printers.hold_queue(lender.admin, printer.id)
    await lender.scheduler.step()
    assert await gives_back(lender, lease, "another")
    now = await lender.job_now(job)
    assert (now.hold, "lost its journal" in now.reason) == (True, True)


async def test_leases_follow_the_queue(lender: Farm) -> None:
    """A printer whose queue is held has none; a room that does not answer keeps what it has."""
    printer, (job,) = await with_jobs(lender)
    lender.bridges.is_online = False
    await lender.printers.hold_queue(lender.admin, printer.id)
    await lender.scheduler.step()
    assert (await lease_of(job)).recalled_at is None
    lender.bridges.is_online = True
    await lender.scheduler.step()
    assert (await lease_of(job)).recalled_at is not None
    assert await lender.jobs.leases.arrange([], {}, {printer.id: BRIDGE})


async def test_lease_is_renewed_before_it_ends(lender: Farm) -> None:
    """While the room is there its leases never run out."""
    printer, (job,) = await with_jobs(lender)
    before = (await lease_of(job)).expires_at
    lender.clock.advance(13 * 3600)
    await lender.scheduler.step()
    assert (await lease_of(job)).expires_at > before
    wanted = waiting_of(await lender.job_now(job))
    wish = Wish(printer=await lender.row(printer), job=wanted, place=0, clears_itself=False)
    assert await lender.jobs.leases.arrange([wish], {BRIDGE: JOURNAL}, {printer.id: BRIDGE})


async def test_job_that_one_printer_alone_can_have_is_lent(lender: Farm) -> None:
    """It names none; where two can have it, nobody should wait for a room that is cut off."""
    one, two = await lender.printer(port_id="usb:1"), await lender.printer("Two", "usb:2")
    await lender.printers.update(lender.admin, one.id, {"tags": ["steel"]})
    job = await lender.job(details={"required_tags": ["steel"]})
    free = await lender.job()
    for printer in (one, two):
        await lender.report(printer.id, PrinterState.PRINTING)
    await lender.scheduler.step()
    lease = await lease_of(job)
    assert lease.printer_id == one.id
    assert await Lease.filter(job_id=free.id).count() == 0
    await went_on(lender, lease, AttemptEvent.STARTED)
    assert (await lender.job_now(job)).printer_id == one.id


async def test_other_printers_pass_over_what_a_room_has(
    lender: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A printer that can have it now, too, prints what is behind it, until the room's word."""
    monkeypatch.setattr("api.jobs.leases.RECALL_S", 0.0)
    one, two = await lender.printer(port_id="usb:1"), await lender.printer("Two", "virtual:two")
    await lender.printers.update(lender.admin, one.id, {"tags": ["steel"]})
    job = await lender.job(details={"required_tags": ["steel"]})
    await lender.scheduler.step()
    lease = await lease_of(job)
    behind = await lender.job()
    await lender.printers.update(lender.admin, two.id, {"tags": ["steel"]})
    await lender.scheduler.step()
    states = [(await lender.job_now(each)).state for each in (job, behind)]
    assert states == ["pending", "scheduled"]
    assert (await lease_of(job)).recalled_at is not None
    with pytest.raises(Unavailable, match="may start the job by itself"):
        await lender.jobs.start_explicit(lender.admin, job, two.id)
    assert await gives_back(lender, lease)
    await lender.run(two, AttemptEvent.STARTED, AttemptEvent.COMPLETED)
    await lender.scheduler.step()
    assert (await lender.job_now(job)).printer_id == two.id


async def test_job_that_was_changed_meanwhile_is_not_lent(lender: Farm) -> None:
    """The queue has looked at it as it was."""
    printer = await lender.printer(port_id="usb:1")
    job = await lender.job(printer)
    wanted = waiting_of(await lender.job_now(job))
    await lender.jobs.update(lender.admin, job.id, {"quantity": 2})
    wish = Wish(printer=printer, job=wanted, place=0, clears_itself=False)
    await lender.jobs.leases.arrange([wish], {BRIDGE: JOURNAL}, {printer.id: BRIDGE})
    assert await Lease.filter(job_id=job.id).count() == 0


async def test_lease_keeps_the_hours_in_which_prints_start(
    lender: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """safety M26: told in seconds from now on, told again when they change; an agent that does not
    know of hours gets nothing.
    """
    printer, (job,) = await with_jobs(lender)
    await lender.jobs.leases.arrange([], {}, {printer.id: BRIDGE})
    assert await gives_back(lender, await lease_of(job))
    now = lender.clock.now()
    blackout = [(now + timedelta(hours=hours)).strftime("%H:%M") for hours in (-1, 1)]
    hours = {"blackout_start": blackout[0], "blackout_end": blackout[1]}
    await lender.scheduler.sight.arrangements.set_timetable(lender.admin, hours)
    await lender.scheduler.step()
    assert (await lender.jobs.leases.of_room(BRIDGE)).leases == []

    async def timekeepers() -> set[int]:
        return {BRIDGE}

    monkeypatch.setattr(lending, "timekeepers", timekeepers)
    await lender.scheduler.step()
    [told] = (await lender.jobs.leases.of_room(BRIDGE)).leases
    opens_at = (now + timedelta(hours=1)).replace(second=0, microsecond=0)
    assert told.opens_s is not None
    assert told.opens_s[0][0] == (opens_at - now).total_seconds()
    before = lender.bridges.desired
    await lender.scheduler.step()
    assert lender.bridges.desired == before
    nothing = {"blackout_start": None, "blackout_end": None}
    await lender.scheduler.sight.arrangements.set_timetable(lender.admin, nothing)
    await lender.scheduler.step()
    [told] = (await lender.jobs.leases.of_room(BRIDGE)).leases
    assert (told.opens_s, lender.bridges.desired) == (None, before + 1)


@pytest.mark.parametrize("moved", [False, True])
async def test_printer_that_left_its_room_leaves_the_job_to_a_person(
    lender: Farm, moved: bool
) -> None:
    """Deleted or moved: no word will come, so nobody may say that it was not printed."""
    printer, (job,) = await with_jobs(lender)
    if moved:
        await lender.jobs.leases.arrange([], {}, {printer.id: BRIDGE + 1})
    else:
        await lender.printers.delete(lender.admin, printer.id)
    now = await lender.job_now(job)
    assert (now.hold, "may have printed it" in now.reason) == (True, True)
    assert (await lease_of(job)).state == "abandoned"


async def test_nothing_is_lent_where_it_is_switched_off(lender: Farm) -> None:
    """`GANTRY_LEASE_HOURS=0`."""
    lender.jobs.leases.terms = Terms(0.0, 180.0)
    _, (job,) = await with_jobs(lender)
    assert await Lease.filter(job_id=job.id).count() == 0


def test_age_of_a_fact_is_that_of_the_rooms_clock() -> None:
    """Of another boot nobody knows it."""
    fact = Fact(seq=1, at_ms=4_000, boot_id="b", body=PlateFact(printer=1))
    batch = FactBatch(journal_id="j", facts=[fact], sent_ms=10_500, boot_id="b")
    assert age_of(fact, batch) == 6.5
    assert age_of(fact, FactBatch(journal_id="j", facts=[fact])) == 0.0
