"""Fixtures of the accounts room: services over an in-memory database, and an app of its routes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from quart import Quart, Response
from quart.typing import TestClientProtocol as Client
from werkzeug.exceptions import HTTPException

from api.accounts.device_routes import DeviceRoutes
from api.accounts.factor_routes import SecondFactorRoutes
from api.accounts.farm_routes import FarmRoutes
from api.accounts.mail_routes import MailRoutes
from api.accounts.passwords import Passwords
from api.accounts.routes import AccountRoutes
from api.accounts.service import Accounts
from api.clock import Clock
from api.config import Settings
from api.events.service import Ledger
from api.http import MAX_BODY_BYTES
from api.v1 import V1, http_answer

PASSWORD = "Correct4horse"
SETUP_TOKEN = "the token of this farm's set-up"
ADMIN = {
    "username": "admin",
    "email": "admin@example.org",
    "password": PASSWORD,
    "setup_token": SETUP_TOKEN,
}


def cheap_passwords() -> Passwords:
    """Argon2id with the least work that it allows: the tests are not about its cost."""
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, setup_token=SETUP_TOKEN)


@pytest.fixture
def accounts(ledger: Ledger, clock: Clock, settings: Settings) -> Accounts:
    return Accounts(ledger, clock, settings, cheap_passwords())


@pytest.fixture
def client(accounts: Accounts, settings: Settings) -> Client:
    quart = Quart("test", static_folder=None)
    quart.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    v1 = V1(quart, accounts)
    AccountRoutes(accounts, settings).register(v1)
    SecondFactorRoutes(accounts, settings).register(v1)
    DeviceRoutes(accounts, settings).register(v1)
    MailRoutes(accounts).register(v1, quart)
    FarmRoutes(accounts).register(v1)

    @quart.errorhandler(HTTPException)
    async def refused(error: HTTPException) -> Response:
        return http_answer(error)

    return quart.test_client(use_cookies=False)


async def ask(client: Client, method: str, path: str, **given: Any) -> tuple[int, Any]:
    """(status, JSON) of a v1 request."""
    answer = await client.open(f"/api/v1{path}", method=method, **given)
    return answer.status_code, await answer.get_json()


async def set_up(client: Client) -> dict[str, str]:
    """Headers of the first admin."""
    answer = await client.post("/api/v1/setup/admin", json=ADMIN)
    assert answer.status_code == 200
    return {"Authorization": f"Bearer {(await answer.get_json())['access_token']}"}


async def login_headers(
    client: Client, username: str = "admin", password: str = PASSWORD
) -> dict[str, str]:
    """Headers of a new session."""
    fields = {"username": username, "password": password}
    status, body = await ask(client, "POST", "/auth/login", json=fields)
    assert status == 200, body
    return {"Authorization": f"Bearer {body['access_token']}"}


@pytest.fixture
def settings_dir(settings: Settings) -> Path:
    return settings.data_dir
