"""Push against a real service: told once, sealed, tried again, forgotten when nobody is there."""

import asyncio
from dataclasses import replace
from datetime import time
from typing import Any

import pytest

from api.alerts.preferences import Wish
from api.errors import Forbidden, Invalid, NotFound
from api.events.models import AuditEntry
from api.policies.quiet import QuietHours
from api.principal import Principal, Role
from api.push.courier import DELAYS_S, LEASE, Outcome
from api.push.models import PushDevice, PushMessage
from api.push.service import MOST, NewPhone
from tests.api.conftest import FakeClock
from tests.api.push.conftest import PushRoom
from tests.api.webhooks.conftest import Service
from tests.fakes.browser_push import PushBrowser


@pytest.fixture
def other(admin: Principal) -> Principal:
    return replace(admin, user_id=2, username="second")


async def test_an_alert_reaches_the_browser_of_whoever_wants_it(
    room: PushRoom, service: Service, admin: Principal, other: Principal
) -> None:
    """By default failed prints are pushed (v1 2.7); sealed for that browser, and only once."""
    browser, theirs = PushBrowser(), PushBrowser()
    await room.push.subscribe(admin, browser.at(f"{service.url}/a"))
    await room.push.subscribe(other, theirs.at(f"{service.url}/b"))
    await room.alert(1)
    assert not service.heard
    await room.push.courier.drain()
    await room.push.courier.drain()
    [(head, body)] = service.heard
    assert browser.read(body) == {
        "event": "print_failed",
        "alert_type": "print_failed",
        "severity": "critical",
        "title": "Vase failed",
        "message": "clog",
        "printer_id": 3,
        "job_id": 4,
    }
    lines = head.lower().splitlines()
    assert lines[0].startswith("post /hook/a ")
    assert {"content-encoding: aes128gcm", "urgency: high"} <= {*lines}
    assert any(line.startswith("authorization: vapid t=") for line in lines)
    assert any(line.startswith("ttl: ") for line in lines)
    assert await PushMessage.all().count() == 0


async def test_only_what_is_wanted_is_pushed(
    room: PushRoom, service: Service, admin: Principal
) -> None:
    """What the person's preferences say, unless the device says otherwise."""
    device = await room.push.subscribe(admin, PushBrowser().at(service.url))
    await room.alert(1, alert_type="spool_low")
    assert await PushMessage.all().count() == 0
    await room.preferences.set(admin, [Wish(alert_type="spool_low", browser_push=True)])
    await room.alert(1, alert_type="spool_low")
    assert await PushMessage.all().count() == 1
    await room.push.prefer(admin, device.device_id, True, ["print_complete"])
    await room.alert(1)
    assert await PushMessage.all().count() == 1
    await room.alert(1, alert_type="print_complete")
    assert await PushMessage.all().count() == 2
    await room.push.prefer(admin, device.device_id, False, ["all"])
    await room.alert(1)
    await room.push.courier.drain()
    assert (await PushMessage.all().count(), service.heard) == (0, [])


@pytest.mark.parametrize("status", [404, 410])
async def test_a_subscription_that_is_gone_is_removed(
    room: PushRoom, service: Service, admin: Principal, status: int
) -> None:
    """With all that waits for it: the browser has unsubscribed, or is no more."""
    await room.push.subscribe(admin, PushBrowser().at(service.url))
    await room.alert(1)
    await room.alert(1)
    service.will_say(status)
    await room.push.courier.drain()
    assert (await PushDevice.all().count(), await PushMessage.all().count()) == (0, 0)
    assert len(service.heard) == 1


async def test_a_service_in_trouble_is_tried_again(
    room: PushRoom, service: Service, admin: Principal, clock: FakeClock
) -> None:
    """With growing pauses, and some day no more; the subscription stays."""
    await room.push.subscribe(admin, PushBrowser().at(service.url))
    await room.alert(1)
    service.will_say(*[503] * (len(DELAYS_S) + 1))
    for delay_s in (*DELAYS_S, 0):
        assert await PushMessage.all().count() == 1
        await room.push.courier.drain()
        await room.push.courier.drain()  # not before its time
        clock.advance(delay_s)
    assert (await PushMessage.all().count(), await PushDevice.all().count()) == (0, 1)
    assert len(service.heard) == len(DELAYS_S) + 1


@pytest.mark.parametrize("status", [301, 307, 400, 403, 413])
async def test_a_refusal_and_a_redirect_end_a_push(
    room: PushRoom, service: Service, admin: Principal, status: int
) -> None:
    """Nobody is followed to where they point (safety S50); the subscription stays."""
    await room.push.subscribe(admin, PushBrowser().at(service.url))
    await room.alert(1)
    service.will_say(status)
    await room.push.courier.drain()
    assert (await PushMessage.all().count(), await PushDevice.all().count()) == (0, 1)
    assert len(service.heard) == 1


async def test_several_processes_push_once(
    room: PushRoom, service: Service, admin: Principal, clock: FakeClock
) -> None:
    """Each message is one process's for a while, and anybody's when that one dies."""
    await room.push.subscribe(admin, PushBrowser().at(service.url))
    for _ in range(3):
        await room.alert(1)
    await asyncio.gather(*(room.push.courier.drain() for _ in range(3)))
    assert len(service.heard) == 3
    await room.alert(1)
    assert await room.push.courier._take() is not None  # and dies
    await room.push.courier.drain()
    assert len(service.heard) == 3
    clock.advance(LEASE.total_seconds())
    await room.push.courier.drain()
    assert len(service.heard) == 4


async def test_nothing_is_pushed_in_quiet_hours(
    room: PushRoom, service: Service, admin: Principal, clock: FakeClock
) -> None:
    """It waits for their end, or is not told at all (v1 2.7)."""
    await room.push.subscribe(admin, PushBrowser().at(service.url))
    room.quiet[0] = QuietHours(enabled=True, start=time(11), end=time(13))
    await room.alert(1)
    await room.push.courier.drain()
    assert service.heard == []
    room.quiet[0] = replace(room.quiet[0], digest=False)
    await room.alert(1)
    assert await PushMessage.all().count() == 1
    clock.advance(3600)
    await room.push.courier.drain()
    assert len(service.heard) == 1


async def test_a_browser_belongs_to_who_sits_there_now(
    room: PushRoom, service: Service, admin: Principal, other: Principal
) -> None:
    """Nobody is shown the last owner's alerts; who only knows the address takes nothing."""
    browser = PushBrowser()
    await room.push.subscribe(admin, browser.at(service.url))
    thief = replace(PushBrowser().at(service.url))
    await room.push.subscribe(other, thief)
    assert await PushDevice.filter(user_id=1).count() == 1
    await room.push.subscribe(other, browser.at(service.url))
    assert await PushDevice.filter(user_id=1).count() == 0
    again = await room.push.subscribe(other, browser.at(service.url, device_id="kitchen"))
    [row] = await PushDevice.all()
    assert (row.id, row.device_id, row.user_id) == (again.id, "kitchen", 2)


@pytest.mark.parametrize(
    ("endpoint", "field"),
    [
        ("http://127.0.0.1/x", "endpoint"),
        ("https://10.0.0.1/x", "endpoint"),
        ("https://[::1]/x", "endpoint"),
        ("http://1.1.1.1/x", "endpoint"),
        ("https://1.1.1.1:22/x", "endpoint"),
        ("ftp://1.1.1.1/x", "endpoint"),
        ("https://1.1.1.1:99999/x", "endpoint"),
        ("no address", "endpoint"),
    ],
)
async def test_nothing_is_sent_to_private_addresses(
    open_room: PushRoom, admin: Principal, endpoint: str, field: str
) -> None:
    """A browser may name any address: only public ones, by TLS, are taken (safety S50)."""
    with pytest.raises(Invalid) as refused:
        await open_room.push.subscribe(admin, PushBrowser().at(endpoint))
    assert refused.value.extra["field"] == field
    assert await PushDevice.all().count() == 0


async def test_an_address_that_has_become_private_is_not_reached(
    room: PushRoom, open_room: PushRoom, service: Service, admin: Principal
) -> None:
    """It is looked at again whenever something is sent."""
    await room.push.subscribe(admin, PushBrowser().at(service.url))
    await room.alert(1)
    await open_room.push.courier.drain()
    assert (service.heard, await PushMessage.all().count()) == ([], 0)


async def test_keys_of_no_browser_are_refused(
    room: PushRoom, service: Service, admin: Principal
) -> None:
    """422 that names them."""
    new = replace(PushBrowser().at(service.url), auth="AAAA")
    with pytest.raises(Invalid) as refused:
        await room.push.subscribe(admin, new)
    assert refused.value.extra["field"] == "keys"


async def test_a_lost_secret_key_forgets_subscriptions(
    room: PushRoom, service: Service, admin: Principal
) -> None:
    """Nobody can seal for them any more; the browser subscribes anew."""
    await room.push.subscribe(admin, PushBrowser().at(service.url))
    await room.alert(1)
    room.is_secret_lost = True
    await room.push.courier.drain()
    assert (await PushDevice.all().count(), service.heard) == (0, [])


async def test_a_test_says_what_became_of_it(
    room: PushRoom, service: Service, admin: Principal
) -> None:
    """At once, in every browser of the caller; gone ones are removed."""
    assert await room.push.test(admin) == []
    browser = PushBrowser()
    await room.push.subscribe(admin, browser.at(f"{service.url}/1"))
    await room.push.subscribe(admin, PushBrowser().at(f"{service.url}/2"))
    service.will_say(410)
    tries = await room.push.test(admin)
    assert sorted(one.outcome.name for one in tries) == ["GONE", "TAKEN"]
    assert await PushDevice.all().count() == 1
    assert {one.outcome for one in await room.push.test(admin)} == {Outcome.TAKEN}


async def test_unsubscribing_is_ones_own(
    room: PushRoom, service: Service, admin: Principal, other: Principal
) -> None:
    """One browser by its address, or all; nobody else's."""
    for number in range(3):
        await room.push.subscribe(admin, PushBrowser().at(f"{service.url}/{number}"))
    await room.push.subscribe(other, PushBrowser().at(f"{service.url}/other"))
    assert await room.push.unsubscribe(admin, f"{service.url}/other") == 0
    assert await room.push.unsubscribe(admin, f"{service.url}/1") == 1
    assert await room.push.unsubscribe(admin, None) == 2
    assert await PushDevice.all().count() == 1


def phone(device_id: str = "phone-1") -> NewPhone:
    return NewPhone(device_id=device_id, device_token="ab" * 32, platform="ios")


async def test_phones_are_kept(room: PushRoom, admin: Principal, other: Principal) -> None:
    """Registered again they are the same; they are their owner's alone, and are not pushed to."""
    await room.push.register(admin, phone())
    await room.push.register(admin, replace(phone(), device_token="cd" * 32))
    [row] = await PushDevice.all()
    assert (row.kind, row.token) == ("apns", "cd" * 32)
    await room.alert(1)
    assert await PushMessage.all().count() == 0
    for attempt in (
        room.push.unregister(other, "phone-1"),
        room.push.device(other, "phone-1"),
        room.push.show_printer(other, "phone-1", 1, "token"),
    ):
        with pytest.raises(NotFound):
            await attempt
    await room.push.show_printer(admin, "phone-1", 7, "activity-1")
    shown = await room.push.show_printer(admin, "phone-1", 8, "activity-2")
    assert shown.live_activities == {"7": "activity-1", "8": "activity-2"}
    shown = await room.push.show_printer(admin, "phone-1", 7, None)
    assert shown.live_activities == {"8": "activity-2"}
    await room.push.unregister(admin, "phone-1")
    assert await PushDevice.all().count() == 0


async def test_who_is_gone_has_no_devices(
    room: PushRoom, service: Service, admin: Principal, other: Principal
) -> None:
    """Neither they nor what waits for them are kept."""
    await room.push.subscribe(admin, PushBrowser().at(f"{service.url}/1"))
    await room.push.subscribe(other, PushBrowser().at(f"{service.url}/2"))
    await room.alert(1, 2)
    async with room.ledger.change():
        await room.push.forget_person(1)
    assert [row.user_id for row in await PushDevice.all()] == [2]
    assert await PushMessage.all().count() == 1


async def test_devices_have_a_cap(room: PushRoom, admin: Principal) -> None:
    """S74: so many a person, and no more."""
    for number in range(MOST):
        await room.push.register(admin, phone(f"phone-{number}"))
    with pytest.raises(Invalid, match=str(MOST)):
        await room.push.register(admin, phone("one-more"))
    await room.push.register(admin, phone("phone-0"))
    assert await PushDevice.all().count() == MOST


async def test_types_of_a_device_are_types_of_alerts(room: PushRoom, admin: Principal) -> None:
    """Each once, `all` alone, null for the person's own preferences."""
    await room.push.register(admin, phone())

    async def kept(types: list[str] | None) -> Any:
        return (await room.push.prefer(admin, "phone-1", True, types)).alert_types

    assert await kept(["spool_low", "spool_low"]) == ["spool_low"]
    assert await kept(["spool_low", "all"]) == ["all"]
    assert await kept(None) is None
    with pytest.raises(Invalid):
        await kept(["flood"])


async def test_what_is_done_is_noted_without_secrets(
    room: PushRoom, service: Service, admin: Principal
) -> None:
    """The trail knows no key, no token and no address; a limited key may do nothing here."""
    browser = PushBrowser()
    device = await room.push.subscribe(admin, browser.at(service.url))
    assert device.sealed != browser.keys["auth"]
    await room.push.register(admin, phone())
    entries = await AuditEntry.all().order_by("id")
    assert [entry.action for entry in entries] == ["push.subscribed", "push.registered"]
    told = " ".join(str(entry.details) for entry in entries)
    assert service.url not in told and "abab" not in told
    reader = replace(admin, role=Role.VIEWER, scopes=frozenset({"read"}), is_superadmin=False)
    with pytest.raises(Forbidden):
        await room.push.subscribe(reader, browser.at(service.url))
