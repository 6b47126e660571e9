"""What this server is and whether it works, for anybody (v1 0.8 and 2.1; DESIGN section 7).

`/api/version` answers for both dialects at once: v1's level as `version`, OctoPrint's `api`,
`server` and `text`, and the product beside them.
"""

from html import escape
from typing import Annotated, Literal

from pydantic import Field
from quart import Quart, Response, request

from api import VERSION
from api.describe import Answer, Doc
from api.errors import NotAuthenticated
from api.http import json_answer
from api.readiness import Readiness
from api.v1 import V1, explicit_secret

V1_LEVEL = "1.9.3"
OCTOPRINT_LEVEL = "1.11.8"
VERSIONS = {
    "version": V1_LEVEL,
    "product": "gantry",
    "product_version": VERSION,
    "api": "0.1",
    "server": OCTOPRINT_LEVEL,
    "text": f"OctoPrint {OCTOPRINT_LEVEL} (Gantry {VERSION})",
}

_PAGE = f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Gantry</title></head>
<body>
<h1>Gantry {escape(VERSION)}</h1>
<p>This print farm is running.</p>
<ul>
<li>REST: <code>/api/v1</code> (<a href="/api/v1/version">version</a>,
<a href="/health">health</a>)</li>
<li>Slicers and OctoPrint apps: <code>/octoprint/&lt;printer&gt;/</code></li>
</ul>
</body>
</html>
"""


class VersionAnswer(Answer):
    """This server in the words of both dialects."""

    version: Annotated[str, Field(description="The level of v1 that is spoken")]
    product: str
    product_version: str
    api: Annotated[str, Field(description="The level of OctoPrint's API")]
    server: Annotated[str, Field(description="The OctoPrint whose API is spoken")]
    text: str


class HealthAnswer(Answer):
    """Whether this server works."""

    status: Literal["ok", "degraded"]
    version: str
    database: Literal["ok", "unavailable"]
    spoolman_connected: bool
    product_version: str


class ReadyAnswer(Answer):
    """Whether requests can be served."""

    ready: bool
    version: str
    problems: Annotated[list[str], Field(description="Why not, with the setting to look at")]
    warnings: Annotated[list[str], Field(description="What is slower than it should be")]


class WrongKey(Answer):
    """A refusal in the words of both dialects."""

    detail: str
    error: str


_VERSION = Doc(
    summary="What this server is; a key or token that comes along must be valid (403)",
    answer=VersionAnswer,
    others={403: WrongKey},
)
_HEALTH = Doc(summary="Whether this server and its database work", answer=HealthAnswer)
_READY = Doc(
    summary="200 when requests can be served, 503 when not",
    answer=ReadyAnswer,
    others={503: ReadyAnswer},
)


class StatusRoutes:
    """Version, health and the page at the root."""

    def __init__(self, quart: Quart, readiness: Readiness) -> None:
        self._quart = quart
        self._readiness = readiness

    def register(self, v1: V1) -> None:
        """Declare the routes."""

        async def version() -> Response:
            return await _version(v1)

        v1.add("GET", "/version", version, _VERSION, public=True)
        v1.add("GET", "/health", self.health, _HEALTH, public=True)
        v1.add("GET", "/health/ready", self.ready, _READY, public=True)
        self._quart.add_url_rule("/health", "health", self.health, methods=["GET"])
        self._quart.add_url_rule("/health/ready", "ready", self.ready, methods=["GET"])
        self._quart.add_url_rule("/", "page", page, methods=["GET"])

    async def health(self) -> Response:
        """That the process answers, and whether its database does."""
        works = await self._readiness.database_problem() is None
        return json_answer(
            {
                "status": "ok" if works else "degraded",
                "version": V1_LEVEL,
                "database": "ok" if works else "unavailable",
                "spoolman_connected": False,
                "product_version": VERSION,
            }
        )

    async def ready(self) -> Response:
        """200 when requests can be served, 503 when not."""
        problems = await self._readiness.problems()
        answer = {
            "ready": not problems,
            "version": V1_LEVEL,
            "problems": problems,
            "warnings": self._readiness.warnings(),
        }
        return json_answer(answer, 503 if problems else 200)


async def _version(v1: V1) -> Response:
    """Open to all, but a key or token that comes along must be valid: apps test theirs here."""
    secret = request.args.get("apikey")
    if secret is None:
        secret = explicit_secret()
    if secret is not None:
        try:
            await v1.authenticator.authenticate(secret)
        except NotAuthenticated:
            refusal = "This key or token is not valid."
            return json_answer({"detail": refusal, "error": refusal}, 403)
    return json_answer(VERSIONS)


async def page() -> Response:
    """A plain page for a person who opens the address."""
    headers = {"Content-Security-Policy": "default-src 'none'", "X-Frame-Options": "DENY"}
    return Response(_PAGE, 200, headers, content_type="text/html; charset=utf-8")
