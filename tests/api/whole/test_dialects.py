"""One `/api`, two dialects: which path is whose, and how each says no (DESIGN 7, v1 1.5)."""

from typing import Any

import httpx
import pytest

from api.errors import Problem
from api.octoprint.face import ROOT_AREAS, refusal_of
from api.v1 import problem_answer
from schemas.problems import PROBLEMS
from tests.api.whole.conftest import BASE, Whole

pytestmark = pytest.mark.asyncio(loop_scope="session")


def is_v1(answer: httpx.Response) -> bool:
    """Whether the refusal is in v1's form."""
    found = answer.json()
    return "detail" in found and isinstance(found.get("error"), dict)


def is_octoprint(answer: httpx.Response) -> bool:
    """Whether the refusal is in OctoPrint's form."""
    found = answer.json()
    return set(found) == {"error"} and isinstance(found["error"], str)


def v1_areas(whole: Whole) -> set[str]:
    """The first words of v1's paths."""
    return {route.path.split("/")[1] for route in whole.application.v1.declared}


async def test_the_dialects_share_these_areas_and_no_others(whole: Whole) -> None:
    """A new room of v1 that takes a word of OctoPrint's must be thought about.

    Below `settings` v1 has two longer paths of its own, below `files` one that begins with a
    number, which no origin of OctoPrint's is; every other one is OctoPrint's.
    """
    assert v1_areas(whole) & ROOT_AREAS == {"files", "settings", "setup", "version"}
    below = {route.path for route in whole.application.v1.declared}
    assert {path for path in below if path.startswith("/files")} == {
        "/files/<int:file_id>/preview-model"
    }


@pytest.mark.parametrize("area", sorted(ROOT_AREAS))
async def test_unmatched_below_an_octoprint_area_is_octoprints(whole: Whole, area: str) -> None:
    """404 {"error"} at the server's root, and below every printer's address."""
    for root in ("", "/octoprint/alpha"):
        path = f"{root}/api/{area}/no/such/thing/at/all"
        answer = await whole.ask("nobody", "PUT", path)
        assert answer.status_code in (404, 405), path
        assert is_octoprint(answer), (path, answer.text)


async def test_unmatched_elsewhere_below_api_has_the_words_of_both(whole: Whole) -> None:
    """404 with `detail` and `error`; below /api/v1 it is v1's alone."""
    for area in sorted((v1_areas(whole) - ROOT_AREAS) | {"nothing"}):
        both = await whole.ask("nobody", "GET", f"/api/{area}/no/such/thing/at/all")
        assert both.status_code == 404, area
        assert {"detail", "error"} <= set(both.json()), area
        only = await whole.ask("nobody", "GET", f"/api/v1/{area}/no/such/thing/at/all")
        assert (only.status_code, is_v1(only)) == (404, True), area


async def test_every_path_below_api_answers_in_its_own_dialect(whole: Whole) -> None:
    """Without a credential: 401 in v1's form, or 403 in OctoPrint's; never a mixture."""
    mine = {f"/api{route.path}" for route in whole.application.v1.declared if not route.public}
    theirs = {route.path for route in whole.application.octoprint.routes if route.visits}
    assert mine & theirs == set()
    for rule in whole.application.quart.url_map.iter_rules():
        method = next(iter((rule.methods or set()) - {"HEAD", "OPTIONS"}), "")
        if not method or rule.rule not in mine | theirs or rule.rule == "/api/version":
            continue
        path = rule.rule
        for name in rule.arguments:
            for kind in ("", "int:", "path:"):
                path = path.replace(f"<{kind}{name}>", "1")
        answer = await whole.ask("nobody", method, path)
        if rule.rule in mine:
            assert (answer.status_code, is_v1(answer)) == (401, True), (method, path)
        elif answer.headers["Content-Type"] == "application/json":
            assert (answer.status_code, is_octoprint(answer)) == (403, True), (method, path)


async def test_version_at_the_root_speaks_both(whole: Whole) -> None:
    """200 without a credential and with any valid one, 403 with a wrong one (DESIGN 7)."""
    for who in ("nobody", "viewer", "bound"):
        answer = await whole.ask(who, "GET", "/api/version")
        assert answer.status_code == 200, who
        assert {"version", "api", "server", "text"} <= set(answer.json())
        assert answer.json()["text"].startswith("OctoPrint")
    for refused in (
        await whole.ask("stranger", "GET", "/api/version"),
        await whole.ask("nobody", "GET", "/api/version?apikey=wrong"),
        await whole.ask("nobody", "GET", "/api/version", headers={"Authorization": "Bearer x"}),
    ):
        assert refused.status_code == 403
        assert {"detail", "error"} <= set(refused.json())


async def test_users_are_whose_credential_it_is(whole: Whole) -> None:
    """`odin_` token or none: v1's; a key of the OctoPrint face: sent on to its own (DESIGN 7)."""
    assert (await whole.ask("admin", "GET", "/api/users")).status_code == 200
    none = await whole.ask("nobody", "GET", "/api/users")
    assert (none.status_code, is_v1(none)) == (401, True)
    sent_on = await whole.ask("bound", "GET", "/api/users")
    assert sent_on.status_code == 307
    assert sent_on.headers["Location"].endswith("/api/access/users")
    transport = httpx.ASGITransport(app=whole.application, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as browser:
        person = {"username": "admin", "password": "Correct-horse-7"}
        login = await browser.post("/api/v1/auth/login", json=person)
        assert login.status_code == 200, login.text
        assert (await browser.get("/api/users")).status_code == 200


@pytest.mark.parametrize("code", sorted(PROBLEMS))
async def test_every_problem_has_its_form_in_both_dialects(whole: Whole, code: str) -> None:
    """One table: v1 {"detail", "error": {code, detail, retriable}}, OctoPrint {"error"}."""
    problem = Problem("what happened", code=code, fact=7)
    async with whole.application.quart.test_request_context("/api/job"):
        v1, octoprint = problem_answer(problem), refusal_of(problem)
        said: Any = await v1.get_json()
        assert said["detail"] == "what happened"
        assert said["error"] == {
            **{"code": code, "detail": "what happened", "fact": 7},
            "retriable": PROBLEMS[code].retriable,
        }
        assert v1.status_code == PROBLEMS[code].v1_status
        assert octoprint.status_code == PROBLEMS[code].octoprint_status
        assert await octoprint.get_json() == {"error": "what happened"}
        for answer in (v1, octoprint):
            assert ("Retry-After" in answer.headers) == PROBLEMS[code].retriable


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
async def test_v1_reads_json_as_windows_scripts_write_it(whole: Whole, encoding: str) -> None:
    """PowerShell and .NET put a byte order mark in front, or write UTF-16."""
    headers = {"Content-Type": "application/json; charset=utf-8"}
    body = '{"name": "Bär"}'.encode(encoding)
    answer = await whole.ask("admin", "POST", "/api/v1/products", content=body, headers=headers)
    assert (answer.status_code, answer.json()["name"]) == (200, "Bär")


async def test_v1_says_that_half_a_character_is_no_json(whole: Whole) -> None:
    """And keeps what it was sent out of its own troubles."""
    answer = await whole.ask("admin", "POST", "/api/v1/products", content=b"\xff\xfe{")
    assert (answer.status_code, answer.json()["detail"][0]["type"]) == (422, "json_invalid")
