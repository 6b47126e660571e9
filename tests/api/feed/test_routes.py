"""``GET /events``, and what is forgotten."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from quart import Quart

from api.events.models import Event
from api.feed.routes import EventRoutes
from api.v1 import V1
from schemas.printer import PrinterState
from tests.api.feed.conftest import TOKEN, Farm

Get = Callable[..., Awaitable[tuple[int, Any, str]]]


@pytest.fixture
def get(farm: Farm) -> Get:
    """GET /api/v1/events: status, body, and the cursor to go on with."""
    quart = Quart("test", static_folder=None)
    EventRoutes(farm.feed).register(V1(quart, farm.accounts))
    client = quart.test_client()

    async def ask(query: str = "", token: str = TOKEN) -> tuple[int, Any, str]:
        answer = await client.get(f"/api/v1/events?{query}", headers={"X-API-Key": token})
        return answer.status_code, await answer.get_json(), answer.headers.get("X-Next-Since", "")

    return ask


async def test_events_come_page_by_page_each_once(farm: Farm, get: Get) -> None:
    """`since` and `limit`; the header names the next cursor; the present is an empty page."""
    newest = await farm.happen(*["job.created"] * 25)
    since, seen = 0, []
    while True:
        status, page, after = await get(f"since={since}&limit=10")
        assert status == 200
        if not page:
            break
        seen += [each["id"] for each in page]
        since = int(after)
    assert seen == list(range(1, newest + 1))
    assert since == newest


async def test_a_page_has_the_frames_of_the_socket(farm: Farm, get: Get) -> None:
    """The same envelopes, so that a client reads one form."""
    await farm.happen("job.started", printer_id=farm.printers[0].id, item_name="Cube", print_id=3)
    _, page, _ = await get("since=0&limit=500")
    assert page[-1] == {
        "type": "job_started",
        "id": page[-1]["id"],
        "at": "2026-01-01T12:00:00.000Z",
        "data": {
            "printer_id": farm.printers[0].id,
            "job_name": "Cube",
            "print_job_id": 3,
            "scheduled_job_id": None,
        },
    }


async def test_the_cursor_moves_over_what_is_not_for_the_caller(farm: Farm, get: Get) -> None:
    """A viewer's page is empty, but not the present of the next call."""
    viewer = farm.accounts.give("odin_viewer", farm.viewer())
    number = await farm.happen("auth.login", "user.created")
    assert await get("since=0", viewer) == (200, [], str(number))


@pytest.mark.parametrize("scope", ["agent:read", "agent:write"])
async def test_an_agent_hears_of_what_it_may_list_and_of_nothing_else(
    farm: Farm, get: Get, scope: str
) -> None:
    """v1 1.3: pools, commands, files, products and rooms are in no list that agents may read."""
    token = farm.accounts.give("odin_agent", farm.viewer(scopes=frozenset({scope})))
    open_to_it = ["job.created", "printer.updated", "spool.created", "order.created"]
    closed = ["pool.updated", "command.issued", "file.added", "product.created", "bridge.ports"]
    await farm.happen(*open_to_it, *closed, "maintenance.logged", "alert.new")
    _, page, _ = await get("since=0&limit=500", token)
    heard = [each["type"] for each in page]
    assert heard == [*open_to_it, "maintenance.logged", "alert_new"]


async def test_an_agent_sees_pictures_of_printers(farm: Farm) -> None:
    """`GET /printers` is open to it, so what it shows is sent too; a key for spools gets none."""
    kinds = []
    for scope in ("read:spools", "agent:read"):
        token = farm.accounts.give(f"odin_{scope}", farm.viewer(scopes=frozenset({scope})))
        async with farm.socket(f"token={token}") as socket:
            await socket.accepted()
            await socket.hear_type("hello")
            await farm.report(PrinterState.PRINTING, at=1)
            await farm.happen("spool.created")
            wanted = "spool.created" if scope == "read:spools" else "printer_telemetry"
            while wanted not in kinds:
                kinds.append((await socket.hear())["type"])
    assert kinds[0] == "spool.created"
    assert kinds[-1] == "printer_telemetry"


async def test_a_cursor_that_cannot_be_answered_is_reset_here_too(farm: Farm, get: Get) -> None:
    """One `reset` that names the present; from there it goes on."""
    await farm.happen(*["job.created"] * 5)
    status, page, after = await get("since=777")
    assert (status, [each["type"] for each in page]) == (200, ["reset"])
    assert await get(f"since={after}") == (200, [], after)


async def test_odd_numbers_are_refused(get: Get) -> None:
    """422 for what is no number, 401 without a credential."""
    for query in ("since=-1", "since=x", "limit=1.5"):
        assert (await get(query))[0] == 422
    assert (await get("", "odin_wrong"))[0] == 401


async def test_old_events_are_forgotten_by_age_and_by_count(farm: Farm) -> None:
    """What is too old, or too much, goes; the newest stays, so that numbers go on from it."""
    await farm.happen(*["job.created"] * 20)
    farm.clock.advance(31 * 86400)
    newest = await farm.happen(*["job.updated"] * 10)
    assert await farm.history.prune(farm.clock.now(), keep=1000) == newest - 10
    assert await farm.history.prune(farm.clock.now(), keep=4) == 6
    farm.clock.advance(1)
    assert await farm.history.prune(farm.clock.now(), keep=4) == 3
    span = await farm.history.span(1)
    assert (span.oldest, span.newest) == (newest, newest)
    assert await farm.happen("job.created") == newest + 1


async def test_forgetting_keeps_organizations_apart(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The count is each organization's own; many rows go in small steps."""
    monkeypatch.setattr("api.events.history.PRUNE_ROWS", 3)
    await farm.happen(*["job.created"] * 20)
    await farm.happen(*["job.created"] * 5, organization_id=2)
    before = farm.clock.now()
    await farm.history.prune(before, keep=10)
    assert await Event.filter(organization_id=1).count() == 10
    assert await Event.filter(organization_id=2).count() == 5
