"""Every field that a request may have is limited, in the specification and in fact."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import TypeAdapter

from api.describe import PAGING
from tests.api.whole.conftest import Whole
from tests.api.whole.test_roles import BODIES

pytestmark = pytest.mark.asyncio(loop_scope="session")

#: What says how much a value may be, by its type in JSON schema; one of these is enough.
LIMITS = {
    "string": {"maxLength", "enum", "const", "format", "pattern"},
    "integer": {"maximum", "exclusiveMaximum", "enum", "const"},
    "number": {"maximum", "exclusiveMaximum", "enum", "const"},
    "array": {"maxItems"},
}


class Walk:
    """All places of a schema that have no limit."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._defs = schema.get("$defs", {})
        self._open: list[str] = []  # definitions that are being looked at: they may be recursive

    def unlimited(self, schema: dict[str, Any], path: str = "") -> Iterator[str]:
        name = schema.get("$ref", "").rpartition("/")[2]
        if name in self._open:
            return
        if name:
            self._open.append(name)
            yield from self.unlimited(self._defs[name], path)
            self._open.pop()
        for way in ("anyOf", "allOf", "oneOf"):
            for each in schema.get(way, []):
                yield from self.unlimited(each, path)
        kind = schema.get("type")
        if kind in LIMITS and not LIMITS[kind] & set(schema):
            yield f"{path} ({kind})"
        yield from self.unlimited(schema.get("items", {}), f"{path}[]") if kind == "array" else ()
        for field, each in schema.get("properties", {}).items():
            yield from self.unlimited(each, f"{path}.{field}")
        values = schema.get("additionalProperties")
        if isinstance(values, dict):
            named = {"maxProperties", "propertyNames"} & set(schema)
            yield from () if named else (f"{path} (map)",)
            yield from self.unlimited(values, f"{path}{{}}")


async def test_every_field_of_every_body_has_a_limit(whole: Whole) -> None:
    """Nothing is taken in any size: strings, numbers, lists and maps of all bodies (S74)."""
    found = {}
    for route in whole.application.v1.declared:
        if route.doc.body is not None:
            schema = TypeAdapter(route.doc.body).json_schema()
            if unlimited := [*Walk(schema).unlimited(schema)]:
                found[route.method, route.path] = unlimited
    assert found == {}


async def test_every_name_in_every_query_has_a_limit(whole: Whole) -> None:
    """Texts have a length and numbers a range, those of every page too (S74)."""
    found = []
    for route in whole.application.v1.declared:
        for query in (*route.doc.query, *(PAGING if route.doc.paged else ())):
            schema = TypeAdapter(query.type).json_schema()
            if [*Walk(schema).unlimited(schema)]:
                found.append((route.method, route.path, query.name))
    assert found == []


async def test_a_text_in_a_query_that_is_too_long_is_named(whole: Whole) -> None:
    """One character more than the specification says: 422 that names it, whatever else is asked."""
    before, tried = await whole.rows(), 0
    for route in whole.application.v1.declared:
        for query in route.doc.query:
            if query.longest is None:
                continue
            path = whole.path(f"/api/v1{route.path}")
            params = {query.name: "x" * (query.longest + 1)}
            answer = await whole.ask("admin", route.method, path, params=params)
            if answer.status_code == 403:
                continue  # a superadmin's
            assert answer.status_code == 422, (route.path, query.name, answer.text)
            (detail,) = answer.json()["detail"]
            assert detail["loc"] == ["query", query.name], route.path
            tried += 1
    assert tried > 20
    assert await whole.rows() == before


async def test_every_list_in_a_query_is_capped(whole: Whole) -> None:
    """limit=10⁹ is the largest page, a negative skip is a 422 that names it (S74)."""
    lists = [
        route.path
        for route in whole.application.v1.declared
        if route.doc.paged and "<" not in route.path
    ]
    assert len(lists) > 20
    for path in lists:
        answer = await whole.ask("admin", "GET", f"/api/v1{path}?limit=1000000000")
        assert answer.status_code in (200, 403), (path, answer.text)
        refused = await whole.ask("admin", "GET", f"/api/v1{path}?skip=-1")
        assert refused.status_code in (403, 422), (path, refused.text)
        if refused.status_code == 422:
            assert refused.json()["detail"][0]["loc"] == ["query", "skip"], path


@pytest.mark.parametrize(
    "route",
    [
        ("POST", "/jobs"),
        ("POST", "/printers"),
        ("POST", "/presets"),
        ("POST", "/spools"),
        ("POST", "/orders"),
        ("POST", "/maintenance/tasks"),
        ("POST", "/projects"),
    ],
)
async def test_a_name_that_is_too_long_is_named(whole: Whole, route: tuple[str, str]) -> None:
    """422 says which field, and what its limit is."""
    declared = {(each.method, each.path): each.doc.body for each in whole.application.v1.declared}
    schema = TypeAdapter(declared[route]).json_schema()
    before = await whole.rows()
    tried = 0
    for field, described in schema["properties"].items():
        ways = [described, *described.get("anyOf", [])]
        limit = next((way["maxLength"] for way in ways if "maxLength" in way), None)
        if limit is None:
            continue
        body = {**BODIES.get(route, {}), field: "x" * (limit + 1)}
        answer = await whole.ask("admin", route[0], f"/api/v1{route[1]}", json=body)
        assert answer.status_code == 422, (field, answer.text)
        assert any(field in each["loc"] for each in answer.json()["detail"]), field
        tried += 1
    assert tried
    assert await whole.rows() == before
