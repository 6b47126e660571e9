"""Webhooks against a real service: told once, signed, tried again, given up, never in the way."""

import asyncio
import hashlib
import hmac
import json
import re
from dataclasses import replace
from datetime import time

import pytest

from api.bus.local import LocalBus
from api.errors import Forbidden, Invalid, NotFound
from api.policies.quiet import QuietHours
from api.principal import Principal, Role
from api.webhooks.courier import DELAYS_S, DRAIN_S, LEASE
from api.webhooks.models import Delivery, Webhook
from api.webhooks.service import ALL, KEPT_FOR, NewWebhook
from tests.api.conftest import FakeClock
from tests.api.webhooks.conftest import Room, Service


async def add(
    room: Room, by: Principal, url: str, *types: str, kind: str = "generic"
) -> tuple[Webhook, str]:
    new = NewWebhook(name="Hook", url=url, webhook_type=kind, alert_types=types or [ALL])
    return await room.webhooks.create(by, new)


async def states() -> list[tuple[str, int]]:
    return [(row.state, row.tries) for row in await Delivery.all().order_by("id")]


async def test_an_alert_is_told_once_and_signed(
    room: Room, service: Service, admin: Principal, clock: FakeClock
) -> None:
    """The contract's body; who has the secret can tell that it is ours, and from when."""
    _, secret = await add(room, admin, service.url)
    await room.happen()
    assert not service.heard
    await room.webhooks.courier.drain()
    await room.webhooks.courier.drain()
    [(head, body)] = service.heard
    told = json.loads(body)
    assert {name: told[name] for name in ("event", "title", "message", "severity")} == {
        "event": "print_failed",
        "title": "Vase failed",
        "message": "clog",
        "severity": "critical",
    }
    found = re.search(r"(?i)x-gantry-signature: t=(\d+),v1=([0-9a-f]{64})", head)
    assert found is not None and int(found[1]) == int(clock.now().timestamp())
    mac = hmac.new(secret.encode(), f"{found[1]}.".encode() + body, hashlib.sha256)
    assert mac.hexdigest() == found[2]
    [row] = await Delivery.all()
    assert (row.state, row.status_code) == ("delivered", 204)
    assert f"x-gantry-delivery: {row.uid}".lower() in head.lower()
    assert f"host: 127.0.0.1:{service.port}" in head.lower()


async def test_only_what_is_wanted_is_told(room: Room, service: Service, admin: Principal) -> None:
    """Other types, other organizations' alerts and switched-off webhooks: nothing."""
    hook, _ = await add(room, admin, service.url, "print_failed")
    await room.happen("spool_low")
    await room.happen("print_failed", organization_id=2)
    assert await states() == []
    await room.happen("print_failed")
    await room.webhooks.update(admin, hook.id, {"is_enabled": False})
    await room.webhooks.courier.drain()
    assert (await states(), service.heard) == ([("failed", 1)], [])


async def test_a_service_in_trouble_is_tried_again_with_the_same_id(
    room: Room, service: Service, admin: Principal, clock: FakeClock
) -> None:
    """503 and 429 pass; a service that took it already knows it by its id."""
    await add(room, admin, service.url)
    await room.happen()
    service.will_say(503, 429)
    await room.webhooks.courier.drain()
    await room.webhooks.courier.drain()
    assert await states() == [("waiting", 1)]
    for delay_s in DELAYS_S[:2]:
        clock.advance(delay_s)
        await room.webhooks.courier.drain()
    assert await states() == [("delivered", 3)]
    ids = {re.search(r"(?i)x-gantry-delivery: (\w+)", head)[1] for head, _ in service.heard}  # type: ignore[index]
    assert len(ids) == 1


async def test_a_service_that_is_away_is_given_up_some_day(
    room: Room, service: Service, admin: Principal, clock: FakeClock
) -> None:
    """After the last try it is failed, and stays in the log with the reason."""
    port = service.port
    await add(room, admin, f"http://127.0.0.1:{port}/")
    service.will_say(*[500] * (len(DELAYS_S) + 1))
    await room.happen()
    for delay_s in (*DELAYS_S, 0):
        await room.webhooks.courier.drain()
        clock.advance(delay_s)
    assert await states() == [("failed", len(DELAYS_S) + 1)]
    assert (await Delivery.get()).detail == "it answered 500"


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 404, 410])
async def test_a_refusal_and_a_redirect_end_a_delivery(
    room: Room, service: Service, admin: Principal, status: int
) -> None:
    """Nobody is followed to where they point, not even to themselves (safety S50)."""
    await add(room, admin, service.url)
    await room.happen()
    service.will_say(status)
    await room.webhooks.courier.drain()
    assert await states() == [("failed", 1)]
    assert len(service.heard) == 1
    assert str(status) in (await Delivery.get()).detail


async def test_a_service_that_says_nothing_is_left_in_time(
    room: Room, service: Service, admin: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its silence costs a bounded time, and is tried again later."""
    monkeypatch.setattr("api.webhooks.outside.TIMEOUT_S", 0.2)
    await add(room, admin, service.url)
    await room.happen()
    service.answers.append(None)
    await room.webhooks.courier.drain()
    assert await states() == [("waiting", 1)]
    assert (await Delivery.get()).detail == "no answer in time"


async def test_an_answer_without_an_end_is_not_read_to_it(
    room: Room, service: Service, admin: Principal
) -> None:
    """A status is all that is wanted of it."""
    await add(room, admin, service.url)
    await room.happen()
    chunks = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    service.answers.append(head + chunks * 3)
    await room.webhooks.courier.drain()
    assert await states() == [("delivered", 1)]


async def test_a_delivery_belongs_to_who_took_it(
    room: Room, service: Service, admin: Principal, clock: FakeClock
) -> None:
    """Of two processes one carries it; of one that died another, when its lease is over."""
    await add(room, admin, service.url)
    await room.happen()
    assert await room.webhooks.courier._take() is not None
    await room.webhooks.courier.drain()
    assert not service.heard
    clock.advance(LEASE.total_seconds())
    await room.webhooks.courier.drain()
    assert len(service.heard) == 1


async def test_quiet_hours_hold_webhooks_back(
    room: Room, service: Service, admin: Principal, clock: FakeClock
) -> None:
    """They are an external channel (v1 2.7): told when it is over, or not at all."""
    await add(room, admin, service.url)
    room.quiet[0] = QuietHours(enabled=True, start=time(11), end=time(13))
    await room.happen()
    await room.webhooks.courier.drain()
    assert not service.heard
    clock.advance(3600)
    await room.webhooks.courier.drain()
    assert len(service.heard) == 1
    room.quiet[0] = QuietHours(enabled=True, start=time(11), end=time(14), digest=False)
    await room.happen()
    assert len(await states()) == 1


async def test_services_that_are_slow_do_not_hold_up_a_tick(
    room: Room, service: Service, admin: Principal, clock: FakeClock
) -> None:
    """After a while no other is begun; what is left is said, and carried by the next one."""
    for _ in range(3):
        await add(room, admin, service.url)
    await room.happen()
    service.on_call = lambda: clock.advance(0.6 * DRAIN_S)
    assert await room.webhooks.courier.drain()
    assert len(service.heard) == 2
    assert not await room.webhooks.courier.drain()
    assert len(service.heard) == 3


async def test_it_leaves_by_itself(
    room: Room, service: Service, admin: Principal, bus: LocalBus
) -> None:
    """A wake after the commit is enough."""
    await add(room, admin, service.url)
    work = asyncio.create_task(room.webhooks.courier.run(bus))
    await asyncio.sleep(0)
    await room.happen()
    async with asyncio.timeout(30):
        while await states() != [("delivered", 1)]:
            await asyncio.sleep(0.01)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    assert len(service.heard) == 1


async def test_the_log_is_kept_for_a_month(
    room: Room, service: Service, admin: Principal, clock: FakeClock
) -> None:
    """Newest first, with what became of each; older ones go."""
    hook, _ = await add(room, admin, service.url)
    await room.happen()
    service.will_say(404)
    await room.webhooks.courier.drain()
    await room.happen("spool_low")
    rows, total = await room.webhooks.deliveries(admin, hook.id, 0, 50)
    assert (total, [row.state for row in rows]) == (2, ["waiting", "failed"])
    clock.advance(KEPT_FOR.total_seconds() + 1)
    await room.happen()
    assert (await room.webhooks.deliveries(admin, hook.id, 0, 50))[1] == 1


async def test_the_test_button_tells_how_it_went(
    room: Room, service: Service, admin: Principal
) -> None:
    """Now, signed, by the same way out; nothing is tried again."""
    hook, _ = await add(room, admin, service.url)
    assert await room.webhooks.test(admin, hook.id) == ""
    assert json.loads(service.heard[0][1])["event"] == "test"
    service.will_say(503)
    assert await room.webhooks.test(admin, hook.id) == "it answered 503"
    assert await states() == []


async def test_a_webhook_is_its_organizations(
    room: Room, service: Service, admin: Principal
) -> None:
    """Others find nothing; who is no admin may nothing; a deleted one takes its log along."""
    hook, _ = await add(room, admin, service.url)
    await room.happen()
    stranger = replace(admin, organization_id=2, is_superadmin=False)
    for work in (
        room.webhooks.delete(stranger, hook.id),
        room.webhooks.update(stranger, hook.id, {"name": "Mine"}),
        room.webhooks.test(stranger, hook.id),
        room.webhooks.deliveries(stranger, hook.id, 0, 50),
    ):
        with pytest.raises(NotFound):
            await work
    with pytest.raises(Forbidden):
        await room.webhooks.list(replace(admin, role=Role.OPERATOR), 0, 50)
    await room.webhooks.delete(admin, hook.id)
    assert (await room.webhooks.list(admin, 0, 50), await states()) == (([], 0), [])
    assert not service.heard


async def test_unknown_types_of_alerts_are_refused(
    room: Room, service: Service, admin: Principal
) -> None:
    """Each is named once; all means all."""
    with pytest.raises(Invalid, match="no alert type 'fire'"):
        await add(room, admin, service.url, "fire")
    hook, _ = await add(room, admin, service.url, "spool_low", "print_failed", "spool_low")
    assert hook.alert_types == ["print_failed", "spool_low"]
    changed = await room.webhooks.update(admin, hook.id, {"alert_types": ["spool_low", ALL]})
    assert changed.alert_types == [ALL]
