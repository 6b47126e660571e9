"""OctoPrint's manner of answering: its JSON, its headers, its errors (contract, section 1)."""

import hashlib
import re
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

import orjson
from quart import Response, request

_OPTIONS = orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")

#: Headers of every answer.
ALWAYS = {
    "X-Robots-Tag": "noindex, nofollow, noimageindex",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "sameorigin",
    "Vary": "Origin",
}
_READ = {**ALWAYS, "Cache-Control": "max-age=0"}
_WRITE = {
    **ALWAYS,
    "Cache-Control": "no-store, no-cache, must-revalidate, post-check=0, pre-check=0, max-age=0",
    "Pragma": "no-cache",
    "Expires": "-1",
}
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def encode(data: Any) -> bytes:
    """*data* as OctoPrint writes JSON: indented by 2, keys sorted, ASCII only, a newline."""
    raw = orjson.dumps(data, option=_OPTIONS)
    return raw if raw.isascii() else _NOT_ASCII.sub(_escape, raw.decode()).encode("ascii")


def _escape(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def answer(data: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """*data* as JSON; bytes are taken as already encoded."""
    body = data if isinstance(data, bytes) else encode(data)
    return Response(body, status, _headers(headers), content_type="application/json")


def done(status: int = 204) -> Response:
    """An empty answer."""
    return Response(b"", status, _headers(None), content_type="text/html; charset=utf-8")


def plain(text: str, status: int) -> Response:
    """The few errors that OctoPrint sends as text/html."""
    return Response(text, status, _headers(None), content_type="text/html; charset=utf-8")


def refuse(detail: str, status: int) -> Response:
    """An error: *detail* for the reader."""
    return answer({"error": detail}, status)


def _headers(more: dict[str, str] | None) -> dict[str, str]:
    base = _READ if request.method in _SAFE else _WRITE
    return {**base, **more} if more else base


class Validators:
    """ETag and Last-Modified of documents that change now and then.

    *changed* is when this process first saw the present ETag: an older date of a client then
    means that it holds something else.
    """

    def __init__(self) -> None:
        self._seen: dict[str, tuple[str, datetime]] = {}

    def answer(self, key: str, data: Any, now: datetime, ignore: tuple[str, ...] = ()) -> Response:
        """*data* with validators, or an empty 304. *ignore*: keys that do not count as changes.

        *key* names the document (its path, its reader's base URL and its options).
        """
        counted = {name: value for name, value in data.items() if name not in ignore}
        digest = hashlib.sha256(orjson.dumps([key, counted], option=orjson.OPT_SORT_KEYS))
        etag = f'"{digest.hexdigest()[:40]}"'
        changed = self._changed(key, etag, now)
        headers = {"ETag": etag, "Last-Modified": format_datetime(changed, usegmt=True)}
        if _is_fresh(etag, changed):
            return Response(b"", 304, _headers(headers))
        return answer(data, headers=headers)

    def _changed(self, key: str, etag: str, now: datetime) -> datetime:
        seen = self._seen.get(key)
        if seen is None or seen[0] != etag:
            if len(self._seen) >= 10_000:
                self._seen.clear()
            seen = self._seen[key] = (etag, now.astimezone(UTC).replace(microsecond=0))
        return seen[1]


def _is_fresh(etag: str, changed: datetime) -> bool:
    if request.if_none_match:
        return request.if_none_match.contains_weak(etag.strip('"'))
    since = request.headers.get("If-Modified-Since")
    if not since:
        return False
    try:
        return parsedate_to_datetime(since).astimezone(UTC) >= changed
    except ValueError:
        return False
