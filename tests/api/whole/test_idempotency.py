"""Idempotency-Key (v1 1.6, safety S72): carried out once, answered again, never for another."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from tortoise.exceptions import DBConnectionError

from api.accounts.models import User
from api.idempotency.models import Claim
from api.idempotency.service import Idempotency
from api.jobs.models import Job
from api.principal import Role
from tests.api.whole.conftest import GCODE, Whole

pytestmark = pytest.mark.asyncio(loop_scope="session")

REPLAY = "X-Idempotent-Replay"


async def post(
    whole: Whole, key: str, body: Any, who: str = "admin", path: str = "/jobs", **headers: str
) -> httpx.Response:
    """A request with *key*."""
    given = {"Idempotency-Key": key, **headers}
    return await whole.ask(who, "POST", f"/api/v1{path}", headers=given, json=body)


def code(answer: httpx.Response) -> str:
    found: str = answer.json()["error"]["code"]
    return found


async def jobs_named(name: str) -> int:
    return await Job.filter(item_name=name).count()


async def test_a_repeated_call_is_answered_again(whole: Whole) -> None:
    """Same status and body and the header; the order of keys in the body does not matter."""
    key = str(uuid4())
    first = await post(whole, key, {"item_name": "once", "priority": 2})
    again = await post(whole, key, {"priority": 2, "item_name": "once"})
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert (first.headers.get(REPLAY), again.headers.get(REPLAY)) == (None, "true")
    assert await jobs_named("once") == 1


async def test_an_empty_answer_is_replayed_too(whole: Whole) -> None:
    """204 stays 204, and no 404 for what the first call deleted."""
    job = (await post(whole, str(uuid4()), {"item_name": "gone"})).json()["id"]
    headers = {"Idempotency-Key": str(uuid4())}
    path = f"/api/v1/jobs/{job}"
    first = await whole.ask("admin", "DELETE", path, headers=headers)
    again = await whole.ask("admin", "DELETE", path, headers=headers)
    assert (first.status_code, again.status_code) == (204, 204)
    assert (again.headers.get(REPLAY), again.content) == ("true", b"")


async def test_a_key_is_for_one_request(whole: Whole) -> None:
    """409 idempotency_conflict for another body, query, path or method."""
    key = str(uuid4())
    await post(whole, key, {"item_name": "mine"})
    assert code(await post(whole, key, {"item_name": "other"})) == "idempotency_conflict"
    assert code(await post(whole, key, {"item_name": "mine"}, path="/jobs?x=1")) == (
        "idempotency_conflict"
    )
    answer = await whole.ask(
        *("admin", "POST", "/api/jobs"),
        headers={"Idempotency-Key": key},
        json={"item_name": "mine"},
    )
    assert (answer.status_code, code(answer)) == (409, "idempotency_conflict")


async def test_a_dry_run_never_answers_for_the_real_call(whole: Whole) -> None:
    """The header is part of what the request is (ours; O.D.I.N. 1.9.3 replays the preview)."""
    key = str(uuid4())
    dry = await post(whole, key, {"item_name": "real"}, **{"X-Dry-Run": "true"})
    assert dry.json()["dry_run"] is True
    assert code(await post(whole, key, {"item_name": "real"})) == "idempotency_conflict"
    again = await post(whole, key, {"item_name": "real"}, **{"X-Dry-Run": "1"})
    assert (again.json(), again.headers[REPLAY]) == (dry.json(), "true")
    assert await jobs_named("real") == 0


async def test_keys_of_different_people_have_nothing_to_do_with_each_other(whole: Whole) -> None:
    """Same key, other user, other organization: each is carried out for its own."""
    key = str(uuid4())
    for who in ("admin", "operator", "foreigner"):
        answer = await post(whole, key, {"item_name": "shared key"}, who=who)
        assert (answer.status_code, answer.headers.get(REPLAY)) == (201, None), who
        job = answer.json()["id"]
    assert await jobs_named("shared key") == 3
    assert (await whole.ask("foreigner", "DELETE", f"/api/v1/jobs/{job}")).status_code == 204


async def test_what_is_refused_frees_the_key(whole: Whole) -> None:
    """After 404 and 422 the same key may carry out another request."""
    key = str(uuid4())
    assert (await post(whole, key, {"item_name": "x", "model_id": 987654})).status_code == 404
    assert (await post(whole, key, {"item_name": ""})).status_code == 422
    assert (await post(whole, key, {"item_name": "freed"})).status_code == 201


async def test_of_many_at_once_one_is_carried_out(whole: Whole) -> None:
    """20 in parallel: one job; the others get it again or are told that it is not done yet."""
    key = str(uuid4())
    answers = await asyncio.gather(
        *(post(whole, key, {"item_name": "parallel"}) for _ in range(20))
    )
    assert await jobs_named("parallel") == 1
    made = [answer for answer in answers if answer.status_code == 201]
    assert len({answer.content for answer in made}) == 1
    assert sum(answer.headers.get(REPLAY) is None for answer in made) == 1
    assert {code(answer) for answer in answers if answer.status_code != 201} <= {
        "idempotency_in_progress"
    }


@pytest.mark.parametrize("path", ["/printers/1/remote-stop", "/printers/fleet-stop"])
async def test_a_stop_does_not_need_its_key_kept(
    whole: Whole, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    """Safety M07: neither of one printer nor of all; everything else is refused."""

    async def away(*_: object) -> Claim:
        raise DBConnectionError("away")

    monkeypatch.setattr(Idempotency, "claim", away)
    stopped = await post(whole, "stop", {"printer_ids": []}, path=path)
    assert code(stopped) != "storage_unavailable" if stopped.is_error else stopped.json()["success"]
    refused = await post(whole, "job", {"item_name": "away"})
    assert (refused.status_code, code(refused)) == (503, "storage_unavailable")


async def test_what_may_be_done_must_still_be_the_same(whole: Whole) -> None:
    """409 idempotency_authz_changed after a change of role, and for a token of other scopes."""
    key = str(uuid4())
    assert (await post(whole, key, {"item_name": "rank"}, who="operator")).status_code == 201
    operator = await User.get(username="operator-1")
    made = await whole.ask(
        "operator", "POST", "/api/v1/tokens", json={"name": "less", "scopes": ["write:jobs"]}
    )
    whole.secrets["less"] = made.json()["token"]
    answer = await post(whole, key, {"item_name": "rank"}, who="less")
    assert (answer.status_code, code(answer)) == (409, "idempotency_authz_changed")
    path = f"/api/v1/users/{operator.id}"
    try:
        await whole.ask("admin", "PATCH", path, json={"role": Role.ADMIN})
        answer = await post(whole, key, {"item_name": "rank"}, who="operator")
        assert code(answer) == "idempotency_authz_changed"
    finally:
        await whole.ask("admin", "PATCH", path, json={"role": Role.OPERATOR})


async def test_secrets_and_cookies_are_never_kept(whole: Whole) -> None:
    """A new token is shown once: the second call is told so, and no row holds the secret."""
    for route, body, name in (
        ("/tokens", {"name": "secret"}, "token"),
        ("/printers/<int:printer_id>/octoprint-key", {"name": "secret"}, "api_key"),
        ("/bridges/enrolment-tokens", {}, "token"),
        ("/webhooks", {"url": "http://127.0.0.1:9/x", "alert_types": "job_rejected"}, "secret"),
    ):
        key, path = str(uuid4()), whole.path(route)
        first = await post(whole, key, body, path=path)
        assert first.is_success, first.text
        again = await post(whole, key, body, path=path)
        assert code(again) == "idempotency_uncacheable_success", path
        secret = first.json()[name]
        assert not [row for row in await Claim.all() if secret in row.body], path


async def test_keys_and_bodies_that_are_not_taken(whole: Whole) -> None:
    """422 for a key of 10 kB or none, 415 forms, 413 too long, 411 of no known length (S72)."""
    for key in ("k" * 10_000, ""):
        assert code(await post(whole, key, {"item_name": "x"})) == "validation_failed"
    headers = {"Idempotency-Key": "form"}
    files = {"file": ("x.gcode", GCODE)}
    path = "/api/v1/print-files/upload"
    answer = await whole.ask("admin", "POST", path, headers=headers, files=files)
    assert (answer.status_code, code(answer)) == (415, "idempotency_unsupported")

    async def chunks() -> Any:
        yield b"{}"

    path = "/api/v1/jobs"
    answer = await whole.ask("admin", "POST", path, headers=headers, content=chunks())
    assert (answer.status_code, code(answer)) == (411, "idempotency_unsupported")
    large = b" " * (1024 * 1024 + 1)
    answer = await whole.ask("admin", "POST", path, headers=headers, content=large)
    assert (answer.status_code, code(answer)) == (413, "idempotency_unsupported")


async def test_without_a_credential_the_key_is_ignored(whole: Whole) -> None:
    """401 as always, and a public route is not remembered."""
    answer = await post(whole, "nobody", {"item_name": "x"}, who="nobody")
    assert (answer.status_code, code(answer)) == (401, "not_authenticated")
    form = {"username": "nobody", "password": "x"}
    before = await Claim.all().count()
    assert (await post(whole, "login", form, who="nobody", path="/auth/login")).status_code == 401
    assert await Claim.all().count() == before


async def test_a_call_that_was_cut_off_is_not_carried_out_twice(whole: Whole) -> None:
    """A process that died after its commit: the job is there, so the key says so for a day, from
    when nobody can be at it any more; one that died before it is given up after 15 minutes.
    """
    key = str(uuid4())
    await post(whole, key, {"item_name": "cut"})
    claim = (await Claim.all().order_by("-id"))[0]
    await Claim.filter(id=claim.id).update(state="committed", body="", status=None)
    assert code(await post(whole, key, {"item_name": "cut"})) == "idempotency_in_progress"
    await Claim.filter(id=claim.id).update(state="running")
    assert code(await post(whole, key, {"item_name": "cut"})) == "idempotency_in_progress"
    long_ago = claim.claimed_at - timedelta(minutes=16)
    await Claim.filter(id=claim.id).update(state="committed", claimed_at=long_ago)
    answer = await post(whole, key, {"item_name": "cut"})
    assert code(answer) == "idempotency_uncacheable_success"
    await Claim.filter(id=claim.id).update(state="running")
    assert (await post(whole, key, {"item_name": "cut"})).status_code == 201
    await Claim.filter(state="kept").update(expires_at=claim.claimed_at - timedelta(seconds=1))
    answer = await post(whole, key, {"item_name": "cut"})
    assert (answer.status_code, answer.headers.get(REPLAY)) == (201, None)
