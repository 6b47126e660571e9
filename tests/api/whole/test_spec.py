"""The served specification: valid, whole, and what the running farm really answers."""

import re
from typing import Any

import httpx
import jsonschema  # type: ignore[import-untyped]
import pytest
import pytest_asyncio
from openapi_spec_validator import OpenAPIV31SpecValidator

from api.spec.routes import SPEC_PATHS
from tests.api.whole.conftest import GCODE, Whole

pytestmark = pytest.mark.asyncio(loop_scope="session")

Spec = dict[str, Any]


@pytest_asyncio.fixture(loop_scope="session")
async def spec(whole: Whole) -> Spec:
    answer = await whole.ask("nobody", "GET", "/api/v1/openapi.json")
    assert answer.status_code == 200, answer.text
    found: Spec = answer.json()
    return found


def operations(spec: Spec) -> list[tuple[str, str, Spec]]:
    """(METHOD, path, operation) of the whole document."""
    return [
        (method.upper(), path, operation)
        for path, item in spec["paths"].items()
        for method, operation in item.items()
    ]


def resolved(spec: Spec, part: Spec) -> Spec:
    """*part*, or what it refers to."""
    while "$ref" in part:
        found = spec
        for name in part["$ref"].removeprefix("#/").split("/"):
            found = found[name]
        part = found
    return part


def filled(path: str, ids: dict[str, str]) -> str:
    """*path* with *ids* in it; an id of nothing where there is none."""
    return re.sub(r"{(\w+)}", lambda match: ids.get(match[1], "987654"), path)


def held(spec: Spec, method: str, path: str, answer: httpx.Response) -> int:
    """The status of *answer*; fails unless the document promises such a one for this route."""
    operation = spec["paths"][path][method.lower()]
    promised = operation["responses"].get(str(answer.status_code))
    assert promised is not None, (method, path, answer.status_code, answer.text)
    content = resolved(spec, promised).get("content")
    if not content:
        assert answer.content == b"", (method, path)
        return answer.status_code
    media = answer.headers["Content-Type"].partition(";")[0]
    assert media in content, (method, path, media)
    if media == "application/json":
        schema = {**content[media]["schema"], "components": spec["components"]}
        try:
            jsonschema.Draft202012Validator(schema).validate(answer.json())
        except jsonschema.ValidationError as error:
            where = "/".join(map(str, error.absolute_path))
            pytest.fail(f"{method} {path}: {where}: {error.message}")
    return answer.status_code


async def test_a_spec_that_is_valid_openapi_3_1(spec: Spec) -> None:
    """Valid OpenAPI 3.1, by openapi-spec-validator."""
    assert spec["openapi"] == "3.1.0"
    OpenAPIV31SpecValidator(spec).validate()


async def test_every_route_is_in_it_and_says_what_it_is(whole: Whole, spec: Spec) -> None:
    """All that are declared; every operation has its own id, a sentence and a room's tag."""
    found = operations(spec)
    assert len(found) == len(whole.application.v1.declared)
    assert len({one["operationId"] for _, _, one in found}) == len(found)
    tags = {tag["name"] for tag in spec["tags"]}
    assert all(set(one["tags"]) <= tags for _, _, one in found)


async def test_it_says_who_may_ask(whole: Whole, spec: Spec) -> None:
    """Cookie, Bearer or X-API-Key on every route, and no lock on the public ones (v1 1.1)."""
    schemes = spec["components"]["securitySchemes"]
    assert {(one["type"], one.get("name")) for one in schemes.values()} == {
        *(("apiKey", "session"), ("http", None), ("apiKey", "X-API-Key"))
    }
    assert spec["security"] == [{name: []} for name in schemes]
    for method, path, operation in operations(spec):
        if operation.get("security") != []:
            assert "not_authenticated" in operation["responses"]["401"]["$ref"], (method, path)
    public = [path for _, path, one in operations(spec) if one.get("security") == []]
    assert {"/version", "/auth/login", "/health"} <= set(public)


async def test_it_is_served_at_its_addresses_to_everybody(whole: Whole) -> None:
    """The same bytes at the root and below both bases; a client that has them gets 304."""
    answers = [await whole.ask("nobody", "GET", path) for path in SPEC_PATHS]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    etag = {"If-None-Match": answers[0].headers["ETag"]}
    again = await whole.ask("nobody", "GET", SPEC_PATHS[0], headers=etag)
    assert (again.status_code, again.content) == (304, b"")


async def test_what_is_read_is_what_the_document_says(whole: Whole, spec: Spec) -> None:
    """Every GET route's real answer, to an admin and to nobody, against its schema."""
    for method, path, one in operations(spec):
        if method == "GET":
            target = f"/api/v1{filled(path, whole.ids)}"
            for who in ("admin", "nobody", "viewer"):
                status = held(spec, method, path, await whole.ask(who, method, target))
                assert status < 500, (who, path)
                assert (status == 401) == (who == "nobody" and one.get("security") != []), path


async def test_what_is_not_there_is_what_the_document_says(whole: Whole, spec: Spec) -> None:
    """404 with the promised codes on every route with an id."""
    for method, path, _ in operations(spec):
        if "_id}" in path:
            given: dict[str, Any] = {} if method in ("GET", "DELETE") else {"json": {}}
            answer = await whole.ask("admin", method, f"/api/v1{filled(path, {})}", **given)
            assert held(spec, method, path, answer) in (400, 403, 404, 422), (method, path)


#: (method, path, body) of what makes and changes things, in an order that works.
WRITES: tuple[tuple[str, str, Any], ...] = (
    ("POST", "/printers", {"name": "Documented", "tags": ["spec"]}),
    ("PATCH", "/printers/{printer_id}", {"nickname": "Al"}),
    ("POST", "/jobs", {"item_name": "documented", "hold": True}),
    ("PATCH", "/jobs/{job_id}", {"notes": "seen"}),
    ("POST", "/models", {"name": "documented"}),
    ("POST", "/tokens", {"name": "documented"}),
    ("POST", "/users", {"username": "doc", "email": "d@e.example", "password": "Correct-horse-7"}),
    ("POST", "/bridges/enrolment-tokens", {"name": "documented"}),
    ("POST", "/printers/{printer_id}/octoprint-key", {"name": "documented"}),
    ("POST", "/printers/{printer_id}/plate-cleared", None),
    ("POST", "/printers/{printer_id}/queue/hold", None),
    ("POST", "/printers/{printer_id}/queue/release", None),
    ("POST", "/printers/{printer_id}/pause", None),
    ("POST", "/printers/{printer_id}/resume", None),
    ("POST", "/printers/{printer_id}/stop", None),
    ("POST", "/jobs/{job_id}/cancel", {}),
    ("POST", "/jobs/{job_id}/reset", None),
    ("POST", "/jobs/{job_id}/repeat", None),
    ("POST", "/jobs", {"quantity": "many"}),
)


async def test_what_is_made_and_changed_is_what_the_document_says(whole: Whole, spec: Spec) -> None:
    """Real answers of what creates, changes and controls, refusals included."""
    made = (await whole.ask("admin", "POST", "/api/v1/printers", json={"name": "Spec"})).json()
    job = {"item_name": "spec", "hold": True}
    ids = {
        "printer_id": str(made["id"]),
        "job_id": str((await whole.ask("admin", "POST", "/api/v1/jobs", json=job)).json()["id"]),
    }
    for method, path, body in WRITES:
        given = {} if body is None else {"json": body}
        answer = await whole.ask("admin", method, f"/api/v1{filled(path, ids)}", **given)
        assert held(spec, method, path, answer) != 500, (method, path)


async def test_an_uploads_answer_is_what_the_document_says(whole: Whole, spec: Spec) -> None:
    """A form with a file, and one without."""
    path = "/print-files/upload"
    whole_form = {"file": ("documented.gcode", GCODE + b"; spec\n")}
    for files, status in ((whole_form, 200), ({"other": ("x.gcode", b"")}, 400)):
        answer = await whole.ask("admin", "POST", f"/api/v1{path}", files=files)
        assert held(spec, "POST", path, answer) == status
