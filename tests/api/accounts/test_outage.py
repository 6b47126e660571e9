"""Who was somebody before the database went away still is, for a while (safety M07, R19)."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from tortoise.exceptions import DBConnectionError

from api.accounts import credentials
from api.accounts.credentials import CACHE_S
from api.accounts.models import Credential
from api.accounts.service import Accounts
from api.db import Transaction
from api.errors import NotAuthenticated
from api.events.service import Happened, Ledger
from api.outage import AWAY, REMEMBERED_S
from tests.api.accounts.people import make_admin
from tests.api.conftest import FakeClock


@contextmanager
def away(silent_s: float = 0.0) -> Iterator[list[float]]:
    """No credential can be read; how often it was tried."""
    tries: list[float] = []

    async def ask(**which: Any) -> Credential | None:
        tries.append(silent_s)
        await asyncio.sleep(silent_s)
        raise DBConnectionError("the connection to the database was lost")

    with mock.patch.object(Credential, "get_or_none", ask):
        yield tries


async def test_who_was_let_in_stays_somebody_while_the_database_is_away(
    accounts: Accounts, clock: FakeClock
) -> None:
    """For ten minutes; it is asked again every few seconds, not for every request."""
    login = await make_admin(accounts)
    assert (await accounts.authenticate(login.token)).username == "admin"
    with away() as tries:
        clock.advance(CACHE_S)
        for _ in range(20):
            assert (await accounts.authenticate(login.token)).username == "admin"
        assert len(tries) == 1
        clock.advance(REMEMBERED_S - CACHE_S - 1)
        assert (await accounts.authenticate(login.token)).username == "admin"
        clock.advance(1)
        with pytest.raises(DBConnectionError):
            await accounts.authenticate(login.token)
    assert (await accounts.authenticate(login.token)).username == "admin"


async def test_a_silent_database_holds_nobody_up_who_is_known(
    accounts: Accounts, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is given a moment, and no more."""
    monkeypatch.setattr(credentials, "ASK_S", 0.01)
    login = await make_admin(accounts)
    await accounts.authenticate(login.token)
    clock.advance(CACHE_S)
    with away(silent_s=60.0):
        async with asyncio.timeout(10):
            assert (await accounts.authenticate(login.token)).username == "admin"


async def test_who_is_not_known_any_more_waits_for_a_slow_database(
    accounts: Accounts, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a long pause, and after something has changed while it was asked."""
    monkeypatch.setattr(credentials, "ASK_S", 0.01)
    login = await make_admin(accounts)
    await accounts.authenticate(login.token)
    ask = Credential.get_or_none

    async def slow(**which: Any) -> Credential | None:
        await asyncio.sleep(0.05)
        accounts._credentials.forget()
        return await ask(**which)

    monkeypatch.setattr(Credential, "get_or_none", slow)
    for pause_s in (REMEMBERED_S, CACHE_S):
        clock.advance(pause_s)
        assert (await accounts.authenticate(login.token)).username == "admin"


async def test_a_stranger_is_nobody_while_the_database_is_away(accounts: Accounts) -> None:
    """Safety S09: who cannot be looked up is not let in, whatever they hold."""
    login = await make_admin(accounts)
    await accounts.authenticate(login.token)
    with away(), pytest.raises(DBConnectionError):
        await accounts.authenticate(login.token[:-4] + "AAAA")


async def test_many_who_are_not_remembered_wait_for_a_silent_database_together(
    accounts: Accounts, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R20: it is asked once, not by one after the other, and not once more for each."""
    monkeypatch.setattr(credentials, "ASK_S", 0.0)
    login = await make_admin(accounts)
    with away(silent_s=0.05) as tries:
        asked = (accounts.authenticate(login.token) for _ in range(20))
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert len(tries) == 1
        assert all(isinstance(each, AWAY) for each in answers)
        clock.advance(0.1)
        with pytest.raises(AWAY):
            await accounts.authenticate(login.token)
        assert len(tries) == 2, "whoever comes later asks anew"
    clock.advance(0.1)
    assert (await accounts.authenticate(login.token)).username == "admin"


async def test_whoever_was_logged_out_is_not_remembered(
    accounts: Accounts, clock: FakeClock
) -> None:
    """Also when it was found out by asking, as another process may have ended it."""
    login = await make_admin(accounts)
    await accounts.authenticate(login.token)
    await accounts.logout(login.principal)
    with away(), pytest.raises(DBConnectionError):
        await accounts.authenticate(login.token)

    other = await accounts.create_token(login.principal, "ci", [], None)
    await accounts.authenticate(other[1])
    await Credential.filter(id=other[0].id).update(revoked_at=clock.now())
    clock.advance(CACHE_S)
    with pytest.raises(NotAuthenticated):
        await accounts.authenticate(other[1])
    with away(), pytest.raises(DBConnectionError):
        await accounts.authenticate(other[1])


async def test_nobody_is_remembered_beyond_their_own_end(
    accounts: Accounts, clock: FakeClock
) -> None:
    """A token that ends in a minute ends then."""
    login = await make_admin(accounts)
    row, secret = await accounts.create_token(login.principal, "short", [], 1)
    ends = clock.now() + timedelta(minutes=1)
    await Credential.filter(id=row.id).update(expires_at=ends)
    await accounts.authenticate(secret)
    with away():
        clock.advance(59)
        assert (await accounts.authenticate(secret)).username == "admin"
        clock.advance(1)
        with pytest.raises(DBConnectionError):
            await accounts.authenticate(secret)


async def test_whose_use_cannot_be_noted_is_let_in(
    accounts: Accounts, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database goes away behind the look-up: a stop is not to fail for a note."""
    login = await make_admin(accounts)
    clock.advance(120)

    async def away(*_: object) -> None:
        raise DBConnectionError("the connection to the database was lost")

    monkeypatch.setattr(Transaction, "_begin", away)
    monkeypatch.setattr("api.db.BEGIN_AGAIN_S", (0.0,))
    assert (await accounts.authenticate(login.token)).username == "admin"


async def test_a_session_proves_itself_while_the_database_is_away(accounts: Accounts) -> None:
    """Its CSRF token is what it was; another one is none."""
    login = await make_admin(accounts)
    by = await accounts.authenticate(login.token)
    assert await accounts.csrf_fits(by, login.csrf_token)
    with away():
        assert await accounts.csrf_fits(by, login.csrf_token)
        assert not await accounts.csrf_fits(by, login.csrf_token[:-1] + "!")


async def test_nobody_waits_for_those_who_write_to_be_let_in(
    accounts: Accounts, ledger: Ledger, clock: FakeClock
) -> None:
    """M07: that a key is used is noted beside them; it was last used two minutes ago."""
    login = await make_admin(accounts)
    await accounts.authenticate(login.token)
    clock.advance(120)
    outside = copy_context()  # of the open transaction
    async with ledger.change() as change:
        change.record(Happened(1, "thing.done"))
        asked = accounts.authenticate(login.token)
        asking = asyncio.create_task(asked, context=outside)
        async with asyncio.timeout(1.0):
            assert (await asking).username == "admin"
