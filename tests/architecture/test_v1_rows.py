"""Every row of the v1 contract is served, with its fields, and some test asks it.

`tests/data/v1/routes.txt` has a line a row: method, path, status, `@role`, `?names` of the query,
`<Body` and `>Answer`; `schemas.txt` the fields of the contract's named bodies and answers, `*` for
what is required. Names only: what they mean is said by the tests that ask them.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from api.app import Application
from api.config import Settings
from api.spec.document import openapi
from tests.api.whole.test_roles import RANK, V1

TESTS = Path(__file__).parents[1]
DATA = TESTS / "data" / "v1"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
#: They ask every route the same; what a row promises is asked elsewhere.
MATRICES = {"test_roles.py", "test_scopes.py"}

#: Decided otherwise. A browser is sent on with 302; a secret never stands in an address; what a
#: printer reports is its own word and is passed over when it is made (as the contract says, too).
LEADS_ON = {"/auth/oidc/login", "/auth/oidc/callback"}
NOT_IN_AN_ADDRESS = {"token"}
REPORTED = """bed_temp bed_target_temp nozzle_temp nozzle_target_temp gcode_state print_stage
    hms_errors lights_on fan_speed last_seen total_print_hours total_print_count
    hours_since_maintenance prints_since_maintenance last_error_code last_error_message
    last_error_at camera_discovered"""

#: More is asked than the contract does: every request needs a credential; the first hour and other
#: people's data are the admins', the address of all is a superadmin's.
STRICTER = {
    *("GET /users/{}/export", "POST /setup/printer", "POST /setup/complete"),
    *("POST /setup/network", "GET /permissions", "GET /printers/{}/unmatched-slots"),
    *("GET /printers/{}/ams/environment", "GET /printers/{}/ams/current", "GET /printers/{}/plug"),
    *("GET /printers/{}/plug/energy", "GET /printers/{}/plug/state", "GET /models/{}/cost"),
}
#: Less is: viewers may submit jobs, of a file too; an organization's admins read its own trail.
LAXER = {
    *("POST /models/{}/schedule", "POST /print-files/{}/schedule"),
    *("GET /audit-logs", "GET /export/audit-logs"),
}

Spec = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """A route of the contract. *path* has `{}` for every parameter."""

    method: str
    path: str
    status: str
    role: str
    query: tuple[str, ...] = field(default=())
    body: str = ""
    answer: str = ""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def rows() -> Iterator[Row]:
    """Those of the table."""
    for line in (DATA / "routes.txt").read_text("utf-8").splitlines():
        if line.startswith("#"):
            continue
        method, path, status, *rest = line.split()
        said = {each[0]: each[1:] for each in rest}
        query = tuple(filter(None, said.get("?", "").split("&")))
        path = re.sub(r"{\w+}", "{}", path)
        yield Row(method, path, status, said["@"], query, said.get("<", ""), said.get(">", ""))


def fields() -> dict[str, tuple[str, ...]]:
    """The fields of the named bodies and answers."""
    lines = (line.split() for line in (DATA / "schemas.txt").read_text("utf-8").splitlines())
    return {name: tuple(words) for name, *words in lines}


ROWS = tuple(rows())
FIELDS = fields()


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Spec:
    application = Application(Settings(data_dir=tmp_path_factory.mktemp("rows")))
    return openapi(application.v1.declared, "0")


def operation(spec: Spec, row: Row) -> Spec | None:
    """What the document says of *row*; None: it is not served."""
    for path, item in spec["paths"].items():
        if re.sub(r"{\w+}", "{}", path) == row.path and row.method.lower() in item:
            found: Spec = item[row.method.lower()]
            return found
    return None


def properties(spec: Spec, described: Spec) -> dict[str, bool]:
    """The names in a schema, and whether each is required."""
    name = described.get("$ref", "").rpartition("/")[2]
    if name:
        return properties(spec, spec["components"]["schemas"][name])
    found: dict[str, bool] = {}
    for way in ("anyOf", "allOf", "oneOf"):
        for each in described.get(way, ()):
            found |= properties(spec, each)
    if "items" in described:
        found |= properties(spec, described["items"])
    required = described.get("required", ())
    return found | {name: name in required for name in described.get("properties", ())}


def test_every_row_is_served(spec: Spec) -> None:
    """Method, path and status of all 342 rows are those of the running app's routes."""
    assert len(ROWS) == 342
    missing = [str(row) for row in ROWS if operation(spec, row) is None]
    assert missing == []
    for row in ROWS:
        told = (operation(spec, row) or {})["responses"]
        assert ("302" if row.path in LEADS_ON else row.status) in told, str(row)


def test_every_row_asks_for_its_role() -> None:
    """The least role of each row, as the matrix of roles tries it on the running farm."""
    tried = {
        f"{method} {re.sub(r'<[^>]+>', '{}', path)}": role for (method, path), role in V1.items()
    }
    ranks = {"public": -1, **RANK}
    differs = {str(row): ranks[tried[str(row)]] - ranks[row.role] for row in ROWS}
    assert {name for name, more in differs.items() if more > 0} == STRICTER
    assert {name for name, more in differs.items() if more < 0} == LAXER


def test_every_name_of_a_query_is_taken(spec: Spec) -> None:
    """The names that a row has in its query are in the document."""
    for row in ROWS:
        parameters = (operation(spec, row) or {}).get("parameters", ())
        told = {each["name"] for each in parameters if each["in"] == "query"}
        assert set(row.query) - told <= NOT_IN_AN_ADDRESS, str(row)


def test_every_field_of_a_body_is_taken_and_no_other_is_required(spec: Spec) -> None:
    """The contract's bodies are good enough for every route that they are sent to."""
    for row in ROWS:
        if row.body not in FIELDS:
            continue
        content = (operation(spec, row) or {})["requestBody"]["content"]
        ours = properties(spec, content["application/json"]["schema"])
        theirs = {name.rstrip("*") for name in FIELDS[row.body]}
        needed = {name[:-1] for name in FIELDS[row.body] if name.endswith("*")}
        assert theirs - ours.keys() - set(REPORTED.split()) == set(), str(row)
        assert {name for name, is_required in ours.items() if is_required} <= needed, str(row)


def test_every_field_of_an_answer_is_there(spec: Spec) -> None:
    """The contract's typed answers, an array where it has one."""
    for row in ROWS:
        name = row.answer.removesuffix("[]")
        if name not in FIELDS:
            continue
        content = (operation(spec, row) or {})["responses"][row.status]["content"]
        schema = content["application/json"]["schema"]
        ours = properties(spec, schema)
        assert {each.rstrip("*") for each in FIELDS[name]} - ours.keys() == set(), str(row)
        assert (schema.get("type") == "array") == row.answer.endswith("[]"), str(row)


@cache
def asked() -> frozenset[tuple[str, str]]:
    """(method, path) of what tests ask: both stand in one function, or in one table of rows."""
    found: set[tuple[str, str]] = set()
    for path in (each for where in ("api", "flows") for each in (TESTS / where).rglob("test_*.py")):
        if path.name not in MATRICES:
            found |= in_module(ast.parse(path.read_text("utf-8")))
    return frozenset(found)


def in_module(tree: ast.Module) -> set[tuple[str, str]]:
    """Those of one module; names of its own constants stand for their texts."""
    constants: dict[str, set[str]] = {}
    found: set[tuple[str, str]] = set()
    for statement in tree.body:
        texts, names = words(statement)
        for name in names:
            texts |= constants.get(name, set())
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            constants[statement.targets[0].id] = texts
        methods = [each for each in METHODS if each in texts or each.lower() in names]
        for text in texts:
            method, _, path = text.partition(" ")
            if method in METHODS and path.startswith("/"):
                found.add((method, plain(path)))
            elif text.startswith(("/", "{}")):
                found |= {(each, plain(text)) for each in methods}
    return found


def words(statement: ast.stmt) -> tuple[set[str], set[str]]:
    """(the texts in it, with `{}` for what is filled in; the names and attributes in it)."""
    texts, names = set(), set()
    for node in ast.walk(statement):
        if isinstance(node, ast.JoinedStr):
            parts = (
                str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values
            )
            texts.add("".join(parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts.add(node.value)
        elif isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Attribute):
            names.add(node.attr)
    return texts, names


def plain(path: str) -> str:
    """*path* without its base and its query."""
    path = path.removeprefix("{}").partition("?")[0]
    for prefix in ("/api/v1/", "/api/"):
        if path.startswith(prefix):
            return path[len(prefix) - 1 :]
    return path


def test_every_row_is_asked_by_a_test() -> None:
    """Besides the matrices of roles and scopes, which ask every route without looking closely."""
    unasked = []
    for row in ROWS:
        pattern = re.compile(re.escape(row.path).replace(r"\{\}", "[^/]+"))
        if not any(row.method == method and pattern.fullmatch(path) for method, path in asked()):
            unasked.append(str(row))
    assert unasked == []
