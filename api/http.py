"""Furniture of every HTTP face: answers, bodies, pages. No decisions live here."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from quart import Response, request

from api.describe import DIGITS

MAX_BODY_BYTES = 1024 * 1024
MAX_TEXT = 100_000  # characters of any one field of a body that says nothing else
DEFAULT_LIMIT = 50
MAX_LIMIT = 500
MAX_ID = 2**31 - 1  # of every row, on every database

_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")

B = TypeVar("B", bound=BaseModel)

#: The id of a row in a body: whatever no column can hold is refused here.
RowId = Annotated[int, Field(ge=1, le=MAX_ID)]


class Body(BaseModel):
    """A JSON request body. Unknown fields are ignored; NaN and infinities are refused."""

    model_config = ConfigDict(
        allow_inf_nan=False, extra="ignore", str_max_length=MAX_TEXT, defer_build=True
    )


class Unprocessable(Exception):
    """The body is not what the route takes; *errors* in the form of v1's 422 answer."""

    def __init__(self, errors: list[dict[str, Any]]) -> None:
        super().__init__("; ".join(map(_sentence, errors)))
        self.errors = errors


def _sentence(error: dict[str, Any]) -> str:
    place = ".".join(str(part) for part in error["loc"][1:]) or str(error["loc"][0])
    return f"{place}: {error['msg']}"


def json_answer(data: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """*data* as JSON. Bytes are taken as already encoded (the hot reads)."""
    body = data if isinstance(data, bytes) else orjson.dumps(data)
    return Response(body, status, headers, content_type="application/json")


async def json_body(model: type[B]) -> B:
    """The request's body as *model*; an absent body counts as ``{}``.

    Raises `Unprocessable` for what does not fit, JSON that is broken or nested too deep included.
    """
    if request.mimetype.startswith("multipart/"):  # its bytes come only to who reads them as such
        wanted = "This takes JSON: Content-Type: application/json"
        raise Unprocessable([_odd("content_type", "header", wanted, request.mimetype)])
    return parse_body(model, as_utf8(await request.get_data()))


def as_utf8(raw: bytes | str) -> bytes | str:
    """*raw* JSON in the one encoding that readers of it take, without a byte order mark:
    PowerShell and .NET send one, or UTF-16.
    """
    encoding = json.detect_encoding(raw) if isinstance(raw, bytes) else "utf-8"
    if isinstance(raw, str) or encoding == "utf-8":
        return raw
    try:
        return raw.decode(encoding).encode()
    except UnicodeDecodeError:
        return raw  # whoever reads it says so


def parse_body(model: type[B], raw: bytes | str) -> B:
    """*raw* JSON as *model*. Raises `Unprocessable`; no row can hold a NUL, so for that too, and
    for a name said twice and NaN in fields that the model passes over.
    """
    if _NUL.search(raw if isinstance(raw, bytes) else raw.encode("utf-8", "replace")):
        raise Unprocessable([_odd("string_nul", "body", "Text has no NUL characters", None)])
    try:
        parsed = model.model_validate_json(raw or b"{}")
    except ValidationError as error:
        raise Unprocessable(_errors(error)) from None
    if raw:
        _STRICT.decode(raw if isinstance(raw, str) else raw.decode())
    return parsed


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Raises `Unprocessable` for a name that an object has twice: which of the two counts is
    different for every reader, a proxy's or an auditor's among them.
    """
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Unprocessable([_odd("duplicate_name", ("body", _short(twice)), "Said twice", None)])
    return found


def _no_number(text: str) -> None:
    """Raises `Unprocessable`: NaN and infinities are no JSON, wherever they stand."""
    raise Unprocessable([_odd("finite_number", "body", "Input should be a finite number", text)])


#: Of what a model has taken already: it tells what models pass over, and reads no number.
_STRICT = json.JSONDecoder(
    object_pairs_hook=_each_once, parse_constant=_no_number, parse_int=str, parse_float=str
)


def _errors(error: ValidationError) -> list[dict[str, Any]]:
    found = error.errors(include_url=False, include_context=False)
    return [
        {
            "type": each["type"],
            "loc": ["body", *each["loc"]],
            "msg": each["msg"],
            "input": _short(each.get("input")),
        }
        for each in found[:20]
    ]


def _short(value: Any) -> Any:
    """The offending input as text that is safe to send back: never NaN, never long."""
    if value is None or isinstance(value, bool | int):
        return value if not isinstance(value, int) or abs(value) < 2**53 else str(value)
    return str(value)[:100]


def asks_nothing() -> bool:
    """Whether the request has no query: most have none, and taking one apart costs as much as a
    page that is in memory.
    """
    return not request.query_string


def paging() -> tuple[int, int]:
    """(skip, limit) from the query; `offset` is a synonym of `skip`. Raises `Unprocessable`."""
    if asks_nothing():
        return 0, DEFAULT_LIMIT
    skip = int_query("skip", int_query("offset", 0))
    limit = int_query("limit", DEFAULT_LIMIT)
    return skip, min(max(limit, 1), MAX_LIMIT)


def page_of(rows: Sequence[Any], *, is_whole: bool = False) -> Response:
    """The page of *rows* that the query asks for, and how many there are.

    *is_whole*: all of them when it names no `limit`. Raises `Unprocessable`.
    """
    skip, limit = paging()
    if is_whole and "limit" not in request.args:
        limit = len(rows)
    total = {"X-Total-Count": str(len(rows))}
    return json_answer(list(rows[skip : skip + limit]), headers=total)


def int_query(name: str, default: int) -> int:
    """A whole number ≥ 0 from the query. Raises `Unprocessable` for anything else."""
    text = request.args.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > DIGITS:
        wanted = f"Input should be a whole number, 0 or more, of at most {DIGITS} digits"
        raise Unprocessable([_odd("int_parsing", ("query", name), wanted, text)])
    return int(text)


def id_query(name: str) -> int | None:
    """A row's id from the query; None without one. Raises `Unprocessable` for what is no id."""
    number = int_query(name, 0)
    if number > MAX_ID:
        wanted = f"Input should be at most {MAX_ID}"
        raise Unprocessable([_odd("less_than_equal", ("query", name), wanted, str(number))])
    return number or None


def text_query(name: str) -> str | None:
    """Text from the query, without the space around it; None without any."""
    return request.args.get(name, "").strip() or None


def moment_query(name: str, *, whole_day: bool = False) -> datetime | None:
    """A time from the query, UTC when it has no offset; None without one. A bare day begins, or
    with *whole_day* is over. Raises `Unprocessable`.
    """
    text = request.args.get(name)
    if not text:
        return None
    try:
        if len(text) == len("2026-11-21"):
            day = date.fromisoformat(text)
            begins = datetime(day.year, day.month, day.day, tzinfo=UTC)
            last = whole_day and day == date.max  # the end of time is written like that
            return None if last else begins + timedelta(days=whole_day)
        moment = datetime.fromisoformat(text.replace(" ", "+"))  # a + in a query is a blank
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        wanted = "Input should be a day or a time in ISO 8601"
        raise Unprocessable([_odd("datetime_parsing", ("query", name), wanted, text)]) from None


def check_query(longest: Mapping[str, int]) -> None:
    """Raises `Unprocessable` for a text that is longer than *longest* says for its name, and for
    NUL characters in the query: no row can hold them.
    """
    if asks_nothing():
        return
    for name, value in request.args.items(multi=True):
        if len(value) > longest.get(name, len(value)):
            wanted = f"Text should have at most {longest[name]} characters"
            raise Unprocessable([_odd("string_too_long", ("query", name), wanted, value)])
        if "\0" in value:
            wanted = "Text has no NUL characters"
            raise Unprocessable([_odd("string_nul", ("query", name), wanted, None)])


def _odd(kind: str, where: str | tuple[str, ...], wanted: str, given: str | None) -> dict[str, Any]:
    place = [where] if isinstance(where, str) else list(where)
    return {"type": kind, "loc": place, "msg": wanted, "input": _short(given)}


def truthy(text: str | None) -> bool:
    """The words that clients use for true: true yes y 1 on, in any case."""
    return (text or "").strip().lower() in {"true", "yes", "y", "1", "on"}


def remote_address() -> str:
    """The peer's address; a proxy's word is not taken for it."""
    return request.remote_addr or ""
