"""Alerts by mail: what each person wants, when it leaves, once, whoever writes it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta

import pytest

from api.accounts.models import User
from api.alerts.digests import Digests
from api.alerts.kinds import AlertType
from api.alerts.letters import MOST_SHOWN, due_at, mail_of
from api.alerts.models import Alert
from api.alerts.preference_models import HeldAlert
from api.alerts.preferences import TYPES, EmailWhen, Preferences, Wish
from api.alerts.service import Alerts
from api.bus.local import LocalBus
from api.config import Settings
from api.errors import Forbidden, Invalid
from api.events.service import Happened, Ledger
from api.mail.models import Letter
from api.mail.service import Post
from api.policies.quiet import QuietHours
from api.principal import Principal, Role
from tests.api.conftest import FakeClock
from tests.fakes.mail_server import MailServer, running_mail_server

NOON = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
NEVER = QuietHours(enabled=False, start=time(22), end=time(7))
NIGHT = QuietHours(enabled=True, start=time(22), end=time(7))


class People:
    """Users straight from the rows, and their outbox."""

    def __init__(self, post: Post) -> None:
        self.post = post

    async def members(self, organization_id: int) -> list[User]:
        return await User.filter(organization_id=organization_id, is_active=True)


class Jobs:
    """There are none."""

    async def find(self, job_id: int) -> None:
        del job_id


@dataclass
class Desk:
    """Alerts with their mails; the server keeps what is sent."""

    ledger: Ledger
    clock: FakeClock
    post: Post
    preferences: Preferences
    digests: Digests
    server: MailServer
    quiet: QuietHours = NEVER

    async def quiet_of(self, organization_id: int) -> QuietHours:
        del organization_id
        return self.quiet

    async def happen(self, kind: str = "bridge.offline", name: str = "Cellar") -> None:
        data = {"name": name, "bridge_id": 7}
        if kind.startswith("inventory"):
            data = {"qr_code": name, "remaining_grams": 40.0}
        async with self.ledger.change(1) as change:
            change.record(Happened(1, kind, data=data))

    async def want(self, by: Principal, **wish: object) -> None:
        made = Wish(**{"alert_type": AlertType.BRIDGE_OFFLINE, "email": True, **wish})  # type: ignore[arg-type]
        await self.preferences.set(by, [made])

    async def subjects(self) -> list[str]:
        """Of every mail that was sent, after what is due has left."""
        await self.digests.drain()
        await self.post.drain()
        return [mail["Subject"] for mail in self.server.mails]

    def another(self) -> Digests:
        """As another process has them."""
        return Digests(
            Preferences(self.ledger),
            People(self.post),
            self.quiet_of,
            ledger=self.ledger,
            clock=self.clock,
            public_url="https://farm.example.org",
        )


@pytest.fixture
async def desk(ledger: Ledger, clock: FakeClock, settings: Settings) -> AsyncIterator[Desk]:
    async with running_mail_server() as server:
        ours = replace(
            settings,
            smtp_host="127.0.0.1",
            smtp_port=server.port,
            smtp_from="farm@example.org",
            smtp_security="none",
        )
        post = Post(ledger, clock, ours)
        desk = Desk(ledger, clock, post, Preferences(ledger), None, server)  # type: ignore[arg-type]
        desk.digests = desk.another()
        for number, role in ((1, Role.ADMIN), (2, Role.OPERATOR)):
            await User.create(
                id=number,
                organization_id=1,
                username=f"user{number}",
                email=f"user{number}@example.org",
                password_hash="",
                role=role,
                created_at=clock.now(),
            )
        Alerts(People(post), Jobs(), ledger, clock).tell_by(desk.digests)
        yield desk


# When, and what: pure.


@pytest.mark.parametrize(
    ("when", "hour", "quiet", "due"),
    [
        (EmailWhen.NOW, 12, NEVER, NOON),
        (EmailWhen.HOURLY, 12, NEVER, NOON.replace(hour=13)),
        (EmailWhen.DAILY, 12, NEVER, NOON.replace(day=2, hour=7)),
        (EmailWhen.DAILY, 5, NEVER, NOON.replace(hour=7)),
        (EmailWhen.NOW, 23, NIGHT, NOON.replace(day=2, hour=7)),
        (EmailWhen.HOURLY, 21, NIGHT, NOON.replace(day=2, hour=7)),
        (EmailWhen.DAILY, 12, replace(NIGHT, end=time(9)), NOON.replace(day=2, hour=9)),
        (EmailWhen.NOW, 23, replace(NIGHT, digest=False), None),
        (EmailWhen.HOURLY, 23, replace(NIGHT, digest=False), NOON.replace(day=2, hour=7)),
    ],
)
def test_a_mail_leaves_when_its_reader_wants_it(
    when: EmailWhen, hour: int, quiet: QuietHours, due: datetime | None
) -> None:
    """At once, with the hour, with the day; nothing leaves in quiet hours (v1 2.7)."""
    assert due_at(when, NOON.replace(hour=hour), quiet) == due


def test_many_alerts_are_one_mail_of_bounded_size() -> None:
    """The first are shown and the others counted; nobody's title becomes another line."""
    alerts = [["2026-01-01T12:00:00.000Z", "info", f"A\nB {n}", None] for n in range(MOST_SHOWN)]
    mail = mail_of({"alerts": alerts, "count": 900}, "https://farm.example.org")
    assert mail.subject == "900 alerts of the print farm"
    assert "A B 0" in mail.text and f"and {900 - MOST_SHOWN} more" in mail.text
    assert "https://farm.example.org" in mail.text
    single = mail_of({"alerts": alerts[:1], "count": 1}, "https://farm.example.org")
    assert single.subject == "A B 0"


# With rows.


async def test_nobody_is_mailed_who_does_not_want_it(desk: Desk, admin: Principal) -> None:
    """By default alerts are in the app alone; who wants mail gets it, and nobody else."""
    await desk.happen(name="One")
    assert await desk.subjects() == []
    await desk.want(admin)
    await desk.happen(name="Two")
    assert await desk.subjects() == ["Room Two cannot be reached"]
    assert desk.server.recipients == [["user1@example.org"]]


async def test_a_digest_is_one_mail(desk: Desk, admin: Principal) -> None:
    """What happened in the hour leaves together when it is over, and never again."""
    await desk.want(admin, email_when=EmailWhen.HOURLY)
    for name in ("One", "Two", "Three"):
        await desk.happen(name=name)
    assert await desk.subjects() == []
    standing = await desk.digests.standing(admin)
    assert (standing.waiting, standing.next_at) == (3, NOON + timedelta(hours=1))
    desk.clock.advance(3600)
    assert await desk.subjects() == ["3 alerts of the print farm"]
    text = desk.server.mails[0].get_content()
    assert all(name in text for name in ("One", "Two", "Three"))
    desk.clock.advance(3600)
    assert len(await desk.subjects()) == 1


async def test_quiet_hours_hold_mails_back(desk: Desk, admin: Principal) -> None:
    """What comes at night leaves in the morning, as one mail."""
    await desk.want(admin)
    desk.quiet = NIGHT
    desk.clock.advance(11 * 3600)
    await desk.happen(name="One")
    await desk.happen(name="Two")
    assert await desk.subjects() == []
    assert (await desk.digests.standing(admin)).quiet_until == NOON.replace(day=2, hour=7)
    desk.clock.advance(8 * 3600)
    assert await desk.subjects() == ["2 alerts of the print farm"]


async def test_two_processes_write_a_mail_once(desk: Desk, admin: Principal) -> None:
    """Both find it due at the same moment; the one that comes second finds nothing."""
    await desk.want(admin)
    await desk.want(replace(admin, user_id=2))
    for name in ("One", "Two"):
        await desk.happen(name=name)
    await asyncio.gather(*(each.drain() for each in (desk.digests, desk.another(), desk.another())))
    assert sorted([letter.address for letter in await Letter.all()]) == [
        "user1@example.org",
        "user2@example.org",
    ]
    assert not await HeldAlert.exists()


async def test_it_leaves_by_itself(desk: Desk, admin: Principal, bus: LocalBus) -> None:
    """An alert rings whoever writes mails; nobody waits for it."""
    await desk.want(admin)
    work = asyncio.create_task(desk.digests.run(bus))
    await asyncio.sleep(0)
    await desk.happen()
    async with asyncio.timeout(30):
        while not await Letter.exists():
            await asyncio.sleep(0.01)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    assert not await HeldAlert.exists()


async def test_who_is_gone_gets_no_mail(desk: Desk, admin: Principal) -> None:
    """Nothing is left waiting for them either."""
    await desk.want(admin)
    await desk.happen()
    await User.filter(id=1).update(is_active=False)
    assert await desk.subjects() == []
    assert not await HeldAlert.exists()


async def test_what_is_not_wanted_in_the_app_is_not_listed_there(
    desk: Desk, admin: Principal
) -> None:
    """The mail comes all the same; the same within five minutes is not repeated."""
    await desk.want(admin, in_app=False)
    await desk.happen()
    await desk.happen()
    assert len(await desk.subjects()) == 1
    [row] = await Alert.filter(user_id=1)
    assert row.is_dismissed and row.is_read
    assert not (await Alert.get(user_id=2)).is_dismissed


async def test_a_threshold_says_how_bad_it_must_be(desk: Desk, admin: Principal) -> None:
    """40 g are not few for somebody who wants to hear at 30 g; they are for the other."""
    await desk.want(admin, alert_type=AlertType.SPOOL_LOW, threshold_value=30.0)
    await desk.happen("inventory.spool_low", "SPL-1")
    assert [row.user_id for row in await Alert.all()] == [2]
    assert await desk.subjects() == []


async def test_preferences_begin_as_the_contract_says(desk: Desk, admin: Principal) -> None:
    """In the app for all types; pushed for three; spools at 100 g; nobody else's change."""
    rows = {row.alert_type: row for row in await desk.preferences.list(admin)}
    assert tuple(rows) == TYPES
    assert all(row.in_app and not row.email for row in rows.values())
    pushed = {name for name, row in rows.items() if row.browser_push}
    assert pushed == {"print_failed", "job_submitted", "job_rejected"}
    assert rows["spool_low"].threshold_value == 100
    await desk.want(admin, email_when=EmailWhen.DAILY)
    again = {row.alert_type: row for row in await desk.preferences.list(admin)}
    assert (again["bridge_offline"].email_when, again["bridge_offline"].email) == ("daily", True)
    other = await desk.preferences.list(replace(admin, user_id=2))
    assert not any(row.email for row in other)


async def test_a_test_mail_goes_to_who_asks(desk: Desk, admin: Principal) -> None:
    """By the same outbox; without an address, or by who may not, there is none."""
    assert await desk.digests.test(admin) == "user1@example.org"
    assert await desk.subjects() == ["A test of the print farm's mail"]
    await User.filter(id=1).update(email="")
    with pytest.raises(Invalid, match="no e-mail address"):
        await desk.digests.test(admin)
    with pytest.raises(Forbidden):
        await desk.digests.test(replace(admin, role=Role.OPERATOR))


async def test_without_a_mail_server_nothing_waits(
    ledger: Ledger, clock: FakeClock, settings: Settings, desk: Desk, admin: Principal
) -> None:
    """A row that nobody would ever send is not written; the status says why."""
    await desk.want(admin)
    desk.post.is_open = False
    await desk.happen()
    assert not await HeldAlert.exists()
    assert not (await desk.digests.standing(admin)).is_enabled
    with pytest.raises(Forbidden, match="GANTRY_SMTP_HOST"):
        await desk.digests.test(admin)
