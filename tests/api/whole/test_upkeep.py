"""Rows of v1 2.1, 2.2 and 2.4 that look after the whole farm, over HTTP."""

import io
import zipfile
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from api.accounts.models import Organization
from tests.api.whole.conftest import Whole

pytestmark = pytest.mark.asyncio(loop_scope="session")

RETENTION = "/api/v1/config/retention"


async def test_retention_is_read_set_and_run(farm_with_all: Whole) -> None:
    """Rows GET, PUT /config/retention and POST /admin/retention/cleanup, and its dry run."""
    whole = farm_with_all
    before = (await whole.ask("admin", "GET", RETENTION)).json()
    assert before["alert_history_days"] == 90
    answer = await whole.ask("admin", "PUT", RETENTION, json={"telemetry_days": 30})
    assert answer.json() == {**before, "telemetry_days": 30}
    for bad in ({"telemetry_days": -1}, {"telemetry_days": 4000}, {"telemetry_days": "soon"}):
        assert (await whole.ask("admin", "PUT", RETENTION, json=bad)).status_code == 422, bad
    path = "/api/v1/admin/retention/cleanup"
    dry = await whole.ask("admin", "POST", path, headers={"X-Dry-Run": "true"})
    assert dry.json()["would_execute"]["action"] == "retention_cleanup"
    told = (await whole.ask("admin", "POST", path)).json()
    assert (told["status"], told["more"]) == ("ok", False)
    assert set(told["deleted"]) == {"alerts", "commands", "leases", "telemetry"}


async def test_the_log_is_read(farm_with_all: Whole) -> None:
    """Row GET /admin/logs: newest lines, chosen by level and text; odd wishes are refused."""
    path = "/api/v1/admin/logs"
    answer = await farm_with_all.ask("admin", "GET", path, params={"lines": "5", "level": "error"})
    told = answer.json()
    assert (answer.status_code, told["source"]) == (200, "backend")
    assert told["count"] == len(told["lines"]) <= 5
    for name, value, status in (
        ("lines", "0", 422),
        ("lines", "5001", 422),
        ("level", "loud", 400),
        ("source", "nginx", 400),
    ):
        answer = await farm_with_all.ask("admin", "GET", path, params={name: value})
        assert answer.status_code == status, (name, value)


async def test_a_bundle_is_handed_over(farm_with_all: Whole) -> None:
    """Row GET /admin/support-bundle: a zip with the sizes of every table and no secret."""
    answer = await farm_with_all.ask("admin", "GET", "/api/v1/admin/support-bundle")
    assert answer.headers["Content-Type"] == "application/zip"
    assert answer.headers["Cache-Control"] == "no-store"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert b'"printer": ' in archive.read("support/rows.json")
        content = b"".join(archive.read(name) for name in archive.namelist())
    for secret in filter(None, farm_with_all.secrets.values()):
        assert secret.encode() not in content or len(secret) < 16


@pytest_asyncio.fixture(loop_scope="session")
async def first_hour(whole: Whole) -> AsyncIterator[Whole]:
    """The farm as it was before its set-up was declared complete."""
    farm = await Organization.get(id=1)
    await Organization.filter(id=1).update(completed_at=None)
    yield whole
    await Organization.filter(id=1).update(completed_at=farm.completed_at)


async def test_the_first_hour(first_hour: Whole) -> None:
    """Rows /setup/test-printer, /setup/printer, /setup/network while it is open."""
    whole = first_hour
    trial = "/api/v1/setup/test-printer"
    assert (await whole.ask("nobody", "POST", trial, json={})).status_code == 401
    assert (await whole.ask("viewer", "POST", trial, json={})).status_code == 403
    bambu = {"api_type": "bambu", "api_host": "169.254.169.254", "serial": "x"}
    told = (await whole.ask("operator", "POST", trial, json=bambu)).json()
    assert told["success"] is False
    assert "serial ports" in told["error"]
    lost = await whole.ask("operator", "POST", trial, json={"bridge_id": 987654})
    assert lost.status_code == 404
    answer = await whole.ask("admin", "POST", "/api/v1/setup/printer", json={"name": "First"})
    assert (answer.status_code, answer.json()["status"]) == (200, "created")
    network = "/api/v1/setup/network"
    assert (await whole.ask("viewer", "GET", network)).json()["detected_ip"] == ""
    for bad in ("", "here", "0.0.0.0", "127.0.0.1", "999.1.1.1"):
        answer = await whole.ask("admin", "POST", network, json={"host_ip": bad})
        assert answer.status_code in (400, 422), bad
    answer = await whole.ask("admin", "POST", network, json={"host_ip": " 192.168.7.20 "})
    assert answer.json() == {"success": True, "host_ip": "192.168.7.20"}
    shown = (await whole.ask("viewer", "GET", network)).json()
    assert shown["configured_ip"] == "192.168.7.20"


async def test_the_first_hour_is_over(first_hour: Whole) -> None:
    """403 once the set-up is complete, also for whoever may everything."""
    whole = first_hour
    await Organization.filter(id=1).update(completed_at=whole.application.clock.now())
    for path in ("test-printer", "printer", "network"):
        body = {"host_ip": "192.168.7.21"} if path == "network" else {"name": "Second"}
        answer = await whole.ask("admin", "POST", f"/api/v1/setup/{path}", json=body)
        assert answer.status_code == 403, path
        assert answer.json()["error"]["code"] == "setup_complete", path
