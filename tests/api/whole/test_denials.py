"""Whoever is refused is in the audit trail, on both faces."""

import pytest

from api.audit.denials import Bound
from tests.api.whole.conftest import Whole

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(autouse=True)
def _unbounded(whole: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests are refused a lot, which uses this minute's entries up."""
    for face in (whole.application.v1, whole.application.octoprint):
        monkeypatch.setattr(face._denials, "_bound", Bound())


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        ("POST", "/api/v1/printers", "/api/v1/printers"),
        ("DELETE", "/api/jobs/1", "/api/jobs/<int:job_id>"),
        ("POST", "/octoprint/<slug>/api/printer/tool", "/octoprint/<slug>/api/printer/tool"),
    ],
)
async def test_a_refusal_is_noted_once(whole: Whole, method: str, path: str, route: str) -> None:
    """A viewer tries what takes an operator, many times."""
    made = await whole.ask("viewer", "POST", "/api/v1/tokens", json={"name": "a new one"})
    whole.secrets["curious"] = made.json()["token"]
    for _ in range(5):
        answer = await whole.ask("curious", method, whole.path(path), json={})
        assert answer.status_code == 403
    query = "/api/v1/audit-logs?action=auth.denied&limit=500"
    logs = (await whole.ask("admin", "GET", query)).json()["logs"]
    token = made.json()["id"]
    mine = [one for one in logs if (one["entity_type"], one["entity_id"]) == ("token", token)]
    assert [one["details"]["route"] for one in mine] == [route]
    assert (mine[0]["username"], mine[0]["details"]["code"]) == ("viewer-1", "permission_denied")
    await whole.ask("admin", "DELETE", f"/api/v1/tokens/{token}")


async def test_a_scope_is_a_refusal_too(whole: Whole) -> None:
    """Its code says so."""
    body = {"name": "reader", "scopes": ["read"]}
    made = (await whole.ask("admin", "POST", "/api/v1/tokens", json=body)).json()
    whole.secrets["reader"] = made["token"]
    answer = await whole.ask("reader", "POST", "/api/v1/printers", json={"name": "x"})
    assert answer.status_code == 403
    query = "/api/v1/audit-logs?action=auth.denied&limit=500"
    logs = (await whole.ask("admin", "GET", query)).json()["logs"]
    assert [one["details"]["code"] for one in logs if one["entity_id"] == made["id"]] == [
        "scope_denied"
    ]
    await whole.ask("admin", "DELETE", f"/api/v1/tokens/{made['id']}")
