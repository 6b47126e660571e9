"""Fixtures of the farm's rules: the room, and an app of its routes behind its door."""

from dataclasses import replace

import pytest
from quart import Quart
from quart.typing import TestClientProtocol as Client

from api.accounts.routes import AccountRoutes
from api.accounts.service import Accounts
from api.bus.local import LocalBus
from api.clock import Clock
from api.config import Settings
from api.events.service import Ledger
from api.policies.routes import PolicyRoutes
from api.policies.service import Policies
from api.v1 import V1
from tests.api.accounts.conftest import SETUP_TOKEN, cheap_passwords


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return replace(settings, setup_token=SETUP_TOKEN)


@pytest.fixture
def policies(ledger: Ledger, clock: Clock, bus: LocalBus) -> Policies:
    return Policies(ledger, clock, bus)


@pytest.fixture
def accounts(
    ledger: Ledger, clock: Clock, settings: Settings, bus: LocalBus, policies: Policies
) -> Accounts:
    made = Accounts(ledger, clock, settings, cheap_passwords())
    made.follow(bus)
    made.rights_from(lambda: policies.rights)
    return made


@pytest.fixture
def client(accounts: Accounts, policies: Policies, settings: Settings) -> Client:
    quart = Quart("test", static_folder=None)
    v1 = V1(quart, accounts)
    AccountRoutes(accounts, settings).register(v1)
    PolicyRoutes(policies).register(v1)
    return quart.test_client(use_cookies=False)
