"""Application keys: asked for, decided, fetched once, revoked (octoprint 7; safety S56)."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from api.octoprint.models import AppKeyRequest
from api.pools.service import NewPool
from tests.api.octoprint.conftest import PASSWORD, Farm

pytestmark = pytest.mark.asyncio(loop_scope="session")

ALPHA = "/octoprint/alpha"
KEYS = "/plugin/appkeys"


async def ask(farm: Farm, app: str = "Slicer", root: str = ALPHA, **more: str) -> httpx.Response:
    return await farm.http.post(f"{root}{KEYS}/request", json={"app": app, **more})


async def poll(farm: Farm, asked: httpx.Response) -> httpx.Response:
    return await farm.http.get(asked.headers["location"])


async def pending(farm: Farm, key: str | None = None) -> dict[str, dict[str, str]]:
    shown: dict[str, dict[str, str]] = (await farm.get("/api/plugin/appkeys", key)).json()[
        "pending"
    ]
    return shown


async def decide(farm: Farm, decision: object, key: str | None = None) -> httpx.Response:
    [user_token] = await pending(farm)
    headers = {"X-Api-Key": key or farm.key}
    path = f"{ALPHA}{KEYS}/decision/{user_token}"
    return await farm.http.post(path, json={"decision": decision}, headers=headers)


async def age(seconds: float) -> None:
    """Nobody has polled for so long."""
    long_ago = datetime.now(UTC) - timedelta(seconds=seconds)
    await AppKeyRequest.all().update(polled_at=long_ago)


async def test_the_whole_way_to_a_key(farm: Farm) -> None:
    """octoprint 7 probe, 7 request, 7 pending, 7 poll, 7 once: probe 204, request 201, poll 202,
    decision 204, key exactly once, then 404."""
    assert (await farm.http.get(f"{ALPHA}{KEYS}/probe")).status_code == 204
    asked = await ask(farm)
    assert asked.status_code == 201
    token = asked.json()["app_token"]
    base = "http://farm.local:5000/octoprint/alpha/plugin/appkeys"
    assert asked.headers["location"] == f"{base}/request/{token}"
    assert asked.json()["auth_dialog"] == f"{base}/auth/{token}"
    assert set(asked.json()) == {"app_token", "auth_dialog"}
    waiting = await poll(farm, asked)
    assert (waiting.status_code, [*waiting.json()]) == (202, ["message"])
    [(user_token, shown)] = (await pending(farm)).items()
    assert shown == {
        "app_id": "Slicer",
        "user_id": "admin",
        "user_token": user_token,
        "remote_address": "127.0.0.1",
    }
    assert token not in str(shown)
    assert (await decide(farm, True)).status_code == 204
    granted = await poll(farm, asked)
    assert (granted.status_code, [*granted.json()]) == (200, ["api_key"])
    assert (await poll(farm, asked)).status_code == 404
    key = granted.json()["api_key"]
    assert (await farm.get(f"{ALPHA}/api/version", key)).status_code == 200


async def test_a_key_granted_at_a_printer_is_bound_to_it(farm: Farm) -> None:
    """DESIGN 7: restricted, too; at the server's root it reaches what its owner may."""
    for root, status in ((ALPHA, 403), ("", 200)):
        asked = await ask(farm, root=root)
        assert (await decide(farm, True)).status_code == 204
        key = (await poll(farm, asked)).json()["api_key"]
        assert (await farm.get("/octoprint/beta/api/job", key)).status_code == status
        assert (await farm.get("/octoprint/alpha/api/job", key)).status_code == 200


async def test_keys_are_asked_for_at_a_pool_too(farm: Farm) -> None:
    """The same at a pool's root; a pool is no printer, so the key is its owner's, unbound."""
    pools = farm.application.rooms.pools
    pool = await pools.create(farm.admin, NewPool(name="All", printer_ids=[1]))
    root = f"/octoprint/{pool.slug}"
    asked = await ask(farm, root=root, user="admin")
    assert asked.headers["location"].startswith(f"http://farm.local:5000{root}{KEYS}/request/")
    assert (await decide(farm, True)).status_code == 204
    key = (await poll(farm, asked)).json()["api_key"]
    assert (await farm.get(f"{root}/api/job", key)).status_code == 200


async def test_nobody_learns_from_a_request_who_is_here(farm: Farm) -> None:
    """S36, S56: a name of nobody is answered as any other."""
    for user in ("admin", "nobody-at-all"):
        asked = await ask(farm, root="", user=user)
        assert (asked.status_code, (await poll(farm, asked)).status_code) == (201, 202)


async def test_a_request_may_name_its_person(farm: Farm) -> None:
    """octoprint 7 request: the address of the dialog names them, too."""
    asked = await ask(farm, user="admin")
    token = asked.json()["app_token"]
    path = f"{ALPHA}{KEYS}/auth/{token}?user=admin"
    assert asked.json()["auth_dialog"] == f"http://farm.local:5000{path}"
    [shown] = (await pending(farm)).values()
    assert shown["user_id"] == "admin"


async def test_asking_needs_no_csrf_pair(farm: Farm) -> None:
    """octoprint 7 request exempt: `request` is, also in a browser that is logged in there;
    deciding is not. The page of the dialog is the browser's, the app that asks is anywhere."""
    await log_in(farm)
    asked = await ask(farm)
    assert asked.status_code == 201
    assert (await poll(farm, asked)).status_code == 202
    row = await AppKeyRequest.get()
    path = f"{ALPHA}{KEYS}/decision/{row.user_token}"
    assert (await farm.http.post(path, json={"decision": True})).status_code == 400


async def test_a_denied_request_is_404(farm: Farm) -> None:
    """octoprint 7 denied: 404 denied or unknown; nobody decides twice."""
    asked = await ask(farm)
    [user_token] = await pending(farm)
    assert (await decide(farm, False)).status_code == 204
    assert (await poll(farm, asked)).status_code == 404
    path = f"{KEYS}/decision/{user_token}"
    assert (await farm.post(path, json={"decision": True})).status_code == 404
    assert (await farm.http.get(f"{ALPHA}{KEYS}/request/{'x' * 43}")).status_code == 404


async def test_a_request_dies_five_seconds_after_the_last_poll(farm: Farm) -> None:
    """octoprint 7 patience: or after it was made, when nobody polls; polling keeps it alive, at
    most ten minutes."""
    asked = await ask(farm)
    await age(6)
    assert (await poll(farm, asked)).status_code == 404
    asked = await ask(farm)
    await age(4)
    assert (await poll(farm, asked)).status_code == 202
    await age(6)
    assert (await poll(farm, asked)).status_code == 404
    assert await pending(farm) == {}
    asked = await ask(farm)
    await AppKeyRequest.all().update(created_at=datetime.now(UTC) - timedelta(minutes=11))
    assert (await poll(farm, asked)).status_code == 404


async def test_what_is_wrong_with_a_request(farm: Farm) -> None:
    """octoprint 7 request refused: 400 without an app, 415 for another type, 404 for nobody's
    address."""
    assert (await farm.http.post(f"{ALPHA}{KEYS}/request", json={})).status_code == 400
    assert (await ask(farm, app="  ")).status_code == 400
    assert (await ask(farm, app="x" * 101)).status_code == 400
    assert (await farm.http.post(f"{ALPHA}{KEYS}/request", data={"app": "x"})).status_code == 415
    assert (await ask(farm, root="/octoprint/nobody")).status_code == 404


async def test_requests_are_limited(farm: Farm) -> None:
    """octoprint 7 request limit: three a minute and address, then 429; S56: five wait for a person
    at most."""
    assert [(await ask(farm)).status_code for _ in range(4)] == [201, 201, 201, 429]
    for number in range(2):
        await AppKeyRequest.all().update(remote_address=f"10.0.0.{number}")
        await ask(farm)
    await AppKeyRequest.all().update(remote_address="10.0.0.9")
    refused = await ask(farm)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")


async def test_only_who_may_grant_decides(farm: Farm) -> None:
    """octoprint 7 decision: S56; 403 for a viewer, before the body; 400 without a decision; 404
    unknown."""
    await ask(farm)
    path = f"{KEYS}/decision/unknown"
    headers = {"X-Api-Key": farm.viewer_key}
    assert (await farm.http.post(path, json={}, headers=headers)).status_code == 403
    assert (await farm.http.post(path, json={"decision": True})).status_code == 403
    assert await pending(farm, farm.viewer_key) == {}
    assert (await farm.post(path, json={})).status_code == 400
    assert (await decide(farm, "yes")).status_code == 400
    assert (await farm.post(path, json={"decision": True})).status_code == 404


async def test_a_request_for_somebody_else_is_not_shown(farm: Farm) -> None:
    """octoprint 7 decision, 7 pending: 404 when it is meant for another user."""
    await ask(farm, user="guest")
    assert await pending(farm) == {}
    row = await AppKeyRequest.all().first()
    assert row is not None
    path = f"{KEYS}/decision/{row.user_token}"
    assert (await farm.post(path, json={"decision": True})).status_code == 404


async def log_in(farm: Farm) -> str:
    """The CSRF token of a new session at Alpha."""
    body = {"user": "admin", "pass": PASSWORD}
    assert (await farm.http.post(f"{ALPHA}/api/login", json=body)).status_code == 200
    return farm.http.cookies["csrf_token_P5000_R|octoprint|alpha"]


async def test_the_dialog_asks_who_is_logged_in(farm: Farm) -> None:
    """octoprint 7 auth: anonymous 302 to the login, unknown 404; the name of the app is text
    (S56)."""
    asked = await ask(farm, app="<img src=x onerror=alert(1)>")
    dialog = asked.json()["auth_dialog"]
    sent_on = await farm.http.get(dialog)
    assert sent_on.status_code == 302
    assert sent_on.headers["location"].startswith("/octoprint/alpha/login/?redirect=/octoprint/")
    token = await log_in(farm)
    shown = await farm.http.get(dialog)
    assert shown.status_code == 200
    assert "<img" not in shown.text and "&lt;img" in shown.text
    assert "frame-ancestors 'none'" in shown.headers["content-security-policy"]
    refused = await farm.http.post(dialog, data={"decision": "allow"})
    assert refused.status_code == 400
    answered = await farm.http.post(dialog, data={"decision": "allow", "csrf_token": token})
    assert answered.status_code == 200
    assert (await poll(farm, asked)).status_code == 200
    unknown = f"{ALPHA}{KEYS}/auth/{'x' * 43}"
    assert (await farm.http.get(unknown)).status_code == 404


async def test_a_session_decides_with_its_csrf_pair_only(farm: Farm) -> None:
    """octoprint 7 decision: S23, S56; without the pair 400, from another site 403, and the app
    gets nothing."""
    asked = await ask(farm)
    [user_token] = await pending(farm)
    token = await log_in(farm)
    path = f"{ALPHA}{KEYS}/decision/{user_token}"
    assert (await farm.http.post(path, json={"decision": True})).status_code == 400
    assert (await poll(farm, asked)).status_code == 202
    headers = {"X-CSRF-Token": token}
    answer = await farm.http.post(path, json={"decision": True}, headers=headers)
    assert answer.status_code == 204


async def test_keys_are_generated_listed_and_revoked(farm: Farm) -> None:
    """octoprint 7 keys, 7 one app, 7 generate, 7 revoke, 7 revoked key, 7 same app: by app and by
    key; a revoked key is 403 at once; a second key for the same app, however it is spelled, is
    another key (DESIGN 7)."""
    path = "/api/plugin/appkeys"
    made = await farm.post(path, json={"command": "generate", "app": "Cura"})
    assert set(made.json()) == {"api_key", "app_id", "user_id"}
    assert (made.json()["app_id"], made.json()["user_id"]) == ("Cura", "admin")
    second = (await farm.post(path, json={"command": "generate", "app": "cura"})).json()["api_key"]
    key = made.json()["api_key"]
    assert second != key
    assert (await farm.get("/api/version", key)).status_code == 200
    listed = await farm.get(path)
    assert {"app_id": "Cura", "user_id": "admin"} in listed.json()["keys"]
    assert key not in listed.text
    one = await farm.get(f"{path}?app=CURA&user=admin")
    assert one.json()["key"]["api_key"] is None
    assert key.startswith(one.json()["key"]["prefix"])
    assert (await farm.get(f"{path}?app=none")).status_code == 404
    assert (await farm.post(path, json={"command": "revoke", "key": key})).status_code == 204
    assert (await farm.get("/api/job", key)).status_code == 403
    assert (await farm.get("/api/job", second)).status_code == 200
    assert (await farm.post(path, json={"command": "revoke", "app": "CURA"})).status_code == 204
    assert (await farm.get("/api/job", second)).status_code == 403
    for body in ({"command": "revoke", "app": "CURA"}, {"command": "revoke"}, {"command": "x"}, {}):
        assert (await farm.post(path, json=body)).status_code == 400, body
    assert (await farm.post(path, json={"command": "generate"})).status_code == 400


async def test_other_peoples_keys_are_an_admins(farm: Farm) -> None:
    """octoprint 7 all: `user` and `all=true` need an admin."""
    path = "/api/plugin/appkeys"
    assert (await farm.get(f"{path}?all=true", farm.viewer_key)).status_code == 403
    assert (await farm.get(f"{path}?app=x&user=admin", farm.viewer_key)).status_code == 403
    body = {"command": "generate", "app": "x", "user": "guest"}
    made = await farm.post(path, json=body)
    assert made.json()["user_id"] == "guest"
    theirs = {"app_id": "x", "user_id": "guest"}
    assert theirs not in (await farm.get(path)).json()["keys"]
    assert theirs in (await farm.get(f"{path}?all=true")).json()["keys"]
    assert (await farm.get(f"{path}?app=X&user=guest")).json()["key"]["user_id"] == "guest"
    assert (await farm.get("/api/connection", made.json()["api_key"])).status_code == 200
    headers = {"X-Api-Key": farm.viewer_key}
    answer = await farm.http.post(path, json={**body, "user": "admin"}, headers=headers)
    assert answer.status_code == 403
