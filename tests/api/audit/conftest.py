"""The audit trail with some entries of two organizations, and its routes."""

from dataclasses import replace

import pytest
from quart import Quart
from quart.typing import TestClientProtocol as Client

from api.audit.routes import AuditRoutes
from api.audit.service import Audit
from api.errors import NotAuthenticated
from api.events.service import Ledger
from api.principal import Principal, Role
from api.v1 import V1
from tests.api.conftest import FakeClock

ACTS = ("printer.created", "job.created", "job.cancelled", "printer.deleted")


class Doors:
    """Who is who, by the secret itself."""

    def __init__(self, admin: Principal) -> None:
        self._people = {
            "superadmin": admin,
            "admin": replace(admin, is_superadmin=False),
            "foreigner": replace(admin, is_superadmin=False, organization_id=2),
            "operator": replace(admin, is_superadmin=False, role=Role.OPERATOR),
        }

    async def authenticate(self, secret: str) -> Principal:
        if secret not in self._people:
            raise NotAuthenticated("Not authenticated")
        return self._people[secret]


@pytest.fixture
async def entries(ledger: Ledger, clock: FakeClock, admin: Principal) -> None:
    """Four entries a day apart in organization 1, one in organization 2."""
    for number, action in enumerate(ACTS):
        kind = action.partition(".")[0]
        async with ledger.change() as change:
            change.note(admin, action, (kind, number + 1), name="=cmd|' /C calc'!A0")
        clock.advance(24 * 3600)
    async with ledger.change() as change:
        change.note(replace(admin, organization_id=2, username="+1"), "user.created", ("user", "x"))


@pytest.fixture
def client(entries: None, admin: Principal) -> Client:
    quart = Quart("audit", static_folder=None)
    AuditRoutes(Audit()).register(V1(quart, Doors(admin)))
    return quart.test_client(use_cookies=False)
