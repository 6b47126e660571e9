"""The rules over HTTP: who sets them, that they hold, and what the trail says (v1 2.2, 2.4)."""

from typing import Any

import pytest
from quart.typing import TestClientProtocol as Client

from api.accounts.people import NewUser
from api.accounts.service import Accounts
from api.events.models import AuditEntry
from api.policies.service import REMEMBERED_S, Policies
from api.principal import RIGHTS, Role
from tests.api.accounts.conftest import PASSWORD, ask, login_headers, set_up
from tests.api.conftest import FakeClock


async def viewer(client: Client, accounts: Accounts, headers: dict[str, str]) -> dict[str, str]:
    """Headers of a viewer."""
    admin = await accounts.authenticate(headers["Authorization"].removeprefix("Bearer "))
    new = NewUser(username="vera", email="", password=PASSWORD, role=Role.VIEWER)
    await accounts.create_user(admin, new)
    return await login_headers(client, "vera")


async def test_permissions_are_the_table_itself(client: Client) -> None:
    """Every right with exactly the roles that have it (row GET /permissions)."""
    headers = await set_up(client)
    _, body = await ask(client, "GET", "/permissions", headers=headers)
    assert set(body["action_access"]) == set(RIGHTS)
    assert body["action_access"]["printers.control"] == ["operator", "admin"]
    assert body["action_access"]["organizations.all"] == ["superadmin"]
    assert body["page_access"]["printers"] == ["viewer", "operator", "admin"]
    assert body["page_access"]["audit"] == ["admin"]


async def test_permissions_hold_at_once_and_are_reset(
    client: Client, accounts: Accounts, policies: Policies
) -> None:
    """Who is logged in feels it with the next call (rows PUT /permissions, POST …/reset)."""
    headers = await set_up(client)
    vera = await viewer(client, accounts, headers)
    token = vera["Authorization"].removeprefix("Bearer ")
    assert (await accounts.authenticate(token)).may("jobs.submit")
    wish = {"page_access": {}, "action_access": {"jobs.submit": ["operator", "admin"]}}
    status, told = await ask(client, "PUT", "/permissions", json=wish, headers=headers)
    assert (status, told["action_access"]["jobs.submit"]) == (200, ["operator", "admin"])
    assert not (await accounts.authenticate(token)).may("jobs.submit")
    _, again = await ask(client, "GET", "/permissions", headers=headers)
    assert again == told
    status, reset = await ask(client, "POST", "/permissions/reset", headers=headers)
    assert (status, reset["action_access"]["jobs.submit"]) == (
        200,
        ["viewer", "operator", "admin"],
    )
    assert (await accounts.authenticate(token)).may("jobs.submit")
    noted = await AuditEntry.filter(action="permissions.updated").order_by("id")
    assert [row.details["changed"] for row in noted] == [{"jobs.submit": "operator"}, {}]


async def test_an_open_socket_of_other_rights_ends(
    client: Client, accounts: Accounts, policies: Policies
) -> None:
    """Whoever watches with rights that were taken is closed (safety S12)."""
    headers = await set_up(client)
    vera = await viewer(client, accounts, headers)
    watching = await accounts.authenticate(vera["Authorization"].removeprefix("Bearer "))
    assert not await accounts.ended(watching)
    wish = {"action_access": {"printers.read": ["operator", "admin"]}}
    assert (await ask(client, "PUT", "/permissions", json=wish, headers=headers))[0] == 200
    assert await accounts.ended(watching)


async def test_the_list_is_kept_and_told(client: Client) -> None:
    """Rows GET and PUT /config/ip-allowlist: all fields, and an entry in the trail."""
    headers = await set_up(client)
    path = "/config/ip-allowlist"
    empty = {"enabled": False, "cidrs": [], "mode": "api_and_ui"}
    assert await ask(client, "GET", path, headers=headers) == (200, empty)
    wish = {"enabled": False, "cidrs": ["10.1.2.3/8"]}
    told = {"enabled": False, "cidrs": ["10.0.0.0/8"], "mode": "api_and_ui"}
    assert await ask(client, "PUT", path, json=wish, headers=headers) == (200, told)
    assert await ask(client, "GET", path, headers=headers) == (200, told)
    assert await AuditEntry.filter(action="config.ip_allowlist_updated").count() == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"enabled": True, "cidrs": []}, 400),
        ({"enabled": True, "cidrs": ["203.0.113.0/24"]}, 400),
        ({"enabled": True, "cidrs": "10.0.0.0/8"}, 422),
        ({"enabled": True, "cidrs": ["10.0.0.0/8"], "mode": "ui"}, 422),
        ({"enabled": True, "cidrs": ["x" * 65]}, 422),
        ({"enabled": "perhaps"}, 422),
    ],
)
async def test_a_list_that_cannot_be_is_refused(
    client: Client, body: dict[str, Any], status: int
) -> None:
    """Also one that would lock its author out; nothing is changed."""
    headers = await set_up(client)
    path = "/config/ip-allowlist"
    assert (await ask(client, "PUT", path, json=body, headers=headers))[0] == status
    assert (await ask(client, "GET", path, headers=headers))[1]["enabled"] is False


async def test_quiet_hours_are_set_field_by_field(client: Client, policies: Policies) -> None:
    """Rows GET and PUT /config/quiet-hours: what is not sent stays."""
    headers = await set_up(client)
    path = "/config/quiet-hours"
    default = {"enabled": False, "start": "22:00", "end": "07:00", "digest": True}
    assert await ask(client, "GET", path, headers=headers) == (200, default)
    for wish in ({"enabled": True}, {"start": "21:30", "digest": False}):
        assert await ask(client, "PUT", path, json=wish, headers=headers) == (
            200,
            {"status": "ok"},
        )
    told = {"enabled": True, "start": "21:30", "end": "07:00", "digest": False}
    assert await ask(client, "GET", path, headers=headers) == (200, told)
    assert (await policies.quiet_hours({"quiet_hours_enabled": False})).enabled is False
    for bad in ({"start": "24:00"}, {"end": "7:00"}, {"enabled": "maybe"}):
        assert (await ask(client, "PUT", path, json=bad, headers=headers))[0] == 422, bad


async def test_there_is_no_mqtt_and_it_says_so(client: Client) -> None:
    """Rows of /config/mqtt-republish: off, in the contract's fields; on is refused helpfully."""
    headers = await set_up(client)
    path = "/config/mqtt-republish"
    _, told = await ask(client, "GET", path, headers=headers)
    assert told["enabled"] is False
    assert set(told) == {
        *("enabled", "host", "port", "username"),
        *("password", "topic_prefix", "use_tls"),
    }
    off = {"enabled": False, "host": "broker.example"}
    assert (await ask(client, "PUT", path, json=off, headers=headers))[0] == 200
    for method, where, body in (
        ("PUT", path, {"enabled": True}),
        ("POST", f"{path}/test", {}),
    ):
        status, told = await ask(client, method, where, json=body, headers=headers)
        assert (status, told["error"]["code"]) == (403, "feature_disabled")
        assert "/ws" in told["detail"]


async def test_rules_are_a_superadmins(client: Client, accounts: Accounts) -> None:
    """403 for everybody else, and nothing is told."""
    headers = await set_up(client)
    vera = await viewer(client, accounts, headers)
    for method, path in (
        ("GET", "/config/ip-allowlist"),
        ("PUT", "/config/ip-allowlist"),
        ("GET", "/config/quiet-hours"),
        ("PUT", "/config/quiet-hours"),
        ("GET", "/config/mqtt-republish"),
        ("PUT", "/permissions"),
        ("POST", "/permissions/reset"),
    ):
        status, body = await ask(client, method, path, json={}, headers=vera)
        assert (status, body["error"]["code"]) == (403, "permission_denied"), path


async def test_another_process_hears_of_a_rule(
    policies: Policies, clock: FakeClock, client: Client, accounts: Accounts
) -> None:
    """At the latest when what it remembers is too old."""
    headers = await set_up(client)
    await policies.current()
    admin = await accounts.authenticate(headers["Authorization"].removeprefix("Bearer "))
    elsewhere = Policies(policies._ledger, clock, type(policies._ledger._bus)())
    assert (await elsewhere.farm_quiet_hours(admin)).enabled is False
    await policies.set_quiet_hours(admin, {"enabled": True})
    clock.advance(REMEMBERED_S)
    assert (await elsewhere.farm_quiet_hours(admin)).enabled is True
