"""Set-up: who may make the first admin (safety S03)."""

import asyncio
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from quart.typing import TestClientProtocol as Client

from api.accounts.first_hour import TOKEN_FILE
from api.accounts.models import User
from api.accounts.service import Accounts
from api.clock import Clock
from api.config import Settings
from api.events.service import Ledger
from tests.api.accounts.conftest import ADMIN, PASSWORD, SETUP_TOKEN, ask, cheap_passwords
from tests.api.accounts.people import HERE, make_admin, refused


@pytest.fixture
def unset(ledger: Ledger, clock: Clock, settings: Settings) -> Accounts:
    """Accounts of a farm whose owner has set no set-up token."""
    return Accounts(ledger, clock, replace(settings, setup_token=""), cheap_passwords())


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Real-IP": "127.0.0.1", "Forwarded": "for=127.0.0.1"},
        {"X-Setup-Token": "guess"},
        {"X-Setup-Token": ""},
    ],
)
async def test_nobody_sets_up_without_the_token(client: Client, headers: dict[str, str]) -> None:
    """Not from loopback either: a proxy on this machine makes everybody local (ODIN R4)."""
    person = {**ADMIN, "setup_token": ""}
    status, body = await ask(client, "POST", "/setup/admin", json=person, headers=headers)
    assert (status, body["error"]["code"]) == (403, "setup_token_required")
    assert SETUP_TOKEN not in body["detail"]
    assert not await User.exists()


async def test_twenty_who_race_with_the_token_make_one_admin(client: Client) -> None:
    """Exactly one ever; the others hear that it is done, with and without the token."""
    people = [{**ADMIN, "username": f"admin{n}"} for n in range(20)]
    answers = await asyncio.gather(
        *(ask(client, "POST", "/setup/admin", json=person) for person in people)
    )
    assert sorted(status for status, _ in answers) == [200] + [403] * 19
    assert await User.all().count() == 1
    late = {**ADMIN, "setup_token": ""}
    status, body = await ask(client, "POST", "/setup/admin", json=late)
    assert (status, body["error"]["code"]) == (403, "setup_complete")


async def test_the_token_is_taken_as_a_header_too(client: Client) -> None:
    """For tools that send v1's body as it is."""
    person = {**ADMIN, "setup_token": ""}
    headers = {"X-Setup-Token": SETUP_TOKEN}
    viewer = {**person, "role": "viewer"}
    assert (await ask(client, "POST", "/setup/admin", json=viewer, headers=headers))[0] == 422
    admin = {**person, "role": "admin"}
    status, _ = await ask(client, "POST", "/setup/admin", json=admin, headers=headers)
    assert status == 200
    assert (await User.get()).role == "admin"


async def test_a_new_farm_lays_its_token_ready(unset: Accounts, settings_dir: Path) -> None:
    """Made once, for its owner's eyes alone, and gone when it has been used."""
    await unset.offer_setup()
    path = settings_dir / TOKEN_FILE
    token = path.read_text()
    assert len(token.strip()) >= 43
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    await unset.offer_setup()
    assert path.read_text() == token
    assert await refused(unset.check_setup_token("")) == "setup_token_required"
    await unset.check_setup_token(token)
    await make_admin(unset)
    assert not path.exists()
    assert await refused(unset.check_setup_token(token)) == "setup_complete"


async def test_a_token_left_over_is_taken_away_at_start(
    unset: Accounts, settings_dir: Path
) -> None:
    """A farm that is set up shows none."""
    await unset.setup("admin", "", PASSWORD, HERE)
    (settings_dir / TOKEN_FILE).write_text("left over")
    await unset.offer_setup()
    assert not (settings_dir / TOKEN_FILE).exists()


async def test_a_farm_with_its_own_token_writes_none(
    accounts: Accounts, settings_dir: Path
) -> None:
    """GANTRY_SETUP_TOKEN is known to who set it."""
    await accounts.offer_setup()
    assert not (settings_dir / TOKEN_FILE).exists()
