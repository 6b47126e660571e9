"""The documentation pages as they are served: public, small on the wire, closed to other sites."""

import re

import pytest

from api.spec.pages import ASSETS
from tests.api.whole.conftest import Whole

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.parametrize("base", ["/api/v1", "/api"])
@pytest.mark.parametrize("page", ["docs", "redoc"])
async def test_a_page_holds_no_script_and_loads_only_from_here(
    whole: Whole, base: str, page: str
) -> None:
    """Every file that it names is one of ours; its policy forbids all others (safety S40)."""
    answer = await whole.ask("nobody", "GET", f"{base}/{page}")
    assert answer.status_code == 200
    assert "<script>" not in answer.text
    named = re.findall(r'(?:src|href)="docs/([^"]+)"', answer.text)
    assert named and set(named) <= ASSETS
    for name in named:
        assert (await whole.ask("nobody", "GET", f"{base}/docs/{name}")).status_code == 200, name
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "script-src 'self';" in policy
    assert "http" not in policy


async def test_assets_come_compressed_and_only_once(whole: Whole) -> None:
    """gzip for who takes it, 304 for who has it, an hour in the browser's cache."""
    path = "/api/v1/docs/swagger-ui-bundle.js"
    plain = await whole.ask("nobody", "GET", path, headers={"Accept-Encoding": "identity"})
    packed = await whole.ask("nobody", "GET", path, headers={"Accept-Encoding": "gzip, br"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert int(packed.headers["Content-Length"]) < len(plain.content) / 3
    assert packed.content == plain.content
    assert plain.headers["Cache-Control"] == "public, max-age=3600"
    fresh = {"If-None-Match": plain.headers["ETag"]}
    again = await whole.ask("nobody", "GET", path, headers=fresh)
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("name", ["nothing.js", "README.md", "..%2fpages.py", "%2e%2e/pages.py"])
async def test_nothing_else_is_served_there(whole: Whole, name: str) -> None:
    """404 for what is not an asset, whatever lies beside them."""
    assert (await whole.ask("nobody", "GET", f"/api/v1/docs/{name}")).status_code == 404
