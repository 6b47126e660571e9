"""How v1's refusals look in the specification: made of the one table of problems.

Answers of the same status and codes are one component that routes refer to (v1 contract, 1.5).
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from api.describe import Doc
from api.v1 import V1Route
from schemas.problems import PROBLEMS

_ID = re.compile(r"<int:(\w+)_id>")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_ANYWHERE = frozenset({"validation_failed", "internal_error", "storage_unavailable"})

PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "A refusal. `error` may carry more facts, by name.",
    "required": ["detail", "error"],
    "properties": {
        "detail": {"type": "string", "description": "What happened and what to do, for a person"},
        "error": {
            "type": "object",
            "required": ["code", "detail", "retriable"],
            "properties": {
                "code": {"type": "string", "enum": sorted(PROBLEMS)},
                "detail": {"type": "string"},
                "retriable": {
                    "type": "boolean",
                    "description": "Whether the same call may succeed later",
                },
            },
        },
    },
}

INVALID: dict[str, Any] = {
    "type": "object",
    "description": "The request does not fit: one entry for each thing that is wrong.",
    "required": ["detail", "error"],
    "properties": {
        "detail": {
            "type": ["array", "string"],
            "description": "A sentence where the whole does not fit, though each part does",
            "items": {
                "type": "object",
                "required": ["type", "loc", "msg", "input"],
                "properties": {
                    "type": {"type": "string", "description": "The kind of mistake"},
                    "loc": {
                        "type": "array",
                        "description": "Where: `body` or `query`, then the names down to it",
                        "items": {"type": ["string", "integer"]},
                    },
                    "msg": {"type": "string", "description": "What was expected, for a person"},
                    "input": {"description": "What came instead, shortened"},
                },
            },
        },
        "error": {"$ref": "#/components/schemas/Problem/properties/error"},
    },
}


class Refusals:
    """The error answers of all routes; `components` gathers those that were referred to."""

    def __init__(self) -> None:
        self.components: dict[str, Any] = {}

    def of(self, route: V1Route, doc: Doc) -> dict[str, Any]:
        """The error answers of *route* by status."""
        by_status = defaultdict(list)
        for code in sorted(codes_of(route, doc)):
            by_status[PROBLEMS[code].v1_status].append(code)
        return {str(status): self._refer(status, codes) for status, codes in by_status.items()}

    def _refer(self, status: int, codes: list[str]) -> dict[str, str]:
        name = ".".join([str(status), *codes])
        self.components.setdefault(name, _answer(status, codes))
        return {"$ref": f"#/components/responses/{name}"}


def codes_of(route: V1Route, doc: Doc) -> set[str]:
    """Every code of the table that *route* may answer."""
    codes = {*_ANYWHERE, *doc.problems}
    if not route.public:
        codes.add("not_authenticated")
    if doc.right is not None:
        codes |= {"permission_denied", "scope_denied"}
    if "<" in route.path:
        missing = {f"{name}_not_found" for name in _ID.findall(route.path)}
        codes |= {"not_found", *(missing & PROBLEMS.keys())}
    if route.method not in _SAFE:
        codes.add("csrf_failed")
        if not doc.dry_run:
            codes.add("dry_run_unsupported")
        if not route.public:
            codes |= {code for code in PROBLEMS if code.startswith("idempotency_")}
    if doc.body is not None or doc.form is not None:
        codes.add("too_large")
    return codes


def _answer(status: int, codes: list[str]) -> dict[str, Any]:
    names = ", ".join(f"`{code}`" for code in codes)
    answer: dict[str, Any] = {
        "description": f"{HTTPStatus(status).phrase}: {names}",
        "content": {"application/json": {"schema": _schema(codes)}},
    }
    if all(PROBLEMS[code].retriable for code in codes):
        answer["headers"] = {"Retry-After": {"$ref": "#/components/headers/Retry-After"}}
    return answer


def _schema(codes: Iterable[str]) -> dict[str, Any]:
    plain = [code for code in codes if code != "validation_failed"]
    choices: list[dict[str, Any]] = []
    if plain:
        error = {"properties": {"code": {"enum": plain}}}
        only = {"properties": {"error": error}}
        choices.append({"allOf": [{"$ref": "#/components/schemas/Problem"}, only]})
    if len(plain) != len(list(codes)):
        choices.append({"$ref": "#/components/schemas/Invalid"})
    return choices[0] if len(choices) == 1 else {"anyOf": choices}
