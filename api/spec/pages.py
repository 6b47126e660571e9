"""Swagger UI and ReDoc over the specification, whole without the internet.

The pages hold no script of their own; their policy lets nothing in that this server does not
serve. Everything here is the same for everybody: public, compressed once, kept by browsers.
"""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib import resources

from quart import Response, request

_TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
}
ASSETS = frozenset(
    {
        *("swagger-ui.css", "swagger-ui-bundle.js", "swagger.js"),
        *("redoc.standalone.js", "redoc.js", "page.css"),
    }
)

#: ReDoc makes style elements: empty ones, which it fills by script, and one with the rules of its
#: scroll bar. Both tools set style attributes.
_REDOC_STYLES = (
    "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='",  # no text at all
    "'sha256-QMIg+bpjm3JdElJ388KYke01izlUW0UoNOeKjpMxdgc='",
)
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        f"style-src 'self' {' '.join(_REDOC_STYLES)}",
        "style-src-attr 'unsafe-inline'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Vary": "Accept-Encoding",
}
#: An asset's address does not change with it: browsers ask again after an hour, and get a 304.
KEPT = "public, max-age=3600"
ASKED_AGAIN = "no-cache"


@dataclass(frozen=True, slots=True)
class Page:
    """Bytes for everybody, as they are and compressed."""

    plain: bytes
    packed: bytes
    etag: str
    content_type: str

    @classmethod
    def of(cls, body: bytes, kind: str) -> "Page":
        """*body*; *kind*: a key of the table of types."""
        etag = hashlib.sha256(body).hexdigest()[:32]
        return cls(body, gzip.compress(body, 6, mtime=0), etag, _TYPES[kind])

    def answer(self, headers: dict[str, str]) -> Response:
        """200, or 304 for who has it, or a compressed 200 for who takes that."""
        headers = {**_ALWAYS, **headers, "ETag": f'W/"{self.etag}"'}
        if request.if_none_match.contains_weak(self.etag):
            return Response(b"", 304, headers)
        if request.accept_encodings.quality("gzip") <= 0:
            return Response(self.plain, 200, headers, content_type=self.content_type)
        headers["Content-Encoding"] = "gzip"
        return Response(self.packed, 200, headers, content_type=self.content_type)


@cache
def asset(name: str) -> Page:
    """The asset of that name, one of `ASSETS`."""
    body = resources.files("api.spec").joinpath("assets", name).read_bytes()
    return Page.of(body, name.rpartition(".")[2])


@cache
def page(title: str, folder: str, scripts: tuple[str, ...], styles: tuple[str, ...]) -> Page:
    """A page that shows the specification; *folder*: where its assets are, seen from it."""
    links = "".join(f'<link rel="stylesheet" href="{folder}/{name}">\n' for name in styles)
    loads = "".join(f'<script src="{folder}/{name}"></script>\n' for name in scripts)
    return Page.of(
        f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<link rel="icon" href="data:,">
{links}</head>
<body>
<div id="docs"></div>
{loads}</body>
</html>
""".encode(),
        "html",
    )
