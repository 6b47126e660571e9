"""Refusals in the trail: each kind once in a while, and no flood fills it."""

from dataclasses import replace
from typing import Any

import pytest
from tortoise.exceptions import OperationalError

from api.audit.denials import PER_WINDOW, REPEAT_S, WINDOW_S, Bound, Denials
from api.events.models import AuditEntry
from api.events.service import Ledger
from api.principal import Principal
from tests.api.conftest import FakeClock


def test_the_same_refusal_is_written_once_in_a_while() -> None:
    """The next entry says how often it came since."""
    bound = Bound()
    assert [bound.take(1, "a", now) for now in (0.0, 1.0, REPEAT_S - 1)] == [1, None, None]
    assert bound.take(1, "b", 2.0) == 1
    assert bound.take(1, "a", REPEAT_S) == 3
    assert bound.take(1, "a", REPEAT_S + 1) is None


def test_a_flood_of_different_ones_is_bounded_by_organization() -> None:
    """So many a minute; another organization has its own share; then it goes on."""
    bound = Bound()
    flood = [bound.take(1, ("what", number), 0.0) for number in range(10_000)]
    assert flood.count(1) == PER_WINDOW
    assert bound.take(2, "other", 0.0) == 1
    assert bound.take(1, "later", WINDOW_S) == 1


def test_memory_is_bounded() -> None:
    """However many different refusals there are in an hour."""
    bound = Bound()
    for number in range(30_000):
        bound.take(number, ("what", number), float(number))
    assert len(bound._seen) <= 5000


async def test_it_says_who_and_what(ledger: Ledger, clock: FakeClock, admin: Principal) -> None:
    """The route without its ids, and the credential that asked."""
    denials = Denials(ledger, clock)
    for _ in range(3):
        await denials.note(admin, "DELETE", "/api/v1/users/<int:user_id>", "permission_denied")
    [entry] = await AuditEntry.all()
    facts: dict[str, Any] = {
        "method": "DELETE",
        "route": "/api/v1/users/<int:user_id>",
        "code": "permission_denied",
        "times": 1,
    }
    assert (entry.action, entry.username, entry.details) == ("auth.denied", "admin", facts)
    assert (entry.entity_type, entry.entity_id) == ("token", "1")
    clock.advance(REPEAT_S)
    await denials.note(admin, "DELETE", "/api/v1/users/<int:user_id>", "permission_denied")
    assert (await AuditEntry.all().order_by("-id").first()).details["times"] == 3  # type: ignore[union-attr]
    other = replace(admin, credential_id=2)
    await denials.note(other, "DELETE", "/api/v1/users/<int:user_id>", "permission_denied")
    assert await AuditEntry.all().count() == 3


async def test_a_trail_that_cannot_be_written_changes_no_answer(
    ledger: Ledger, clock: FakeClock, admin: Principal, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk refuses nobody in another way."""

    class Full(Ledger):
        def change(self, *_: object, **how: object) -> Any:
            raise OperationalError("disk full")

    denials = Denials(Full(None, clock), clock)  # type: ignore[arg-type]
    await denials.note(admin, "GET", "/api/v1/users", "permission_denied")
    assert "could not be noted" in caplog.text
