"""Version in both dialects, health, and the page at the root."""

import re
import tomllib
from pathlib import Path

import pytest
from quart import Quart
from quart.typing import TestClientProtocol as Client
from tortoise import connections

from api import VERSION
from api.accounts.service import Accounts
from api.clock import Clock
from api.config import Settings
from api.events.service import Ledger
from api.readiness import Readiness
from api.status import StatusRoutes
from api.v1 import V1
from tests.api.accounts.conftest import PASSWORD, cheap_passwords


@pytest.fixture
def accounts(ledger: Ledger, clock: Clock, settings: Settings) -> Accounts:
    return Accounts(ledger, clock, settings, cheap_passwords())


@pytest.fixture
def client(accounts: Accounts) -> Client:
    quart = Quart("test", static_folder=None)
    StatusRoutes(quart, Readiness()).register(V1(quart, accounts))
    return quart.test_client()


@pytest.mark.parametrize("path", ["/api/v1/version", "/api/version"])
async def test_version_speaks_both_dialects(client: Client, path: str) -> None:
    """v1's clients need at least 1.9.0, slicers a text that begins with OctoPrint."""
    answer = await client.get(path)
    body = await answer.get_json()
    assert answer.status_code == 200
    assert tuple(map(int, body["version"].split("."))) >= (1, 9, 0)
    assert body["product"] == "gantry"
    assert body["product_version"] == VERSION
    assert body["api"] == "0.1"
    assert body["text"].startswith(f"OctoPrint {body['server']}")


async def test_version_refuses_a_wrong_key_and_takes_a_right_one(
    client: Client, accounts: Accounts
) -> None:
    """Apps test their key here: 403 with the error in both forms; empty counts as wrong."""
    login = await accounts.setup("admin", "a@b", PASSWORD, "")
    key = await accounts.create_octoprint_key(login.principal, None, "app")
    for headers in ({"X-Api-Key": "wrong"}, {"X-Api-Key": ""}, {"Authorization": "Bearer x"}):
        answer = await client.get("/api/version", headers=headers)
        body = await answer.get_json()
        assert answer.status_code == 403
        assert isinstance(body["error"], str)
        assert isinstance(body["detail"], str)
    assert (await client.get(f"/api/version?apikey={key}x")).status_code == 403
    for headers in ({"X-Api-Key": key}, {"Authorization": f"Bearer {key}"}):
        assert (await client.get("/api/version", headers=headers)).status_code == 200
    assert (await client.get(f"/api/version?apikey={key}")).status_code == 200


@pytest.mark.parametrize("path", ["/health", "/api/v1/health", "/api/health"])
async def test_health_is_open(client: Client, database: None, path: str) -> None:
    """Without credentials, with the state of the database."""
    answer = await client.get(path)
    body = await answer.get_json()
    assert answer.status_code == 200
    assert body["status"] == "ok"
    assert body["database"] == "ok"


async def test_without_its_database_it_is_alive_but_not_ready(
    client: Client, database: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Health says what is wrong; readiness is 503."""
    assert (await client.get("/api/v1/health/ready")).status_code == 200

    async def gone(*_: object) -> None:
        raise OSError("connection refused")

    monkeypatch.setattr(connections.get("default"), "execute_query", gone)
    assert (await (await client.get("/health")).get_json())["database"] == "unavailable"
    answer = await client.get("/api/v1/health/ready")
    assert answer.status_code == 503
    assert (await answer.get_json())["ready"] is False


async def test_root_is_a_page_that_sets_nothing(client: Client) -> None:
    """A person who opens the address sees what this is; no script, no cookie."""
    answer = await client.get("/")
    text = await answer.get_data(as_text=True)
    assert "Gantry" in str(text)
    assert not re.search("<script", str(text))
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'"


def test_version_is_the_projects() -> None:
    """One number for the package and for what the API says."""
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    assert tomllib.loads(text)["project"]["version"] == VERSION
