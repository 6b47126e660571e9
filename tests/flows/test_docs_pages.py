"""The documentation pages in a real browser: whole without the internet, and "Try it out" works."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.farm.started import StartedFarm
from tests.fakes.browser import CHROMIUM, Browser, Page

pytestmark = [
    pytest.mark.flow,
    pytest.mark.timeout(180),
    pytest.mark.skipif(
        CHROMIUM is None,
        reason="a page is only proven by a browser: install chromium (apt-get install chromium)",
    ),
]

PRINTERS = "#operations-printers-get_printers"
LOGIN = "#operations-accounts-post_auth_login"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as started:
        yield started


def swagger(browser: Browser, farm: StartedFarm, base: str = "/api/v1") -> Page:
    """Swagger UI, with the route for the printers and the one for the login open."""
    page = browser.page()
    page.open(farm.ready["url"] + base + "/docs")
    for operation in (LOGIN, PRINTERS):
        tag = operation.split("-")[1]
        page.click(f"#operations-tag-{tag}[data-is-open=false]")
        page.click(f"{operation} .opblock-summary-control")
    return page


def execute(page: Page, operation: str) -> int:
    """Try the open route out; the status of the answer."""
    page.click(f"{operation} .btn.execute")
    cell = f"{operation} .live-responses-table tbody .response-col_status"
    return int(page.wait(f"document.querySelector('{cell}')?.innerText").split()[0])


def test_without_signing_in_the_page_shows_the_refusal(browser: Browser, farm: StartedFarm) -> None:
    """401 in the page, as for everybody."""
    page = swagger(browser, farm)
    assert execute(page, PRINTERS) == 401


@pytest.mark.parametrize("scheme", ["bearer", "key"])
def test_try_it_out_works_with_a_token(browser: Browser, farm: StartedFarm, scheme: str) -> None:
    """Authorize with an API token, as Bearer and as X-API-Key: GET /printers shows 200."""
    page = swagger(browser, farm)
    page.click(".auth-wrapper .btn.authorize")
    box = (
        "[...document.querySelectorAll('.auth-container')].find("
        f"box => box.querySelector('code')?.innerText === '{scheme}')"
    )
    page.wait(f"{box} !== undefined")
    page.run(f"{box}.querySelector('input').id = 'chosen'")
    page.type("#chosen", farm.ready["token"])
    page.run(f"{box}.querySelector('button.authorize').click()")
    page.click(".btn-done")
    assert execute(page, PRINTERS) == 200
    assert page.complaints == []


def test_try_it_out_works_after_logging_in_on_the_page(
    browser: Browser, farm: StartedFarm, tmp_path: Path
) -> None:
    """POST /auth/login on the page sets the cookie; then GET /printers shows 200."""
    page = swagger(browser, farm)
    ready = farm.ready
    body = json.dumps(ready["admin"])
    page.type(f"{LOGIN} textarea", body)
    assert execute(page, LOGIN) == 200
    assert execute(page, PRINTERS) == 200
    assert page.complaints == []
    page.picture(tmp_path / "swagger.png")


@pytest.mark.parametrize("base", ["/api/v1", "/api"])
def test_redoc_shows_every_room(browser: Browser, farm: StartedFarm, base: str) -> None:
    """The reference is drawn without a complaint of the browser but one: ReDoc's own mark would
    come from its makers' site.
    """
    page = browser.page()
    page.open(farm.ready["url"] + base + "/redoc")
    page.wait("document.querySelectorAll('#docs h2').length > 20")
    text = page.run("document.body.innerText")
    assert "GET" in text
    assert "/printers/{printer_id}" in text
    assert [one for one in page.complaints if "cdn.redoc.ly/redoc/logo" not in one] == []
