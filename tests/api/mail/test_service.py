"""The outbox against a real SMTP server: after the commit, again when it must, never for ever."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import pytest

from api.bus.local import LocalBus
from api.config import Settings
from api.events.service import Ledger
from api.mail.letters import Mail
from api.mail.models import Letter
from api.mail.service import DELAYS_S, LEASE, Post
from tests.api.conftest import FakeClock
from tests.fakes.mail_server import MailServer, running_mail_server

TO = "olga@example.org"


async def greeting(address: str, facts: Mapping[str, Any]) -> Mail | None:
    """What the mails of these tests say; nothing to *nobody*."""
    name = facts["name"]
    return None if name == "nobody" else Mail(subject=f"Hello {name}", text=f"To {address}\n")


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with running_mail_server() as running:
        yield running


def post_to(server: MailServer, ledger: Ledger, clock: FakeClock, settings: Settings) -> Post:
    ours = replace(
        settings,
        smtp_host="127.0.0.1",
        smtp_port=server.port,
        smtp_from="farm@example.org",
        smtp_security="none",
    )
    post = Post(ledger, clock, ours)
    post.compose("greeting", greeting)
    return post


@pytest.fixture
def post(server: MailServer, ledger: Ledger, clock: FakeClock, settings: Settings) -> Post:
    return post_to(server, ledger, clock, settings)


async def put(post: Post, ledger: Ledger, name: str = "Olga", to: str = TO) -> None:
    async with ledger.change() as change:
        await post.put(change, "greeting", to, name=name)


async def test_a_mail_is_sent_and_its_row_is_gone(
    post: Post, ledger: Ledger, server: MailServer
) -> None:
    """To one person, with what its composer says."""
    await put(post, ledger)
    assert not server.mails
    await post.drain()
    [mail] = server.mails
    assert (mail["Subject"], mail["To"], server.recipients) == ("Hello Olga", TO, [[TO]])
    assert mail.get_content().strip() == f"To {TO}"
    assert not await Letter.exists()


async def test_what_is_rolled_back_is_not_sent(
    post: Post, ledger: Ledger, server: MailServer
) -> None:
    """A mail belongs to the change that it tells of."""
    with pytest.raises(KeyError):
        async with ledger.change() as change:
            await post.put(change, "greeting", TO, name="Olga")
            raise KeyError
    await post.drain()
    assert not server.mails


async def test_a_server_that_is_busy_is_asked_again(
    post: Post, ledger: Ledger, server: MailServer, clock: FakeClock
) -> None:
    """4xx: later, after a while that grows; then it comes once."""
    server.answer = "451 come back later"
    await put(post, ledger)
    await post.drain()
    await post.drain()
    [letter] = await Letter.all()
    assert letter.tries == 1
    clock.advance(DELAYS_S[0])
    server.answer = ""
    await post.drain()
    await post.drain()
    assert len(server.mails) == 1


async def test_a_server_that_is_away_is_given_up_some_day(
    ledger: Ledger, clock: FakeClock, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """After the last try the row goes, with a line that names no address."""
    async with running_mail_server() as gone:
        post = post_to(gone, ledger, clock, settings)
    await put(post, ledger)
    with caplog.at_level(logging.WARNING, "gantry.mail"):
        for delay_s in (*DELAYS_S, 0):
            assert await Letter.exists()
            await post.drain()
            clock.advance(delay_s)
    assert not await Letter.exists()
    assert "given up" in caplog.text
    assert TO not in caplog.text


@pytest.mark.parametrize(("name", "to"), [("nobody", TO), ("Olga", "a@b, c@d"), ("a\nBcc: x", TO)])
async def test_what_cannot_or_need_not_be_sent_goes(
    post: Post, ledger: Ledger, server: MailServer, name: str, to: str
) -> None:
    """Nothing to say, two addresses, a line break in the subject: not tried for ever."""
    await put(post, ledger, name, to)
    await post.drain()
    assert not await Letter.exists()
    assert not server.mails


async def test_a_refused_mail_is_not_tried_again(
    post: Post, ledger: Ledger, server: MailServer
) -> None:
    """5xx: another try would not change it."""
    server.answer = "554 no"
    await put(post, ledger)
    await post.drain()
    assert not await Letter.exists()


async def test_a_mail_belongs_to_who_took_it(
    post: Post, ledger: Ledger, server: MailServer, clock: FakeClock
) -> None:
    """Of two processes one sends it; of one that died another, when its lease is over."""
    await put(post, ledger)
    assert await post._take() is not None
    await post.drain()
    assert not server.mails
    clock.advance(LEASE.total_seconds())
    await post.drain()
    assert len(server.mails) == 1


async def test_it_leaves_by_itself(
    post: Post, ledger: Ledger, server: MailServer, bus: LocalBus
) -> None:
    """A wake after the commit is enough; nobody waits for it."""
    work = asyncio.create_task(post.run(bus))
    await asyncio.sleep(0)
    await put(post, ledger)
    async with asyncio.timeout(30):
        while await Letter.exists():
            await asyncio.sleep(0.01)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    assert len(server.mails) == 1


async def test_without_a_server_nothing_is_written(
    ledger: Ledger, clock: FakeClock, settings: Settings
) -> None:
    """GANTRY_SMTP_HOST is not set: no row waits for ever."""
    post = Post(ledger, clock, settings)
    await put(post, ledger)
    assert not await Letter.exists()
    await post.run(LocalBus())
