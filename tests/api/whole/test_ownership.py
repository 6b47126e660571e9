"""A superadmin sees every organization's printers, and gives one to another (v1 1.4, 2.2, 2.3)."""

from typing import Any

import pytest

from tests.api.whole.conftest import GCODE, Whole

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def names(whole: Whole, who: str, query: str = "") -> list[str]:
    rows = (await whole.ask(who, "GET", f"/api/v1/printers?limit=500{query}")).json()
    return [row["name"] for row in rows]


async def made(whole: Whole, who: str, path: str, **body: Any) -> Any:
    answer = await whole.ask(who, "POST", f"/api/v1{path}", json=body)
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


async def test_a_superadmin_sees_every_organizations_printers(whole: Whole) -> None:
    """`org_id` filters; other people see their own; nothing of it can be changed from afar."""
    far = await made(whole, "foreigner", "/printers", name="Far away")
    path = f"/api/v1/printers/{far['id']}"
    try:
        assert "Far away" in await names(whole, "admin")
        assert await names(whole, "admin", "&org_id=2") == ["Far away"]
        assert "Far away" not in await names(whole, "admin", "&org_id=1")
        for who in ("viewer", "operator", "bound"):
            assert "Far away" not in await names(whole, who, "&org_id=2")
            assert (await whole.ask(who, "GET", path)).status_code == 404
        assert (await whole.ask("admin", "GET", path)).json()["name"] == "Far away"
        live = (await whole.ask("admin", "GET", "/api/v1/printers/live-status?limit=500")).json()
        assert far["id"] in [row["printer_id"] for row in live]
        assert (await whole.ask("admin", "PATCH", path, json={"model": "x"})).status_code == 404
    finally:
        assert (await whole.ask("foreigner", "DELETE", path)).status_code == 204


async def test_a_printer_is_given_to_another_organization(whole: Whole) -> None:
    """Its keys die, its queue and its list of files stay behind; said twice it is one."""
    row = await made(whole, "admin", "/printers", name="Wanderer")
    job = await made(whole, "admin", "/jobs", item_name="waits", printer_id=row["id"])
    key = (await made(whole, "admin", f"/printers/{row['id']}/octoprint-key"))["api_key"]
    upload = f"/octoprint/{row['slug']}/api/files/local"
    await whole.ask("admin", "POST", upload, files={"file": ("mine.gcode", GCODE)})
    body = {"printer_id": row["id"]}
    for _ in range(2):
        assert await made(whole, "admin", "/orgs/2/printers", **body) == {"status": "ok"}
    path = f"/api/v1/printers/{row['id']}"
    assert (await whole.ask("operator", "GET", path)).status_code == 404
    assert (await whole.ask("foreigner", "GET", path)).json()["name"] == "Wanderer"
    left = (await whole.ask("admin", "GET", f"/api/v1/jobs/{job['id']}")).json()
    assert left["printer_id"] is None
    whole.secrets["its key"] = key
    assert (await whole.ask("its key", "GET", path)).status_code == 401
    files = (await whole.ask("foreigner", "GET", upload)).json()["files"]
    assert files == []
    again = await whole.ask("foreigner", "POST", upload, files={"file": ("mine.gcode", GCODE)})
    assert again.status_code == 201
    assert (await whole.ask("foreigner", "GET", f"{path}/slots")).status_code == 200
    for who, address in (("foreigner", path), ("admin", f"/api/v1/jobs/{job['id']}")):
        assert (await whole.ask(who, "DELETE", address)).status_code == 204


async def test_what_stands_in_the_way_is_said(whole: Whole) -> None:
    """404 for what is not there, 400 for a name that is taken, 403 for who is no superadmin."""
    printer = {"printer_id": int(whole.ids["printer_id"])}
    twin = await made(whole, "foreigner", "/printers", name="Alpha")
    for who, org, body, code in (
        ("admin", 987654, printer, "organization_not_found"),
        ("admin", 2, {"printer_id": 987654}, "printer_not_found"),
        ("admin", 2, printer, "name_taken"),
        ("foreigner", 2, printer, "permission_denied"),
        ("operator", 2, printer, "permission_denied"),
    ):
        answer = await whole.ask(who, "POST", f"/api/v1/orgs/{org}/printers", json=body)
        assert answer.json()["error"]["code"] == code, (who, answer.text)
    await whole.ask("foreigner", "DELETE", f"/api/v1/printers/{twin['id']}")
