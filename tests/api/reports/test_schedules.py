"""Reports that are mailed by themselves: when, about what time, once, whoever writes them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from typing import Any

import pytest

from api.bus.local import LocalBus
from api.config import Settings
from api.errors import Forbidden, Invalid, NotFound
from api.events.models import AuditEntry
from api.events.service import Ledger
from api.jobs.work import Span
from api.mail.models import Letter
from api.mail.service import Post
from api.policies.quiet import QuietHours
from api.principal import Principal, Role
from api.reports.models import ReportSchedule
from api.reports.people import People
from api.reports.schedules import MOST, NewSchedule, ReportSchedules
from api.reports.timetable import Frequency, ReportType, next_at, span_of, span_until
from api.reports.written import MOST_ROWS, Writer, table
from schemas.jobs import AttemptEvent
from tests.api.conftest import FakeClock
from tests.api.reports.test_people import Names, printed
from tests.fakes.farm import Farm
from tests.fakes.mail_server import MailServer, running_mail_server

NEVER = QuietHours(enabled=False, start=time(22), end=time(7))
F = Frequency


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# When, and what: pure.


@pytest.mark.parametrize(
    ("frequency", "now", "due"),
    [
        (F.DAILY, "2026-01-01T12:00", "2026-01-02T07:00"),
        (F.DAILY, "2026-01-01T06:59", "2026-01-01T07:00"),
        (F.DAILY, "2026-01-01T07:00", "2026-01-02T07:00"),
        (F.WEEKLY, "2026-01-01T12:00", "2026-01-05T07:00"),
        (F.WEEKLY, "2026-01-05T06:00", "2026-01-05T07:00"),
        (F.MONTHLY, "2026-01-31T12:00", "2026-02-01T07:00"),
        (F.MONTHLY, "2026-12-15T00:00", "2027-01-01T07:00"),
    ],
)
def test_when_a_report_is_mailed(frequency: Frequency, now: str, due: str) -> None:
    """Every day, every Monday, every first of a month (v1 2.11)."""
    assert next_at(frequency, at(now)) == at(due)


@pytest.mark.parametrize(
    ("frequency", "since", "until"),
    [
        (F.DAILY, "2026-03-01", "2026-03-02"),
        (F.WEEKLY, "2026-02-16", "2026-02-23"),
        (F.MONTHLY, "2026-02-01", "2026-03-01"),
    ],
)
def test_what_a_report_covers(frequency: Frequency, since: str, until: str) -> None:
    """The last whole day, week or month; asked for at once, as much up to now."""
    now = at("2026-03-02T07:00" if frequency is not F.WEEKLY else "2026-02-23T07:00")
    assert span_of(frequency, now) == Span(since=at(since), until=at(until))
    asked = span_until(frequency, now)
    assert (asked.until, asked.until - asked.since) == (now, at(until) - at(since))


def test_a_table_is_bounded() -> None:
    """Nobody's name becomes another line or column; what is too much is counted."""
    lines = table(("who", "much"), [("A\nB" + "x" * 99, 1)] * (MOST_ROWS + 5))
    assert len(lines) == MOST_ROWS + 2
    assert lines[1].startswith("A Bx") and max(map(len, lines)) < 60
    assert lines[-1] == "… and 5 more."
    assert table(("who",), []) == ["Nothing."]


# With rows.


@dataclass
class Desk:
    """Schedules of a farm; the server keeps what is sent."""

    farm: Farm
    post: Post
    server: MailServer
    quiet: QuietHours = NEVER
    schedules: Any = None

    async def quiet_of(self, organization_id: int) -> QuietHours:
        del organization_id
        return self.quiet

    def another(self) -> ReportSchedules:
        """As another process has them."""
        farm = self.farm
        people = People(Names(), farm.clock)
        return ReportSchedules(
            self.post,
            Writer(people, farm.printers, farm.jobs.records),
            self.quiet_of,
            ledger=farm.ledger,
            clock=farm.clock,
            public_url="https://farm.example.org",
        )

    async def mails(self) -> list[Any]:
        """Every mail that was sent, after what is due has left."""
        await self.schedules.drain()
        await self.post.drain()
        return self.server.mails


@pytest.fixture
async def desk(
    ledger: Ledger, clock: FakeClock, bus: LocalBus, settings: Settings, admin: Principal
) -> AsyncIterator[Desk]:
    async with running_mail_server() as server:
        ours = replace(
            settings,
            smtp_host="127.0.0.1",
            smtp_port=server.port,
            smtp_from="farm@example.org",
            smtp_security="none",
        )
        desk = Desk(Farm(ledger, clock, bus, admin), Post(ledger, clock, ours), server)
        desk.schedules = desk.another()
        yield desk


def daily(report_type: ReportType = ReportType.JOBS, *recipients: str, **more: Any) -> NewSchedule:
    return NewSchedule(
        name="Every day",
        report_type=report_type,
        frequency=Frequency.DAILY,
        recipients=recipients or ("boss@example.org",),
        **more,
    )


async def test_a_report_leaves_when_it_is_due(desk: Desk, admin: Principal) -> None:
    """To everybody it is for, about the day before, and never twice."""
    await printed(desk.farm, 2, 1, AttemptEvent.COMPLETED)
    await desk.schedules.create(admin, daily(ReportType.JOBS, "a@example.org", "b@example.org"))
    assert await desk.mails() == []
    desk.farm.clock.advance(18 * 3600)  # 2026-01-02T07:00
    mails = await desk.mails()
    assert len(await desk.mails()) == 2
    assert sorted(desk.server.recipients) == [["a@example.org"], ["b@example.org"]]
    text = mails[0].get_content()
    assert mails[0]["Subject"].startswith("Every day: jobs from 2026-01-01 00:00 to 2026-01-02")
    assert "user2" in text and "https://farm.example.org" in text
    [row] = await ReportSchedule.all()
    assert row.next_at == at("2026-01-03T07:00") and row.last_run_at is not None


async def test_several_processes_write_it_once(desk: Desk, admin: Principal) -> None:
    """Whoever is first."""
    await desk.schedules.create(admin, daily())
    desk.farm.clock.advance(86400)
    await asyncio.gather(*(desk.another().drain() for _ in range(4)))
    assert await Letter.all().count() == 1


async def test_a_server_that_was_away_sends_one(desk: Desk, admin: Principal) -> None:
    """Not one for every day that it missed."""
    await desk.schedules.create(admin, daily())
    desk.farm.clock.advance(10 * 86400)
    assert len(await desk.mails()) == 1
    assert "2026-01-10 00:00 to 2026-01-11" in desk.server.mails[0]["Subject"]


async def test_no_report_leaves_in_quiet_hours(desk: Desk, admin: Principal) -> None:
    """But right after them, as the mails about alerts."""
    desk.quiet = QuietHours(enabled=True, start=time(6), end=time(9))
    await desk.schedules.create(admin, daily())
    desk.farm.clock.advance(19 * 3600)
    assert await desk.mails() == []
    assert (await ReportSchedule.get()).next_at == at("2026-01-02T09:00")
    desk.farm.clock.advance(2 * 3600)
    assert len(await desk.mails()) == 1
    assert (await ReportSchedule.get()).next_at == at("2026-01-03T07:00")


async def test_a_report_at_once(desk: Desk, admin: Principal) -> None:
    """Of the day up to now; when it is due stays."""
    row = await desk.schedules.create(admin, daily())
    due = row.next_at
    await desk.schedules.send_now(admin, row.id)
    [mail] = await desk.mails()
    assert "from 2025-12-31 12:00 to 2026-01-01 12:00" in mail["Subject"]
    assert (await ReportSchedule.get()).next_at == due
    actions = [entry.action for entry in await AuditEntry.filter(entity_type="report_schedule")]
    assert actions == ["report_schedule.created", "report_schedule.run"]


@pytest.mark.parametrize(
    ("report_type", "words"),
    [
        (ReportType.JOBS, ["user2", "submitted"]),
        (ReportType.CHARGEBACKS, ["user2", "4.50", "grams"]),
        (ReportType.FAILURES, ["Clog", "P1"]),
        (ReportType.PRINTERS, ["P0", "P1", "hours"]),
    ],
)
async def test_what_reports_say(
    desk: Desk, admin: Principal, report_type: ReportType, words: list[str]
) -> None:
    """Each type from what happened."""
    await printed(desk.farm, 2, 1, AttemptEvent.COMPLETED, estimated_cost=4.5)
    failed = await printed(desk.farm, 2, 1, AttemptEvent.FAILED)
    await desk.farm.jobs.explain_failure(admin, failed.id, "clog", None)
    desk.farm.clock.advance(1)
    row = await desk.schedules.create(admin, daily(report_type))
    await desk.schedules.send_now(admin, row.id)
    [mail] = await desk.mails()
    text = mail.get_content()
    assert [word for word in words if word.casefold() not in text.casefold()] == []


async def test_a_report_can_be_limited(desk: Desk, admin: Principal) -> None:
    """To people or to printers, as its type has them; anything else is refused."""
    await printed(desk.farm, 2, 1, AttemptEvent.COMPLETED)
    await printed(desk.farm, 3, 1, AttemptEvent.COMPLETED)
    desk.farm.clock.advance(1)
    new = daily(filters={"user_ids": [3]})
    row = await desk.schedules.create(admin, new)
    await desk.schedules.send_now(admin, row.id)
    [mail] = await desk.mails()
    assert "user3" in mail.get_content() and "user2" not in mail.get_content()
    with pytest.raises(Invalid):
        await desk.schedules.create(admin, daily(filters={"printer_ids": [3]}))
    with pytest.raises(Invalid):
        await desk.schedules.update(admin, row.id, {"report_type": ReportType.PRINTERS})


async def test_schedules_are_changed_and_deleted(desk: Desk, admin: Principal) -> None:
    """What is switched off is not due; what is switched on waits for its time."""
    row = await desk.schedules.create(admin, daily())
    await desk.schedules.update(admin, row.id, {"is_active": False})
    desk.farm.clock.advance(3 * 86400)
    assert await desk.mails() == []
    changed = {"is_active": True, "frequency": Frequency.WEEKLY, "name": "Week"}
    row = await desk.schedules.update(admin, row.id, changed)
    assert (row.name, row.next_at) == ("Week", at("2026-01-05T07:00"))
    assert await desk.mails() == []
    await desk.schedules.delete(admin, row.id)
    with pytest.raises(NotFound):
        await desk.schedules.delete(admin, row.id)


async def test_schedules_have_an_owner_and_a_cap(desk: Desk, admin: Principal) -> None:
    """A superadmin's, of their organization alone; S74."""
    row = await desk.schedules.create(admin, daily())
    with pytest.raises(Forbidden):
        await desk.schedules.list(replace(admin, is_superadmin=False), 0, 50)
    with pytest.raises(Forbidden):
        await desk.schedules.list(replace(admin, role=Role.OPERATOR), 0, 50)
    far = replace(admin, organization_id=2)
    assert await desk.schedules.list(far, 0, 50) == ([], 0)
    with pytest.raises(NotFound):
        await desk.schedules.send_now(far, row.id)
    for _ in range(MOST - 1):
        await desk.schedules.create(admin, daily())
    with pytest.raises(Invalid, match=str(MOST)):
        await desk.schedules.create(admin, daily())


async def test_a_server_without_mail_says_so(
    ledger: Ledger, desk: Desk, settings: Settings, admin: Principal
) -> None:
    """403 feature_disabled; nothing is written, and nothing is lost when it gets mail later."""
    desk.post = Post(ledger, desk.farm.clock, settings)
    silent = desk.another()
    row = await silent.create(admin, daily())
    with pytest.raises(Forbidden) as refused:
        await silent.send_now(admin, row.id)
    assert refused.value.code == "feature_disabled"
    desk.farm.clock.advance(86400)
    assert await silent.step() is False
    assert await Letter.all().count() == 0
