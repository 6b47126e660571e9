"""Fixtures of the accounts room: services over an in-memory database, and an app of its routes."""

from pathlib import Path

import pytest
from argon2 import PasswordHasher
from quart import Quart, Response
from quart.typing import TestClientProtocol as Client
from werkzeug.exceptions import HTTPException

from api.accounts.passwords import Passwords
from api.accounts.routes import AccountRoutes
from api.accounts.service import Accounts
from api.clock import Clock
from api.config import Settings
from api.events.service import Ledger
from api.http import MAX_BODY_BYTES
from api.v1 import V1, http_answer

PASSWORD = "Correct4horse"


def cheap_passwords() -> Passwords:
    """Argon2id with the least work that it allows: the tests are not about its cost."""
    return Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def accounts(ledger: Ledger, clock: Clock, settings: Settings) -> Accounts:
    return Accounts(ledger, clock, settings, cheap_passwords())


@pytest.fixture
def client(accounts: Accounts, settings: Settings) -> Client:
    quart = Quart("test", static_folder=None)
    quart.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    AccountRoutes(accounts, settings).register(V1(quart, accounts))

    @quart.errorhandler(HTTPException)
    async def refused(error: HTTPException) -> Response:
        return http_answer(error)

    return quart.test_client(use_cookies=False)


@pytest.fixture
def settings_dir(settings: Settings) -> Path:
    return settings.data_dir
