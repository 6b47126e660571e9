"""Names that are ours, and those that are not (safety S06)."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from quart.typing import TestClientProtocol as Client

from api.app import Application
from api.config import Settings
from api.hosts import OwnHosts
from api.migrate import migrate
from tests.fakes.agents import AgentKey

PUBLIC = "https://farm.example:8443/gantry"


@pytest.mark.parametrize(
    ("host", "taken"),
    [
        ("farm.example:8443", True),
        ("farm.example", True),
        ("FARM.example.", True),
        ("localhost:8000", True),
        ("127.0.0.1:8000", True),
        ("[::1]:8000", True),
        ("10.1.2.3", True),
        ("evil.example", False),
        ("farm.example.evil.example", False),
        ("farm.example@evil.example", False),
        ("[::1", False),
        ("", False),
    ],
)
def test_only_our_names_are_taken(host: str, taken: bool) -> None:
    """The public name, localhost and addresses; nothing that others can point here."""
    assert OwnHosts(PUBLIC).take(host) is taken


def test_without_a_public_url_every_name_is_taken() -> None:
    """Nobody said what the server is called."""
    assert OwnHosts("").take("evil.example")
    assert OwnHosts("").is_own_page("https://a.example", "a.example")
    assert not OwnHosts("").is_own_page("https://b.example", "a.example")


def test_a_page_of_the_public_name_is_ours_behind_a_proxy_that_renames() -> None:
    """The proxy asks for `api:8000`; the page came from the public name."""
    assert OwnHosts(PUBLIC).is_own_page("https://farm.example:8443", "api:8000")
    assert not OwnHosts(PUBLIC).is_own_page("https://evil.example", "api:8000")


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[Client]:
    settings = replace(settings, public_url=PUBLIC)
    await migrate(settings)
    application = Application(settings)
    await application.startup(background=False)
    application.database.__enter__()
    yield application.quart.test_client()
    await application.shutdown()


async def test_a_foreign_host_is_refused_on_v1(client: Client) -> None:
    """400, whoever asks; health checks and OctoPrint's clients behind proxies are not asked."""
    evil = {"Host": "evil.example"}
    for path in ("/api/v1/version", "/api/v1/printers", "/api/v1/setup/status"):
        refused = await client.get(path, headers=evil)
        assert refused.status_code == 400, path
        assert (await refused.get_json())["error"]["code"] == "bad_request"
        assert "evil" not in await refused.get_data(as_text=True)
    assert (await client.get("/api/v1/version")).status_code == 200
    assert (await client.get("/api/v1/health", headers=evil)).status_code == 200
    octoprint = await client.get("/octoprint/none/api/version", headers=evil)
    assert octoprint.status_code != 400


async def test_links_are_made_from_the_public_url(client: Client) -> None:
    """Whatever name a bridge used to ask."""
    ask = {"public_key": AgentKey().public, "room": "Hall"}
    answer = await client.post("/bridge/v1/pairing", json=ask, headers={"Host": "evil.example"})
    shown = await answer.get_json()
    assert answer.status_code == 200, shown
    assert shown["verification_url"] == f"{PUBLIC}/#/pair"
