"""The OpenAPI 3.1 document of v1, made of the routes as they were declared. Pure.

A route says what it is in its `Doc`; what follows from the rest (credentials, rights, ids in the
path, bodies) is added here, so that no room repeats it.
"""

import re
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from api.describe import PAGING, TEXT_LENGTH, Doc, Query
from api.http import MAX_ID
from api.spec.errors import INVALID, PROBLEM, Refusals
from api.spec.text import DESCRIPTION, FROM_ZERO, PATH_PARAMETERS
from api.spec.units import say_units
from api.v1 import SESSION_COOKIE, V1Route

_PARAMETER = re.compile(r"<(?:(\w+):)?(\w+)>")
_JSON = "application/json"
_REF = "#/components/schemas/{model}"

SECURITY_SCHEMES = {
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": SESSION_COOKIE,
        "description": "Set by `POST /auth/login`. In a browser: log in there, nothing to enter.",
    },
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API token (`odin_…`) or the `access_token` of a login",
    },
    "key": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "An API token (`odin_…`)",
    },
}


class _Schema(GenerateJsonSchema):
    """Pydantic's schemas without a title for every field: the name says it."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def openapi(routes: Sequence[V1Route], version: str) -> dict[str, Any]:
    """The document of *routes*."""
    types = _Types()
    refusals = Refusals()
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        operation = _operation(route, types, refusals)
        paths.setdefault(_templated(route.path), {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Gantry",
            "version": version,
            "summary": "A print farm for 3D printers on USB cables",
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [
            {"url": "/api/v1", "description": "this server"},
            {"url": "/api", "description": "the same routes by their shorter name"},
        ],
        "security": [{name: []} for name in SECURITY_SCHEMES],
        "tags": _tags(routes),
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": {"Problem": PROBLEM, "Invalid": INVALID, **types.definitions()},
            "responses": dict(sorted(refusals.components.items())),
            "headers": _HEADERS,
            "securitySchemes": SECURITY_SCHEMES,
        },
    }


_HEADERS = {
    "X-Total-Count": {
        "description": "Rows there are, whatever part of them was asked for",
        "schema": {"type": "integer", "minimum": 0},
    },
    "Retry-After": {
        "description": "When to try again, in seconds",
        "schema": {"type": "integer", "minimum": 0},
    },
}


class _Types:
    """Types that the document names; described together, so that equal names stay apart.

    `schema()` hands out a dict that `definitions()` fills.
    """

    def __init__(self) -> None:
        self._wanted: list[tuple[Any, dict[str, Any]]] = []

    def schema(self, described: Any) -> dict[str, Any]:
        """The schema of *described*, empty until `definitions()`."""
        place: dict[str, Any] = {}
        self._wanted.append((described, place))
        return place

    def definitions(self) -> dict[str, Any]:
        """The components that the schemas refer to."""
        found, whole = TypeAdapter.json_schemas(
            [
                (number, "validation", TypeAdapter(described))
                for number, (described, _) in enumerate(self._wanted)
            ],
            ref_template=_REF,
            schema_generator=_Schema,
        )
        for number, (_, place) in enumerate(self._wanted):
            place.update(found[(number, "validation")])
        definitions: dict[str, Any] = whole.get("$defs", {})
        say_units(definitions)
        return definitions


def _operation(route: V1Route, types: _Types, refusals: Refusals) -> dict[str, Any]:
    doc = route.doc
    operation: dict[str, Any] = {
        "operationId": _operation_id(route),
        "tags": [route.room],
        "summary": doc.summary,
    }
    if text := _description(doc):
        operation["description"] = text
    if route.public:
        operation["security"] = []
    queries = (*doc.query, *(PAGING if doc.paged else ()))
    parameters = [*_path_parameters(route.path), *(_query(one, types) for one in queries)]
    if parameters:
        operation["parameters"] = parameters
    if body := _body(doc, types):
        operation["requestBody"] = body
    others = {
        str(status): {"description": "see the summary", "content": _content(_JSON, given, types)}
        for status, given in doc.others.items()
    }
    operation["responses"] = {
        str(doc.status): _success(doc, types),
        **refusals.of(route, doc),
        **others,
    }
    return operation


def _operation_id(route: V1Route) -> str:
    """`get_printers_by_printer_id_ports`: unique, because method and path are."""
    words = _PARAMETER.sub(r"by_\2", route.path).strip("/")
    return f"{route.method.lower()}_{re.sub(r'[^a-z0-9]+', '_', words.lower())}"


def _description(doc: Doc) -> str:
    right = f"Needs the right `{doc.right}`." if doc.right else ""
    dry = "`X-Dry-Run: true` answers 200 with what it would do." if doc.dry_run else ""
    return "\n\n".join(part for part in (doc.description, right, dry) if part)


def _templated(path: str) -> str:
    return _PARAMETER.sub(r"{\2}", path)


def _path_parameters(path: str) -> list[dict[str, Any]]:
    found = []
    for kind, name in _PARAMETER.findall(path):
        schema: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": TEXT_LENGTH}
        if kind == "int":
            least = 0 if name in FROM_ZERO else 1
            schema = {"type": "integer", "minimum": least, "maximum": MAX_ID}
        parameter = {"name": name, "in": "path", "required": True, "schema": schema}
        found.append({**parameter, "description": PATH_PARAMETERS.get(name, _said(name))})
    return found


def _said(name: str) -> str:
    """`printer_id` in words."""
    what = name.removesuffix("_id").replace("_", " ")
    return f"The id of the {what}" if name.endswith("_id") else f"The {what}"


def _query(query: Query, types: _Types) -> dict[str, Any]:
    return {
        "name": query.name,
        "in": "query",
        "required": query.required,
        "description": query.description,
        "schema": types.schema(query.type),
    }


def _body(doc: Doc, types: _Types) -> dict[str, Any] | None:
    content: dict[str, Any] = {}
    required = doc.form is not None
    if doc.body is not None:
        content |= _content(_JSON, doc.body, types)
        fields = getattr(doc.body, "model_fields", None)  # a list of bodies has none of its own
        required = fields is None or any(one.is_required() for one in fields.values())
    for media, schema in (doc.form or {}).items():
        content[media] = {"schema": schema}
    return {"required": required, "content": content} if content else None


def _success(doc: Doc, types: _Types) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": "Done" if doc.status == 204 else doc.summary}
    if doc.answer is not None:
        answer["content"] = _content(doc.media, doc.answer, types)
    elif doc.media != _JSON:
        answer["content"] = {doc.media: {"schema": {"type": "string"}}}
    if doc.paged:
        answer["headers"] = {"X-Total-Count": {"$ref": "#/components/headers/X-Total-Count"}}
    return answer


def _content(media: str, described: Any, types: _Types) -> dict[str, Any]:
    return {media: {"schema": types.schema(described)}}


def _tags(routes: Iterable[V1Route]) -> list[dict[str, str]]:
    """One tag a room, in the words of its package."""
    rooms = sorted({route.room for route in routes})
    return [
        {"name": room, "description": (sys.modules[f"api.{room}"].__doc__ or room).strip()}
        for room in rooms
    ]
