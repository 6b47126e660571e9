"""Where the specification and its pages are served: to anybody, below both bases of v1."""

import asyncio

import orjson
from quart import Quart, Response

from api import VERSION
from api.errors import NotFound
from api.spec.document import openapi
from api.spec.pages import ASKED_AGAIN, ASSETS, KEPT, POLICY, Page, asset, page
from api.v1 import PREFIXES, V1, problem_answer, secured

SPEC_PATHS = ("/openapi.json", *(f"{prefix}/openapi.json" for prefix in PREFIXES))


class SpecRoutes:
    """`openapi.json`, `docs`, `redoc` and their assets."""

    def __init__(self, v1: V1) -> None:
        self._v1 = v1
        self._spec: Page | None = None

    def register(self, quart: Quart) -> None:
        """Declare the routes."""
        for path in SPEC_PATHS:
            quart.add_url_rule(path, f"spec {path}", self.spec, methods=["GET"])
        for prefix in PREFIXES:
            for name, view in (("docs", swagger), ("redoc", redoc), ("docs/<name>", asset_file)):
                rule = f"{prefix}/{name}"
                quart.add_url_rule(rule, f"spec {rule}", view, methods=["GET"])

    async def spec(self) -> Response:
        """The document; made once, of all routes that there are then."""
        if self._spec is None:
            self._spec = await asyncio.to_thread(self._made)
        return self._spec.answer({"Cache-Control": ASKED_AGAIN})

    def _made(self) -> Page:
        return Page.of(orjson.dumps(openapi(self._v1.declared, VERSION)), "json")


async def swagger() -> Response:
    """Every route, to read and to try out."""
    shown = page(
        "Gantry API",
        "docs",
        ("swagger-ui-bundle.js", "swagger.js"),
        ("swagger-ui.css", "page.css"),
    )
    return _shown(shown)


async def redoc() -> Response:
    """Every route, to read."""
    shown = page("Gantry API reference", "docs", ("redoc.standalone.js", "redoc.js"), ("page.css",))
    return _shown(shown)


def _shown(shown: Page) -> Response:
    return shown.answer({"Content-Security-Policy": POLICY, "Cache-Control": ASKED_AGAIN})


async def asset_file(name: str) -> Response:
    """A file that the pages load."""
    if name not in ASSETS:
        return secured(problem_answer(NotFound("Not Found")))
    return (await asyncio.to_thread(asset, name)).answer({"Cache-Control": KEPT})
