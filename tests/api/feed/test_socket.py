"""``/ws`` as dashboards know it (v1 contract, 1.9)."""

import asyncio
from typing import Any

import pytest

from api.feed import dashboard, hub, sockets
from api.feed.sender import MAX_MESSAGES
from api.principal import Principal
from schemas.printer import PrinterState
from tests.api.feed.conftest import JWT, TICKET, TOKEN, Farm
from tests.fakes.sockets import LiveSocket

OWN = "http://farm.example"

# Who gets a socket.


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        (f"token={TOKEN}", {}),
        (f"token={JWT}", {}),
        (f"token={TICKET}", {}),
        ("", {"authorization": f"Bearer {TOKEN}"}),
        ("", {"x_api_key": TOKEN}),
        ("", {"cookie": f"session={JWT}", "origin": OWN}),
    ],
    ids=["token", "session in the query", "ticket", "bearer", "key", "cookie of our page"],
)
async def test_every_credential_of_v1_opens_a_socket(
    farm: Farm, query: str, headers: dict[str, str]
) -> None:
    """v1 1.9: a ticket, a token in the query, a header, or the cookie from our own page."""
    async with farm.socket(query, **headers) as socket:
        await socket.accepted()
        assert (await socket.hear())["type"] == "hello"


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ("", {}),
        ("token=", {}),
        ("token=odin_wrong", {}),
        (f"token={TOKEN}&token={TOKEN}", {}),
        (f"token={TOKEN}", {"x_api_key": "wrong"}),
        ("", {"cookie": f"session={JWT}"}),
        ("", {"cookie": f"session={JWT}", "origin": "http://evil.example"}),
        ("", {"cookie": f"session={JWT}", "origin": "null"}),
        (f"token={TOKEN}&since=minus", {}),
    ],
    ids=[
        "nothing",
        "empty",
        "wrong",
        "doubled",
        "wrong header beside a good token",
        "cookie without Origin",
        "cookie and foreign Origin",
        "cookie and Origin null",
        "since that is no number",
    ],
)
async def test_everybody_else_is_refused_before_the_upgrade(
    farm: Farm, query: str, headers: dict[str, str]
) -> None:
    """403 and no socket (v1 1.9; safety S41, S42)."""
    async with farm.socket(query, **headers) as socket:
        status, _ = await socket.refusal()
        assert status == 403
    assert len(farm.sockets) == 0


async def test_a_ticket_opens_one_socket(farm: Farm) -> None:
    """The second use is refused (safety S43)."""
    async with farm.socket(f"token={TICKET}") as socket:
        await socket.accepted()
    async with farm.socket(f"token={TICKET}") as socket:
        assert await socket.refusal() == (403, "not_authenticated")


async def test_too_many_sockets_are_refused(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    """429 for one person, and for one address; others get theirs (safety S48)."""
    monkeypatch.setattr(sockets, "MAX_PER_USER", 1)
    monkeypatch.setattr(sockets, "MAX_PER_ADDRESS", 2)
    viewer = farm.accounts.give("odin_viewer", farm.viewer())
    third = farm.accounts.give("odin_third", farm.viewer(user_id=3, credential_id=3))
    async with farm.socket() as first:
        await first.accepted()
        async with farm.socket() as second:
            assert await second.refusal() == (429, "rate_limited")
        async with farm.socket(f"token={viewer}") as other:
            await other.accepted()
            async with farm.socket(f"token={third}") as crowded:
                assert await crowded.refusal() == (429, "rate_limited")
            async with LiveSocket(
                farm.endpoint, query=f"token={third}", address="10.9.9.9"
            ) as elsewhere:
                await elsewhere.accepted()
    async with farm.socket() as again:
        await again.accepted()


# What it hears.


async def test_a_job_is_told_in_the_words_of_v1(farm: Farm) -> None:
    """v1 1.9: job_started, job_completed, job.cancelled with the contract's fields."""
    async with farm.socket() as socket:
        await socket.accepted()
        await socket.hear_type("hello")
        printer_id = farm.printers[0].id
        run: dict[str, Any] = {"item_name": "Cube", "print_id": 7}
        await farm.happen("job.started", printer_id=printer_id, **run)
        for kind in ("job.completed", "job.failed", "job.cancelled"):
            await farm.happen(kind, printer_id=printer_id, duration_s=12.5, **run)
        started, completed, failed, cancelled = await socket.events(4)
    assert started["type"] == "job_started"
    assert started["data"] == {
        "printer_id": printer_id,
        "job_name": "Cube",
        "print_job_id": 7,
        "scheduled_job_id": None,
    }
    assert (completed["type"], completed["data"]["status"]) == ("job_completed", "completed")
    assert (completed["data"]["success"], completed["data"]["duration_seconds"]) == (True, 12.5)
    assert (failed["type"], failed["data"]["status"]) == ("job_completed", "failed")
    assert (cancelled["type"], cancelled["data"]["success"]) == ("job.cancelled", False)
    numbers = [each["id"] for each in (started, completed, failed, cancelled)]
    assert numbers == list(range(numbers[0], numbers[0] + 4))


async def test_a_change_of_state_is_told_at_once_with_the_picture(farm: Farm) -> None:
    """The event, and a new picture without waiting for the interval (v1 1.9)."""
    async with farm.socket() as socket:
        await socket.accepted()
        await farm.report(PrinterState.PRINTING, nozzle_c=200.0)
        while (await socket.hear_type("printer_telemetry"))["data"]["nozzle_temp"] != 200.0:
            pass
        told: dict[str, Any] = {"state": "paused", "old_state": "printing", "reason": ""}
        await farm.happen("printer.state", printer_id=farm.printers[0].id, **told)
        frame = await socket.hear_type("printer.state_changed")
    assert frame["data"]["old_state"] == "printing"
    assert frame["data"]["new_state"] == "paused"


async def test_of_many_pictures_a_slow_client_gets_the_newest(farm: Farm) -> None:
    """Pictures fall together per printer; nothing is queued for who does not read (safety R16)."""
    async with farm.socket() as slow, farm.socket() as quick:
        for socket in (slow, quick):
            await socket.accepted()
        slow.stalled = True
        for nozzle_c in range(100, 150):
            await farm.report(nozzle_c=float(nozzle_c))
            farm.clock.advance(1.0)
            await asyncio.sleep(0)
        await farm.report(PrinterState.PRINTING, nozzle_c=150.0)
        while (await quick.hear_type("printer_telemetry"))["data"]["nozzle_temp"] != 150.0:
            pass
        slow.stalled = False
        seen: list[float] = []
        while not seen or seen[-1] != 150.0:
            frame = await slow.hear_type("printer_telemetry")
            if frame["data"]["printer_id"] == farm.printers[0].id:
                seen.append(frame["data"]["nozzle_temp"])
    assert len(seen) <= 4


async def test_a_room_that_goes_away_shows_as_offline(farm: Farm) -> None:
    """Its printers get a new picture when the farm knows."""
    async with farm.socket() as socket:
        await socket.accepted()
        await farm.report(PrinterState.PRINTING)
        await socket.hear_type("printer_telemetry")
        await farm.bridges.close_session(farm.bridge.id, 1)
        farm.clock.advance(60)
        await farm.bridges.report_lapsed()
        shown = ""
        while shown != "OFFLINE":
            last, shown = shown, (await socket.hear_type("printer_telemetry"))["data"]["state"]
        assert last in ("", "RUNNING")  # nothing between what it reported and that it is away


# The cursor.


async def test_who_comes_back_with_since_misses_nothing_and_hears_nothing_twice(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events from before, during and after the replay arrive once each, in order."""
    monkeypatch.setattr(dashboard, "PAGE", 7)
    before = await farm.happen(*["job.created"] * 30)
    async with farm.socket(f"token={TOKEN}&since={before - 25}") as socket:
        await socket.accepted()
        more = asyncio.create_task(farm.happen(*["job.updated"] * 20))
        first = await socket.events(25)
        await more
        last = await farm.happen("job.paused")
        rest = await socket.events(21)
    assert [frame["id"] for frame in first + rest] == list(range(before - 24, last + 1))


async def test_a_new_dashboard_begins_with_the_present(farm: Farm) -> None:
    """Without since nothing old is told; hello names the cursor."""
    number = await farm.happen("job.created", "job.updated")
    async with farm.socket() as socket:
        await socket.accepted()
        assert await socket.hear() == {"type": "hello", "id": number, "data": {"since": number}}
        after = await farm.happen("job.paused")
        assert [frame["id"] for frame in await socket.events(1)] == [after]


@pytest.mark.parametrize("since", [0, 1, 999], ids=["from the first", "forgotten", "of the future"])
async def test_a_cursor_that_cannot_be_answered_is_reset(farm: Farm, since: int) -> None:
    """`reset` once, with the number to go on from; then live."""
    newest = await farm.happen(*["job.created"] * 10)
    farm.clock.advance(100 * 86400)
    newest = await farm.happen("job.updated")
    await farm.feed.prune()
    async with farm.socket(f"token={TOKEN}&since={since}") as socket:
        await socket.accepted()
        assert (await socket.hear())["type"] == "hello"
        reset = await socket.hear()
        assert (reset["type"], reset["id"]) == ("reset", newest)
        after = await farm.happen("job.paused")
        assert [frame["id"] for frame in await socket.events(1)] == [after]


async def test_who_falls_off_the_ring_is_let_go_with_a_cursor(
    farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1013 and the since to come back with; the others hear everything (safety R16)."""
    monkeypatch.setattr(hub, "RING", 20)
    async with farm.socket() as slow, farm.socket() as quick:
        for socket in (slow, quick):
            await socket.accepted()
            await socket.hear_type("hello")
        await farm.happen("job.created")
        assert len(await slow.events(1)) == len(await quick.events(1)) == 1
        slow.stalled = True
        for _ in range(6):
            await farm.happen(*["job.updated"] * 10)
            await quick.events(10)
        slow.stalled = False
        code, reason = await slow.closed()
    assert code == 1013
    assert "since=" in reason


async def test_who_takes_no_frame_is_let_go(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dead reader ends by itself, and nobody waits for it (safety R16)."""
    monkeypatch.setattr(dashboard, "PATIENCE_S", 0.01)
    async with farm.socket() as socket:
        await socket.accepted()
        socket.stalled = True
        await farm.happen("job.created")
        ended, _ = await asyncio.wait([socket.task], timeout=5)
        assert ended == {socket.task}


# Who hears what.


async def test_organizations_hear_of_themselves_only(farm: Farm) -> None:
    """Not a frame of another farm (v1 1.9, ours: filtered)."""
    stranger = farm.accounts.give(
        "odin_stranger", farm.viewer(organization_id=2, user_id=9, credential_id=9)
    )
    async with farm.socket(f"token={stranger}") as socket:
        await socket.accepted()
        await socket.hear_type("hello")
        await farm.report(PrinterState.PRINTING)
        await farm.happen("job.created", printer_id=farm.printers[0].id)
        own = await farm.happen("job.created", organization_id=2)
        frame = await socket.hear()
        assert (frame["type"], frame["id"]) == ("job.created", own)
        assert await socket.unheard() == []


async def test_a_key_of_one_printer_hears_of_that_printer(farm: Farm) -> None:
    """Events and pictures of others, and of the farm as a whole, are not for it."""
    mine, other = farm.printers
    key = farm.accounts.give("odin_key", farm.viewer(printer_id=mine.id))
    async with farm.socket(f"token={key}") as socket:
        await socket.accepted()
        await socket.hear_type("hello")
        await farm.happen("job.created", printer_id=other.id)
        await farm.happen("job.created")
        await farm.report(PrinterState.PRINTING, at=1)
        wanted = await farm.happen("job.updated", printer_id=mine.id)
        while "id" not in (frame := await socket.hear()):
            assert frame["data"]["printer_id"] == mine.id
        assert frame["id"] == wanted


@pytest.mark.parametrize(
    ("differences", "heard"),
    [
        ({}, ["job.created", "printer.updated", "file.added"]),
        ({"scopes": frozenset({"read:jobs"})}, ["job.created"]),
        ({"scopes": frozenset({"read:spools"})}, []),
        ({"scopes": frozenset({"agent:read"})}, ["job.created", "printer.updated"]),
    ],
    ids=["viewer", "jobs alone", "neither", "an agent"],
)
async def test_rights_and_scopes_hold_on_the_socket_too(
    farm: Farm, differences: dict[str, object], heard: list[str]
) -> None:
    """Logins, keys and pairing are for admins, rooms for operators; scopes limit further."""
    by: Principal = farm.viewer(**differences)
    token = farm.accounts.give("odin_scoped", by)
    async with farm.socket(f"token={token}&since=0") as socket:
        await socket.accepted()
        kinds = ("job.created", "printer.updated", "file.added", "bridge.ports", "auth.login")
        await farm.happen(*kinds, "token.created", "something.new")
        frames = await socket.events(len(heard))
        assert [frame["type"] for frame in frames] == heard
        await asyncio.sleep(0.01)


# Talk and end.


async def test_ping_is_answered_and_a_silent_client_is_pinged(farm: Farm) -> None:
    """v1 1.9: text ping -> text pong; after 30 s of silence a ping of the server."""
    async with farm.socket() as socket:
        await socket.accepted()
        farm.clock.advance(31)
        socket.write("ping")
        while (text := await socket.text()) != "pong":
            assert "ping" not in text
        farm.clock.advance(31)
        await farm.happen("job.created")
        heard: set[str] = set()
        while not {"ping", "job.created"} <= heard:
            heard.add((await socket.hear())["type"])


async def test_a_flood_of_messages_ends_the_socket(farm: Farm) -> None:
    """1008, and nothing but pings is answered (safety S47)."""
    async with farm.socket() as socket:
        await socket.accepted()
        for _ in range(MAX_MESSAGES + 1):
            socket.write(b"\x00")
        code, _ = await socket.closed()
        assert code == 1008


async def test_the_end_of_a_credential_ends_its_sockets(farm: Farm) -> None:
    """4401 for its own, the others stay (safety S12)."""
    viewer = farm.accounts.give("odin_viewer", farm.viewer())
    async with farm.socket() as stays, farm.socket(f"token={viewer}") as goes:
        for socket in (stays, goes):
            await socket.accepted()
            await socket.hear_type("hello")
        farm.accounts.over.add(2)
        await farm.sockets.look()
        assert (await goes.closed())[0] == 4401
        await farm.happen("job.created")
        await stays.events(1)


async def test_a_stop_sends_everybody_away_to_come_back(farm: Farm) -> None:
    """1012 for who is there, 503 for who comes."""
    async with farm.socket() as socket:
        await socket.accepted()
        await farm.sockets.drain()
        assert (await socket.closed())[0] == 1012
    async with farm.socket() as late:
        assert await late.refusal() == (503, "upstream_unavailable")
