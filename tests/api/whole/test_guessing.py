"""Guessing at both logins: what it tells and when it ends (safety S09, S10)."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from api.accounts.models import LoginAttempt
from tests.api.whole.conftest import Whole

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def log_in(whole: Whole, face: str, name: str, password: str) -> httpx.Response:
    if face == "v1":
        body: dict[str, Any] = {"username": name, "password": password}
        return await whole.http.post("/api/v1/auth/login", json=body)
    body = {"user": name, "pass": password}
    return await whole.http.post("/api/login", json=body)


@pytest.fixture
def counted(whole: Whole, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The hashes that passwords were held against, one for every time; none of them fits."""
    passwords = whole.application.rooms.accounts._passwords
    seen: list[str] = []

    def verify(kept: str, password: str) -> bool:
        del password
        seen.append(kept)
        return False

    monkeypatch.setattr(passwords, "_verify", verify)
    return seen


@pytest_asyncio.fixture(loop_scope="session", autouse=True)
async def nothing_failed_before(whole: Whole) -> AsyncIterator[None]:
    """Nor is anything of this left for the other tests."""
    await LoginAttempt.all().delete()
    yield
    whole.application.database.__enter__()
    await LoginAttempt.all().delete()


@pytest.mark.parametrize(("face", "status", "allowed"), [("v1", 401, 5), ("octoprint", 403, 3)])
async def test_fifty_wrong_logins_end_after_the_first_few(
    whole: Whole, counted: list[str], face: str, status: int, allowed: int
) -> None:
    """S09: locked or limited, with Retry-After, and not one hash is computed any more."""
    answers = [await log_in(whole, face, "viewer-1", f"wrong {n}") for n in range(50)]
    assert [each.status_code for each in answers[:allowed]] == [status] * allowed
    assert {each.status_code for each in answers[allowed:]} <= {423, 429}
    assert all(1 <= int(each.headers["Retry-After"]) <= 3600 for each in answers[allowed:])
    assert len(counted) == allowed
    assert not any("set-cookie" in each.headers for each in answers)


@pytest.mark.parametrize(("face", "allowed"), [("v1", 10), ("octoprint", 3)])
async def test_a_spray_over_fifty_names_ends_after_the_first_few(
    whole: Whole, counted: list[str], face: str, allowed: int
) -> None:
    """S09: one address, another name each time."""
    answers = [await log_in(whole, face, f"name{n}", "Winter-2026!") for n in range(50)]
    assert {each.status_code for each in answers[allowed:]} == {429}
    assert len(counted) == allowed


@pytest.mark.parametrize("face", ["v1", "octoprint"])
async def test_nobody_learns_who_is_here(whole: Whole, counted: list[str], face: str) -> None:
    """S10: status, headers, body and length are the same, and each costs one hash."""
    known, unknown = [await log_in(whole, face, name, "x") for name in ("viewer-1", "nobody-1")]
    assert (known.status_code, known.content) == (unknown.status_code, unknown.content)
    own = {"x-request-id", "date"}
    shown = [{k: v for k, v in each.headers.items() if k not in own} for each in (known, unknown)]
    assert shown[0] == shown[1]
    assert len(counted) == 2
