"""People for the tests of this room."""

import pytest

from api.accounts.people import NewUser
from api.accounts.service import Accounts, Login
from api.errors import Problem
from api.principal import Principal, Role
from tests.api.accounts.conftest import PASSWORD

HERE = "192.0.2.1"


async def make_admin(accounts: Accounts) -> Login:
    """The first admin, who is a superadmin."""
    return await accounts.setup("admin", "admin@example.org", PASSWORD, HERE)


async def fail(accounts: Accounts, username: str, address: str) -> Problem:
    """What a wrong password is answered."""
    with pytest.raises(Problem) as caught:
        await accounts.login(username, "wrong", address, "")
    return caught.value


async def add_user(
    accounts: Accounts, by: Principal, name: str, role: Role, organization_id: int | None = None
) -> Principal:
    """A new person, logged in."""
    new = NewUser(
        username=name, email="", password=PASSWORD, role=role, organization_id=organization_id
    )
    await accounts.create_user(by, new)
    return (await accounts.login(name, PASSWORD, HERE, "")).principal


async def refused(awaitable: object) -> str:
    """The code with which what is asked is refused."""
    with pytest.raises(Problem) as caught:
        await awaitable  # type: ignore[misc]
    return caught.value.code
