"""Contract v1 2.10, row by row: archives, projects, tags, timelapses."""

from typing import Any

import pytest

from tests.api.whole.conftest import Whole
from tests.api.whole.rows import Page, Row

pytestmark = pytest.mark.asyncio(loop_scope="session")

ARCHIVE = """id job_id print_job_id printer_id user_id print_name status started_at completed_at
    actual_duration_seconds filament_used_grams cost_estimate thumbnail_b64 file_path notes
    created_at tags plate_count plate_thumbnails print_file_id project_id energy_kwh energy_cost
    consumption_json file_hash printer_name printer_nickname printer_display"""
FILTERS = (
    "page=1&per_page=200&printer_id=987654&status=failed&search=x&start_date=2026-01-01"
    "&end_date=2026-01-02&tag=x"
)


def empty(answer: Any) -> bool:
    """A page without items."""
    return bool(answer["total"] == 0 and answer["items"] == [])


ROWS = (
    Row(
        promise="GET /archives → {items, total, page, per_page}",
        call="GET /archives",
        fields="items total page per_page",
        who="viewer",
        holds=lambda found: (
            set(found["items"][0]) >= set(ARCHIVE.split())
            and (found["page"], found["per_page"]) == (1, 50)
        ),
    ),
    Row(promise="every filter of it", call=f"GET /archives?{FILTERS}", holds=empty),
    Row(
        promise="another organization has none of it",
        call="GET /archives",
        who="foreigner",
        holds=empty,
    ),
    Row(
        promise="nor of the log",
        call="GET /archives/log/export",
        who="foreigner",
        holds=lambda text: len(text.strip().split("\r\n")) == 1,
    ),
    Row(
        promise="nor of tags",
        call="GET /tags",
        who="foreigner",
        holds=lambda found: found == {"tags": []},
    ),
    Row(
        promise="nor of projects",
        call="GET /projects",
        who="foreigner",
        holds=lambda found: found == [],
    ),
    Row(
        promise="nobody else's print comes into a project",
        call="POST /projects/{project_id}/archives",
        body={"archive_ids": ["<archive>"]},
        who="foreigner",
        status=404,
    ),
    Row(
        promise="nor is it compared",
        call="GET /archives/compare?a={archive_id}&b={archive_id}",
        who="foreigner",
        status=404,
    ),
    Row(promise="per_page {<=200}", call="GET /archives?per_page=201", status=422),
    Row(promise="page {>=1}", call="GET /archives?page=0", status=422),
    Row(
        promise="compare → {a, b, diff}",
        call="GET /archives/compare?a={archive_id}&b={archive_id}",
        fields="a b diff",
        who="viewer",
        holds=lambda found: found["diff"] == {},
    ),
    Row(
        promise="log rows are flat and add user_name",
        call="GET /archives/log",
        who="viewer",
        holds=lambda found: found["items"][0]["user_name"] == "admin",
    ),
    Row(
        promise="every filter of it, and user_id",
        call=f"GET /archives/log?{FILTERS}&user_id=1",
        holds=empty,
    ),
    Row(
        promise="log/export: CSV for viewers",
        call="GET /archives/log/export",
        who="viewer",
        holds=lambda text: text.startswith("Print Name,Printer,User,Status,"),
    ),
    Row(promise="GET one", call="GET /archives/{archive_id}", who="viewer", fields=ARCHIVE),
    Row(
        promise="PATCH {notes} by operators",
        call="PATCH /archives/{archive_id}",
        body={"notes": "looked at"},
        who="operator",
    ),
    Row(
        promise="tags PATCH {tags:[…]} by operators",
        call="PATCH /archives/{archive_id}/tags",
        body={"tags": ["kept", "row"]},
        who="operator",
        holds=lambda found: found["tags"] == ["kept", "row"],
    ),
    Row(
        promise="both stay",
        call="GET /archives/{archive_id}",
        holds=lambda found: (found["notes"], found["tags"]) == ("looked at", ["kept", "row"]),
    ),
    Row(
        promise="ams-preview?printer_id=",
        call="GET /archives/{archive_id}/ams-preview?printer_id={printer_id}",
        who="viewer",
        fields="required available suggested_mapping",
    ),
    Row(
        promise="reprint {printer_id, ams_mapping?, plate_index=0} → {status, job_id, message}",
        call="POST /archives/{archive_id}/reprint",
        body={"printer_id": "<printer>", "ams_mapping": None, "plate_index": 0},
        who="operator",
        fields="status job_id message",
        holds=lambda found: found["status"] == "created",
    ),
    Row(
        promise="projects: name, description, color, expected_parts, org_id",
        call="POST /projects",
        body={"name": "Row", "description": "d", "expected_parts": 2, "org_id": None},
        who="operator",
        holds=lambda found: found["status"] == "active",
    ),
    Row(
        promise="GET /projects?status= is a bare list",
        call="GET /projects?status=active",
        who="viewer",
        fields="id name description color status expected_parts",
    ),
    Row(
        promise="POST archives {archive_ids} to group",
        call="POST /projects/{project_id}/archives",
        body={"archive_ids": ["<archive>"]},
        who="operator",
        holds=lambda found: found == {"assigned": 1},
    ),
    Row(
        promise="GET one, with its prints",
        call="GET /projects/{project_id}",
        who="viewer",
        holds=lambda found: found["archive_count"] == len(found["archives"]) == 1,
    ),
    Row(
        promise="PUT by operators",
        call="PUT /projects/{project_id}",
        body={"status": "completed"},
        who="operator",
    ),
    Row(
        promise="export by operators, not by viewers",
        call="GET /projects/{project_id}/export",
        who="viewer",
        status=403,
    ),
    Row(promise="DELETE by admins: 200 with a body", call="DELETE /projects/{project_id}"),
    Row(
        promise="GET /tags → {tags:[{name,count}]}",
        call="GET /tags",
        who="viewer",
        holds=lambda found: {"name", "count"} <= set(found["tags"][0]),
    ),
    Row(
        promise="rename {old,new} by admins",
        call="POST /tags/rename",
        body={"old": "row", "new": "rows"},
        holds=lambda found: found["updated"] == 1,
    ),
    Row(
        promise="DELETE /tags/{tag} by admins", call="DELETE /tags/rows", who="operator", status=403
    ),
    Row(promise="DELETE /tags/{tag}: 200", call="DELETE /tags/rows"),
    Row(
        promise="timelapses: none was recorded",
        call="GET /timelapses?printer_id={printer_id}&status=ready&limit=200&offset=0",
        who="viewer",
        holds=lambda found: found == [],
    ),
    Row(promise="GET one of them", call="GET /timelapses/1", who="viewer", status=404),
    Row(promise="its video", call="GET /timelapses/1/video", who="viewer", status=404),
    Row(promise="DELETE by admins", call="DELETE /timelapses/1", who="operator", status=403),
)
PAGE = Page(*ROWS)


@pytest.mark.parametrize("row", ROWS, ids=str)
async def test_the_contract_row_by_row(whole: Whole, row: Row) -> None:
    """v1 2.10: each row's call, fields and effect, through the whole API."""
    ids = {
        **whole.ids,
        "printer": int(whole.ids["printer_id"]),
        "archive": int(whole.ids["archive_id"]),
    }
    answer = await PAGE.asked(row, whole, ids)
    assert row.missing(answer) == set()
    assert row.holds(answer), answer
