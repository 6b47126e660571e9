"""Every event that ends a session, at REST and at what is open (safety S12)."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass

import httpx
import pytest
import pytest_asyncio
from argon2 import PasswordHasher

from api.accounts.models import Credential, User
from api.feed.sockets import Open
from api.principal import Role
from tests.api.whole.conftest import Whole

pytestmark = pytest.mark.asyncio(loop_scope="session")

PASSWORD = "Correct-horse-7"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
_numbers = itertools.count(900)


@dataclass(frozen=True)
class Leaver:
    """Somebody with two sessions: the one that is to end, and another."""

    user_id: int
    username: str
    token: str
    other: str
    session_id: int

    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def nobody_stays(whole: Whole) -> AsyncIterator[None]:
    """Some leavers are moved to the other organization, whose people others count."""
    yield
    await User.filter(username__startswith="leaver-").delete()


async def arrive(whole: Whole) -> Leaver:
    user = await User.create(
        organization_id=1,
        username=f"leaver-{next(_numbers)}",
        password_hash=CHEAP.hash(PASSWORD),
        role=Role.OPERATOR,
        created_at=whole.application.clock.now(),
    )
    login = {"username": user.username, "password": PASSWORD}
    tokens = []
    for _ in range(2):
        answer = await whole.http.post("/api/v1/auth/login", json=login)
        assert answer.status_code == 200, answer.text
        whole.http.cookies.clear()
        tokens.append(answer.json()["access_token"])
    first = await whole.application.rooms.accounts.authenticate(tokens[0])
    return Leaver(user.id, user.username, tokens[0], tokens[1], first.credential_id)


End = Callable[[Whole, Leaver], Awaitable[httpx.Response]]


async def logout(whole: Whole, leaver: Leaver) -> httpx.Response:
    return await whole.http.post("/api/v1/auth/logout", headers=leaver.bearer())


async def own_password(whole: Whole, leaver: Leaver) -> httpx.Response:
    body = {"current_password": PASSWORD, "new_password": "Another-horse-8"}
    bearer = {"Authorization": f"Bearer {leaver.other}"}
    return await whole.http.post("/api/v1/auth/change-password", json=body, headers=bearer)


async def revoke_others(whole: Whole, leaver: Leaver) -> httpx.Response:
    bearer = {"Authorization": f"Bearer {leaver.other}"}
    return await whole.http.delete("/api/v1/sessions", headers=bearer)


async def revoke_one(whole: Whole, leaver: Leaver) -> httpx.Response:
    return await whole.ask("admin", "DELETE", f"/api/v1/admin/sessions/{leaver.session_id}")


async def delete(whole: Whole, leaver: Leaver) -> httpx.Response:
    return await whole.ask("admin", "DELETE", f"/api/v1/users/{leaver.user_id}")


def change(**body: object) -> End:
    async def end(whole: Whole, leaver: Leaver) -> httpx.Response:
        path = f"/api/v1/users/{leaver.user_id}"
        return await whole.ask("admin", "PATCH", path, json=body)

    return end


ENDS = {
    "logout": logout,
    "a new password of their own": own_password,
    "a new password from an admin": change(password="Another-horse-8"),
    "revoke all others": revoke_others,
    "an admin ends the session": revoke_one,
    "disabled": change(is_active=False),
    "another role": change(role="viewer"),
    "another organization": change(group_id=2),
    "deleted": delete,
}


@pytest.mark.parametrize("event", ENDS)
async def test_whatever_ends_a_session_ends_it_everywhere(whole: Whole, event: str) -> None:
    """S12: Bearer and cookie are 401 on the next request, the open socket is ended."""
    leaver = await arrive(whole)
    rooms = whole.application.rooms
    principal = await rooms.accounts.authenticate(leaver.token)
    told: list[str] = []
    watching = Open("test", lambda why: told.append("revoked"), lambda: None, principal)
    bystander = Open("test", lambda why: told.append("bystander"), lambda: None)
    with ExitStack() as stack:
        for socket in (watching, bystander):
            stack.enter_context(rooms.sockets.opened(socket))
        await rooms.sockets.look()
        assert told == []
        answer = await ENDS[event](whole, leaver)
        assert answer.status_code in (200, 204), answer.text
        for headers in (leaver.bearer(), {"Cookie": f"session={leaver.token}"}):
            again = await whole.http.get("/api/v1/auth/me", headers=headers)
            assert again.status_code == 401, (event, again.text)
        await rooms.sockets.look()
        assert set(told) == {"revoked"}


async def test_what_ends_one_person_leaves_the_others(whole: Whole) -> None:
    """S12: the other way round: nobody else's session is touched."""
    leaver, stayer = await arrive(whole), await arrive(whole)
    await change(is_active=False)(whole, leaver)
    answer = await whole.http.get("/api/v1/auth/me", headers=stayer.bearer())
    assert answer.status_code == 200
    assert await Credential.filter(user_id=stayer.user_id, revoked_at=None).count() == 2
