"""The archive over HTTP (v1 2.10): what is kept of prints, and what people add to it."""

import csv
import io
from datetime import UTC, datetime
from typing import Any

import pytest

from api.archives.models import ArchiveNote, ArchiveTag
from api.events.trail import AuditEntry
from api.jobs.models import Job, Print
from tests.api.whole.test_rows_of_archives import ARCHIVE
from tests.fakes.desk import Desk
from tests.fakes.past import ended_at, printed, printed_again, refused, somebody


async def names(desk: Desk, query: str = "", of: str = "/archives") -> list[str]:
    """What the list shows, in its order."""
    answer = await desk.ask("GET", f"{of}{query}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["X-Total-Count"] == str(answer.json()["total"])
    return [each["print_name"] for each in answer.json()["items"]]


async def test_a_print_that_is_over_is_a_record(desk: Desk) -> None:
    """Every field of the contract, from the rows that are there; nothing was stored for it."""
    number = await printed(desk)
    await ended_at(number, 2026, 1, 2, 12)
    page = (await desk.ask("GET", "/archives")).json()
    assert (page["total"], page["page"], page["per_page"]) == (1, 1, 50)
    [shown] = page["items"]
    assert shown.keys() >= set(ARCHIVE.split())
    assert (shown["id"], shown["print_job_id"], shown["status"]) == (number, number, "completed")
    assert (shown["print_name"], shown["printer_display"]) == ("vase", "Alpha")
    assert (shown["completed_at"], shown["actual_duration_seconds"]) == (
        "2026-01-02T12:00:00.000Z",
        3600,
    )
    assert (shown["filament_used_grams"], shown["file_path"]) == (3.0, "vase.gcode")
    assert len(shown["file_hash"]) == 64 and shown["cost_estimate"] > 0
    assert (await desk.ask("GET", f"/archives/{number}")).json() == shown
    assert await ArchiveNote.all().count() == 0


async def test_what_runs_or_never_began_is_no_record(desk: Desk) -> None:
    """A job that waits, and one that prints; once more started, a print is not over any more."""
    number = await printed(desk, end="fail")
    job = (await desk.ask("POST", "/jobs", json={"item_name": "waits"})).json()
    assert await names(desk) == ["vase"]
    row = await Print.get(id=number)
    await desk.ask("POST", f"/jobs/{row.job_id}/reset")
    await desk.ask("POST", f"/printers/{desk.printer_id}/plate-cleared")
    started = await desk.ask("POST", f"/jobs/{row.job_id}/start")
    assert started.status_code == 200, started.text
    assert await names(desk) == []
    await refused(await desk.ask("GET", f"/archives/{number}"), 404, "not_found")
    await desk.ask("POST", f"/jobs/{row.job_id}/complete")
    assert (await desk.ask("GET", f"/archives/{number}")).json()["status"] == "completed"
    assert job["status"] == "pending"


async def test_the_list_is_filtered(desk: Desk) -> None:
    """Printer, status, words, days and tag; the one that ended last first."""
    one, two = await printed(desk, "One_%"), await printed(desk, "two", end="fail")
    other = (await desk.ask("POST", "/printers", json={"name": "Beta"})).json()["id"]
    three = await printed_again(desk, item_name="Three", printer_id=other)
    await ended_at(one, 2026, 1, 3, 23, 30)
    await ended_at(two, 2026, 1, 2, 12)
    await ended_at(three, 2026, 1, 1, 12)
    await desk.ask("PATCH", f"/archives/{two}/tags", json={"tags": ["blue", "tall"]})
    assert await names(desk) == ["One_%", "two", "Three"]
    for query, found in (
        (f"?printer_id={other}", ["Three"]),
        ("?status=failed", ["two"]),
        ("?search=THREE", ["Three"]),
        ("?search=_%25", ["One_%"]),
        ("?search=x_", []),
        ("?tag=tall", ["two"]),
        ("?tag=tal", []),
        ("?start_date=2026-01-02", ["One_%", "two"]),
        ("?end_date=2026-01-02", ["two", "Three"]),
        ("?start_date=2026-01-03&end_date=2026-01-03", ["One_%"]),
        ("?end_date=2026-01-02T12:00:00Z", ["Three"]),
        ("?page=2&per_page=2", ["Three"]),
        ("?skip=1&limit=1", ["two"]),
        ("?page=9", []),
    ):
        assert await names(desk, query) == found, query


async def test_a_filter_out_of_limits_is_named(desk: Desk) -> None:
    """422 for the list, the log and its export."""
    for query, field in (
        ("page=0", "page"),
        ("page=1000000001", "page"),
        ("per_page=0", "per_page"),
        ("per_page=201", "per_page"),
        ("status=running", "status"),
        ("search=" + "x" * 201, "search"),
        ("tag=" + "x" * 51, "tag"),
        ("start_date=yesterday", "start_date"),
        ("printer_id=x", "printer_id"),
    ):
        for path in ("/archives", "/archives/log", "/archives/log/export"):
            if "page" in query and path.endswith("export"):
                continue
            answer = await desk.ask("GET", f"{path}?{query}")
            assert answer.status_code == 422, (path, query, answer.text)
            assert field in str(answer.json()["detail"])


async def test_the_log_names_people(desk: Desk) -> None:
    """Flat lines with `user_name`; those of one person."""
    await printed(desk)
    [line] = (await desk.ask("GET", "/archives/log")).json()["items"]
    assert (line["user_name"], line["printer_name"]) == ("admin", "Alpha")
    assert "notes" not in line and "file_path" not in line
    assert await names(desk, f"?user_id={line['user_id']}", "/archives/log") == ["vase"]
    assert await names(desk, "?user_id=987", "/archives/log") == []


async def test_no_cell_of_the_export_is_a_formula(desk: Desk) -> None:
    """S29: names, tags and notes are text; the filters hold."""
    evil = "=HYPERLINK(1)"
    number = await printed_again(desk, item_name=evil)
    await printed_again(desk, "fail", item_name="other")
    await desk.ask("PATCH", f"/archives/{number}", json={"notes": "+1\n=2"})
    await desk.ask("PATCH", f"/archives/{number}/tags", json={"tags": ["@x"]})
    answer = await desk.ask("GET", "/archives/log/export?status=completed")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["Content-Disposition"]
    assert answer.headers["X-Total-Count"] == "1"
    header, line = [*csv.reader(io.StringIO(answer.text))]
    assert header[:4] == ["Print Name", "Printer", "User", "Status"]
    assert (line[0], line[9], line[10]) == (f"'{evil}", "'@x", "'+1\n=2")


async def test_the_export_walks_through_all(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than are read at a time, also where several ended in the same moment."""
    monkeypatch.setattr("api.jobs.ended._STEP", 2)
    for number in range(5):
        await ended_at(await printed_again(desk, item_name=f"p{number}"), 2026, 1, 1 + number // 3)
    answer = await desk.ask("GET", "/archives/log/export")
    lines = [*csv.reader(io.StringIO(answer.text))][1:]
    assert [line[0] for line in lines] == ["p4", "p3", "p2", "p1", "p0"]


async def test_two_records_are_compared(desk: Desk) -> None:
    """Both, and only the fields in which they differ."""
    one, two = await printed(desk), await printed(desk, end="fail")
    await ended_at(one, 2026, 1, 1, printed_s=60)
    await ended_at(two, 2026, 1, 1, printed_s=90)
    found = (await desk.ask("GET", f"/archives/compare?a={one}&b={two}")).json()
    assert (found["a"]["id"], found["b"]["id"]) == (one, two)
    assert found["diff"]["status"] == {"a": "completed", "b": "failed"}
    assert found["diff"]["actual_duration_seconds"] == {"a": 60, "b": 90}
    assert "print_name" not in found["diff"] and "completed_at" not in found["diff"]
    await refused(await desk.ask("GET", f"/archives/compare?a={one}&b=987"), 404, "not_found")
    await refused(await desk.ask("GET", f"/archives/compare?a={one}"), 422, "validation_failed")


async def test_people_say_something_of_a_print(desk: Desk) -> None:
    """Notes are set, kept and cleared; the audit trail says who; a dry run changes nothing."""
    number = await printed(desk)
    path = f"/archives/{number}"
    dry = await desk.ask("PATCH", path, json={"notes": "dry"}, headers={"X-Dry-Run": "1"})
    assert dry.json()["would_execute"]["action"] == "archive.updated"
    assert (await desk.ask("GET", path)).json()["notes"] is None
    for body, notes in (({"notes": "Good"}, "Good"), ({}, "Good"), ({"notes": None}, None)):
        answer = await desk.ask("PATCH", path, json=body)
        assert answer.json() == {"status": "updated", "id": number, "notes": notes}
    entries = AuditEntry.filter(action="archive.updated", entity_id=str(number))
    assert await entries.count() == 2
    long = await desk.ask("PATCH", path, json={"notes": "x" * 10_001})
    assert long.status_code == 422 and "notes" in long.text


async def test_tags_are_set_whole(desk: Desk) -> None:
    """Trimmed, once each, in their order; out of limits the field is named."""
    path = f"/archives/{await printed(desk)}/tags"
    answer = await desk.ask("PATCH", path, json={"tags": [" tall ", "blue", "tall", " "]})
    assert answer.json() == {"tags": ["tall", "blue"]}
    answer = await desk.ask("PATCH", path, json={"tags": ["blue"]})
    [shown] = (await desk.ask("GET", "/archives")).json()["items"]
    assert shown["tags"] == answer.json()["tags"] == ["blue"]
    for tags in (["x" * 51], ["x"] * 51, "blue", None):
        answer = await desk.ask("PATCH", path, json={"tags": tags})
        assert answer.status_code == 422 and "tags" in answer.text, tags


async def test_a_deleted_record_is_shown_no_more(desk: Desk) -> None:
    """Out of lists, log and counts; the print still counts in reports."""
    number = await printed(desk)
    await desk.ask("PATCH", f"/archives/{number}/tags", json={"tags": ["gone"]})
    operator = await somebody(desk, "operator")
    path = f"/archives/{number}"
    await refused(await desk.ask("DELETE", path, headers=operator), 403, "permission_denied")
    assert (await desk.ask("DELETE", path)).json() == {"status": "deleted", "id": number}
    await refused(await desk.ask("DELETE", path), 404, "not_found")
    await refused(await desk.ask("PATCH", path, json={"notes": "x"}), 404, "not_found")
    assert await names(desk) == []
    assert (await desk.ask("GET", "/tags")).json() == {"tags": []}
    assert len((await desk.ask("GET", "/print-jobs")).json()) == 1


async def test_roles(desk: Desk) -> None:
    """Viewers look, operators write; a token of the jobs' scope does what its owner may."""
    number = await printed(desk)
    viewer = await somebody(desk, "viewer")
    for path in ("", "/log", "/log/export", f"/{number}", f"/compare?a={number}&b={number}"):
        assert (await desk.ask("GET", f"/archives{path}", headers=viewer)).status_code == 200
    note = await desk.ask("PATCH", f"/archives/{number}", json={}, headers=viewer)
    await refused(note, 403, "permission_denied")
    body = {"printer_id": desk.printer_id}
    again = await desk.ask("POST", f"/archives/{number}/reprint", json=body, headers=viewer)
    await refused(again, 403, "permission_denied")
    scoped = await somebody(desk, "operator", ("write:jobs",))
    again = await desk.ask("POST", f"/archives/{number}/reprint", json=body, headers=scoped)
    assert again.status_code == 200, again.text
    other = await somebody(desk, "operator", ("write:spools",))
    await refused(await desk.ask("GET", "/archives", headers=other), 403, "scope_denied")


async def test_a_reprint_is_a_job_for_the_same_file(desk: Desk) -> None:
    """Queued and checked like every other; with an Idempotency-Key once."""
    number = await printed(desk, priority=2, required_tags=["clean"])
    other = (await desk.ask("POST", "/printers", json={"name": "Beta"})).json()["id"]
    path, body = f"/archives/{number}/reprint", {"printer_id": other}
    dry = await desk.ask("POST", path, json=body, headers={"X-Dry-Run": "true"})
    assert dry.json()["would_execute"]["action"] == "queue_job"
    key = {"Idempotency-Key": "once"}
    made = (await desk.ask("POST", path, json=body, headers=key)).json()
    again = await desk.ask("POST", path, json=body, headers=key)
    assert again.json() == made and again.headers["X-Idempotent-Replay"] == "true"
    assert (made["status"], "Beta" in made["message"]) == ("created", True)
    job = (await desk.ask("GET", f"/jobs/{made['job_id']}")).json()
    assert (job["printer_id"], job["status"], job["priority"]) == (other, "pending", 2)
    assert (job["item_name"], job["required_tags"]) == ("vase", ["clean"])
    first = await Job.get(id=(await Print.get(id=number)).job_id)
    assert (await Job.get(id=made["job_id"])).blob_id == first.blob_id
    await refused(await desk.ask("POST", path, json={"printer_id": 987}), 404, "printer_not_found")
    assert await Job.all().count() == 2


async def test_a_reprint_without_a_file_says_so(desk: Desk) -> None:
    """400 in the dialect's sense: the print of a job by hand, and of the printer's own card."""
    number = await printed_again(desk, item_name="by hand")
    path = f"/archives/{number}/reprint"
    error = await refused(
        await desk.ask("POST", path, json={"printer_id": desk.printer_id}), 400, "bad_request"
    )
    assert "file" in error["detail"]
    await Print.filter(id=number).update(job_id=None, file_name="CARD.GCO")
    shown = (await desk.ask("GET", f"/archives/{number}")).json()
    assert (shown["print_name"], shown["job_id"], shown["user_id"]) == ("CARD.GCO", None, None)
    answer = await desk.ask("POST", path, json={"printer_id": desk.printer_id})
    await refused(answer, 400, "bad_request")


async def test_a_reprint_is_refused_where_the_printer_may_not(desk: Desk) -> None:
    """The preflight of every new job: too hot for that printer."""
    number = await printed(desk, text=b"G28\nM104 S240\nG1 X1 E1\n")
    cold = {"name": "Cold", "profile": {"max_nozzle_c": 230}}
    other = (await desk.ask("POST", "/printers", json=cold)).json()["id"]
    answer = await desk.ask("POST", f"/archives/{number}/reprint", json={"printer_id": other})
    assert (await refused(answer, 422, "limit_exceeded"))["line"] == 2


async def test_a_reprint_out_of_limits_names_the_field(desk: Desk) -> None:
    """422, and no job; a tool cannot be fed from another slot than its own."""
    number = await printed(desk)
    wrong: tuple[tuple[str, Any], ...] = (
        ("printer_id", 0),
        ("printer_id", None),
        ("plate_index", 1),
        ("ams_mapping", [{"source_slot": 0, "target_slot": 0}]),
        ("ams_mapping", [{"source_slot": 0, "target_slot": 3}]),
        ("ams_mapping", [{"source_slot": 0, "target_slot": 1}] * 17),
    )
    for field, value in wrong:
        body = {"printer_id": desk.printer_id, field: value}
        answer = await desk.ask("POST", f"/archives/{number}/reprint", json=body)
        assert answer.status_code == 422 and field in answer.text, (field, value)
    assert await Job.all().count() == 1


async def test_what_a_reprint_needs_is_laid_beside_what_hangs_there(desk: Desk) -> None:
    """Required by tool, available by slot, and the slot that feeds the tool if it fits."""
    number = await printed(desk)
    path = f"/archives/{number}/ams-preview"
    found = (await desk.ask("GET", path)).json()
    assert (found["available"], found["suggested_mapping"]) == ([], [])
    [needed] = found["required"]
    assert (needed["slot"], needed["material"], needed["color"]) == (0, "PLA", "#FF0000")
    slot = f"/printers/{desk.printer_id}/slots/1"
    for values, confidence in (
        ({"filament_type": "PLA", "color_hex": "#ff0000"}, "exact"),
        ({"filament_type": "PLA", "color_hex": "#00ff00"}, "material_only"),
        ({"filament_type": "PETG"}, None),
    ):
        assert (await desk.ask("PATCH", slot, json=values)).status_code == 200
        found = (await desk.ask("GET", f"{path}?printer_id={desk.printer_id}")).json()
        pair = {"source_slot": 0, "target_slot": 1, "confidence": confidence}
        assert found["suggested_mapping"] == ([pair] if confidence else []), values
        assert [each["slot"] for each in found["available"]] == [1, 2, 3, 4]
    await refused(await desk.ask("GET", f"{path}?printer_id=987"), 404, "printer_not_found")


async def test_a_suggestion_is_taken_back(desk: Desk) -> None:
    """The only spool feeds a print of one filament, wherever it hangs; a reprint takes that."""
    number = await printed(desk)
    filament = {"brand": "Acme", "name": "Red", "material": "PLA", "color_hex": "#FF0000"}
    kind = (await desk.ask("POST", "/filaments", json=filament)).json()["id"]
    spool = (await desk.ask("POST", "/spools", json={"filament_id": kind})).json()["id"]
    load = {"printer_id": desk.printer_id, "slot_number": 3}
    assert (await desk.ask("POST", f"/spools/{spool}/load", json=load)).status_code == 200
    path = f"/archives/{number}"
    preview = await desk.ask("GET", f"{path}/ams-preview?printer_id={desk.printer_id}")
    mapping = preview.json()["suggested_mapping"]
    assert mapping == [{"source_slot": 0, "target_slot": 3, "confidence": "exact"}]
    body = {"printer_id": desk.printer_id, "ams_mapping": mapping}
    assert (await desk.ask("POST", f"{path}/reprint", json=body)).status_code == 200


async def test_spools_say_what_a_print_took(desk: Desk) -> None:
    """Grams as they were taken, and from which spool, in the dialect's JSON text."""
    filament = {"brand": "Acme", "name": "Red", "material": "PLA"}
    kind = (await desk.ask("POST", "/filaments", json=filament)).json()["id"]
    spool = (await desk.ask("POST", "/spools", json={"filament_id": kind})).json()["id"]
    load = {"printer_id": desk.printer_id, "slot_number": 1}
    assert (await desk.ask("POST", f"/spools/{spool}/load", json=load)).status_code == 200
    number = await printed(desk)
    shown = (await desk.ask("GET", f"/archives/{number}")).json()
    assert shown["filament_used_grams"] == 3.0
    assert shown["consumption_json"] == f'[{{"spool_id":{spool},"grams":3.0}}]'


async def test_what_was_said_goes_with_its_print(desk: Desk) -> None:
    """Retention removes old jobs with their prints, and so the notes and tags of these."""
    number = await printed(desk)
    await desk.ask("PATCH", f"/archives/{number}", json={"notes": "x"})
    await desk.ask("PATCH", f"/archives/{number}/tags", json={"tags": ["x"]})
    await Job.all().update(updated_at=datetime(2020, 1, 1, tzinfo=UTC))
    await desk.ask("PUT", "/config/retention", json={"completed_jobs_days": 1})
    cleaned = (await desk.ask("POST", "/admin/retention/cleanup")).json()
    assert cleaned["deleted"]["completed_jobs"] == 1
    assert (await ArchiveNote.all().count(), await ArchiveTag.all().count()) == (0, 0)
