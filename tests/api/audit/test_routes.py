"""The audit trail as admins read it (v1 2.11; safety S25, S28, S29, S54)."""

import csv
import io
from typing import Any

import pytest
from quart.typing import TestClientProtocol as Client

from api.audit import service
from api.audit.routes import AuditRoutes
from tests.api.audit.conftest import ACTS


async def read(client: Client, query: str = "", who: str = "admin") -> Any:
    answer = await client.get(f"/api/v1/audit-logs?{query}", headers={"X-API-Key": who})
    assert answer.status_code == 200, await answer.get_data(as_text=True)
    return await answer.get_json()


def actions(page: Any) -> list[str]:
    return [entry["action"] for entry in page["logs"]]


async def test_newest_first_in_an_envelope_with_v1s_fields(client: Client) -> None:
    """{total, offset, limit, logs}; the user beside the fields of v1."""
    page = await read(client)
    assert (page["total"], page["offset"], page["limit"]) == (4, 0, 50)
    assert actions(page) == list(reversed(ACTS))
    entry = page["logs"][-1]
    assert entry == {
        "id": entry["id"],
        "timestamp": "2026-01-01T12:00:00.000Z",
        "action": "printer.created",
        "entity_type": "printer",
        "entity_id": 1,
        "details": {"name": "=cmd|' /C calc'!A0"},
        "ip_address": None,
        "user_id": 1,
        "username": "admin",
        "organization_id": 1,
    }


@pytest.mark.parametrize("skip", ["skip", "offset"])
async def test_it_is_read_in_pages(client: Client, skip: str) -> None:
    """skip or offset, and limit (v1 0.4)."""
    page = await read(client, f"{skip}=1&limit=2")
    assert (page["total"], page["offset"], page["limit"]) == (4, 1, 2)
    assert actions(page) == ["job.cancelled", "job.created"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("entity_type=job", ["job.cancelled", "job.created"]),
        ("action=job.created", ["job.created"]),
        ("entity_type=job&action=printer.created", []),
        ("date_from=2026-01-03", ["printer.deleted", "job.cancelled"]),
        ("date_to=2026-01-02", ["job.created", "printer.created"]),
        ("date_from=2026-01-02&date_to=2026-01-02", ["job.created"]),
        ("date_from=2026-01-02T12:00:00Z&date_to=2026-01-03T12:00:00Z", ["job.created"]),
        ("date_from=2026-01-04T13:00:00+01:00", ["printer.deleted"]),
        ("search=CANCEL", ["job.cancelled"]),
        ("search=PRINTER", ["printer.deleted", "printer.created"]),
        ("search=%20admin%20&entity_type=job", ["job.cancelled", "job.created"]),
        ("search=%25", []),
        ("search=job_c", []),
        ("search=\\", []),
        ("search='%20OR%201=1%20--", []),
        ("user_id=1&action=job.created", ["job.created"]),
        ("user_id=987654", []),
        ("action=job.%25", []),
        ("action=' OR 1=1 --", []),
        ("entity_type=", list(reversed(ACTS))),
        ("date_from=0001-01-01&date_to=9999-12-31", list(reversed(ACTS))),
    ],
)
async def test_it_is_filtered(client: Client, query: str, found: list[str]) -> None:
    """By kind, action, person, text and time; whatever is typed is literal (safety S28)."""
    assert actions(await read(client, query)) == found


@pytest.mark.parametrize(
    "query",
    [
        *(
            "date_from=yesterday",
            "date_to=2026-13-01",
            "date_to=9999-12-31T23:59:59-12:00",
            "org_id=x",
            "user_id=-1",
            "search=" + "x" * 101,
            "search=%00",
        ),
        *("date_from=0001-01-01T00:00:00%2B23:59", "date_from=2026-01-01T99", "skip=-1"),
    ],
)
async def test_what_cannot_be_is_422(client: Client, query: str) -> None:
    """Never a 500 (safety S28)."""
    for path in ("audit-logs", "export/audit-logs"):
        if "skip" in query and path != "audit-logs":
            continue
        answer = await client.get(f"/api/v1/{path}?{query}", headers={"X-API-Key": "admin"})
        assert answer.status_code == 422, path


async def test_everybody_sees_what_is_theirs(client: Client) -> None:
    """An admin one organization whatever they ask for, a superadmin all, others none (S25)."""
    assert (await read(client, "org_id=2"))["total"] == 4
    assert actions(await read(client, who="foreigner")) == ["user.created"]
    assert (await read(client, who="superadmin"))["total"] == 5
    assert (await read(client, "org_id=2", who="superadmin"))["total"] == 1
    for path in ("audit-logs", "export/audit-logs"):
        answer = await client.get(f"/api/v1/{path}", headers={"X-API-Key": "operator"})
        assert answer.status_code == 403
        assert (await client.get(f"/api/v1/{path}")).status_code == 401


async def test_it_is_exported_without_formulas(client: Client) -> None:
    """CSV as an attachment; what a spreadsheet would run is text (safety S29)."""
    answer = await client.get("/api/v1/export/audit-logs", headers={"X-API-Key": "superadmin"})
    assert answer.content_type.startswith("text/csv")
    assert "attachment" in answer.headers["Content-Disposition"]
    rows = list(csv.reader(io.StringIO(await answer.get_data(as_text=True))))
    assert rows[0][:7] == [
        *("ID", "Timestamp", "Action", "Entity Type", "Entity ID", "Details", "IP Address"),
    ]
    assert [row[2] for row in rows[1:]] == ["user.created", *reversed(ACTS)]
    assert rows[1][8] == "'+1"
    assert not any(value.startswith(("=", "+", "-", "@")) for row in rows for value in row)
    filtered = await client.get(
        "/api/v1/export/audit-logs?entity_type=job", headers={"X-API-Key": "admin"}
    )
    assert len((await filtered.get_data(as_text=True)).splitlines()) == 3


async def test_an_export_ends(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """S74: the newest so many, and how many there are."""
    monkeypatch.setattr(service, "MAX_EXPORTED", 2)
    answer = await client.get("/api/v1/export/audit-logs", headers={"X-API-Key": "admin"})
    assert answer.headers["X-Total-Count"] == "4"
    rows = list(csv.reader(io.StringIO(await answer.get_data(as_text=True))))
    assert [row[2] for row in rows[1:]] == ["printer.deleted", "job.cancelled"]


def test_nothing_alters_it() -> None:
    """Its routes only read (safety S54: no update or delete path)."""

    class Noted:
        def __init__(self) -> None:
            self.methods: list[str] = []

        def add(self, method: str, *rest: object) -> None:
            self.methods.append(method)

    noted = Noted()
    AuditRoutes(None).register(noted)  # type: ignore[arg-type]
    assert set(noted.methods) == {"GET"}
