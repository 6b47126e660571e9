"""Codes that only an admin sends, with the password given a moment ago (safety M20)."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from api.accounts.models import Credential, User
from api.events.models import AuditEntry
from schemas.commands import Verb
from tests.api.octoprint.conftest import PASSWORD, Farm

pytestmark = pytest.mark.asyncio(loop_scope="session")

ALPHA = "/octoprint/alpha"
SUFFIX = "_P5000_R|octoprint|alpha"
DOORS = ("M302 P1", "M303 E0 S200 C8", "M500", "M501", "M502")
ALWAYS_SHUT = ("M997", "M575 B9600", "M30 a.gco", "M28 a.gco", "M562", "M999", "M110 N0", "@pause")


async def logged_in(farm: Farm, name: str) -> None:
    body = {"user": name, "pass": PASSWORD}
    assert (await farm.http.post(f"{ALPHA}/api/login", json=body)).status_code == 200


async def typed(farm: Farm, *lines: str) -> httpx.Response:
    """What a session's terminal is answered."""
    headers = {"X-CSRF-Token": farm.http.cookies[f"csrf_token{SUFFIX}"]}
    path = f"{ALPHA}/api/printer/command"
    return await farm.http.post(path, json={"commands": [*lines]}, headers=headers)


@pytest.mark.parametrize("line", DOORS)
async def test_an_admin_with_the_password_just_given_sends_it(farm: Farm, line: str) -> None:
    """safety M20: 204, the order says whose it is, and the audit names the code."""
    await logged_in(farm, "admin")
    assert (await typed(farm, "M117 now", line)).status_code == 204
    assert farm.room.orders == [(Verb.GCODE, {"lines": ["M117 now", line], "admin": True})]
    entry = await AuditEntry.filter(action="printer.gcode").order_by("-id").first()
    assert entry is not None
    assert (entry.username, entry.details["args"]["lines"]) == ("admin", ["M117 now", line])
    assert entry.details["args"]["admin"] is True


@pytest.mark.parametrize("line", ALWAYS_SHUT)
async def test_some_codes_are_nobodys(farm: Farm, line: str) -> None:
    """safety M20: an admin with the password is refused as everybody is, for the whole order."""
    await logged_in(farm, "admin")
    refused = await typed(farm, "M500", line)
    assert refused.status_code == 400
    assert "line 2" in refused.json()["error"]
    assert farm.room.orders == []


async def test_a_target_of_tuning_has_its_ceiling(farm: Farm) -> None:
    """safety M19: the password opens no temperature."""
    await logged_in(farm, "admin")
    refused = await typed(farm, "M303 E0 S500")
    assert refused.status_code == 400
    assert "500 °C" in refused.json()["error"]
    assert farm.room.orders == []


@pytest.mark.parametrize("line", DOORS)
async def test_an_operator_and_a_key_are_told_who_may(farm: Farm, line: str) -> None:
    """safety M20: 400 with the line and what to do, for an operator's session and admin's key."""
    await User.filter(username="guest").update(role="operator")
    try:
        await logged_in(farm, "guest")
        answers = [await typed(farm, line)]
    finally:
        await User.filter(username="guest").update(role="viewer")
        farm.http.cookies.clear()
    answers.append(await farm.post("/api/printer/command", json={"command": line}))
    for answer in answers:
        assert answer.status_code == 400
        said = answer.json()["error"]
        assert "line 1" in said
        assert "an admin may send it" in said
    assert farm.room.orders == []


async def test_a_password_given_long_ago_is_asked_for_again(farm: Farm) -> None:
    """safety M20: 403 with what to do; other lines go on, and another login opens it."""
    await logged_in(farm, "admin")
    old = datetime.now(UTC) - timedelta(minutes=11)
    session = await Credential.filter(kind="session").order_by("-id").first()  # this one alone
    assert session is not None
    await Credential.filter(id=session.id).update(confirmed_at=old, created_at=old)
    refused = await typed(farm, "M500")
    assert refused.status_code == 403
    assert "password again" in refused.json()["error"]
    assert (await typed(farm, "M117 hello")).status_code == 204
    assert farm.room.orders == [(Verb.GCODE, {"lines": ["M117 hello"]})]
    await logged_in(farm, "admin")
    assert (await typed(farm, "M500")).status_code == 204
