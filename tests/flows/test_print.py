"""A real sliced file through each face: every command once, in order, and both faces agree."""

import httpx
import pytest

from tests.flows.conftest import Faces, commands_of, eventually

pytestmark = [pytest.mark.flow, pytest.mark.timeout(300)]

#: What a host sends around a job beside the file: acknowledged, never motion.
HOST_COMMANDS = {"M400", "M115", "M110", "M155", "M105", "M114", "M113", "M154"}


def run_by_firmware(lines: list[str]) -> list[str]:
    """The file's part of the firmware's log."""
    return [line for line in lines if line.split()[0] not in HOST_COMMANDS]


def executed_since(faces: Faces, before: int, count: int) -> list[str]:
    """The file's part of what the firmware ran after *before*, once it has *count* lines."""

    def enough() -> list[str] | None:
        lines = run_by_firmware(faces.executed()[before:])
        return lines if len(lines) >= count else None

    found: list[str] = eventually(enough, 10.0, "the firmware's log")
    return found


def watch_to_the_end(faces: Faces, job_id: int) -> list[float]:
    """The progress that v1 showed until the job was over; fails unless it completes."""
    seen: list[float] = []

    def over() -> bool:
        job = faces.job_of(job_id)
        printer = faces.get_v1(f"/printers/{faces.printer['id']}")
        if job["status"] == "printing" and printer.get("progress") is not None:
            seen.append(printer["progress"])
        assert job["status"] not in ("failed", "cancelled"), job
        return bool(job["status"] == "completed")

    eventually(over, 180.0, f"job {job_id} completed", every_s=0.2)
    return seen


def test_vase_uploaded_through_v1_prints_whole(faces: Faces, vase: str) -> None:
    """175 618 lines by print-files/upload and POST /jobs: exactly once, in order."""
    before = len(faces.executed())
    upload = faces.v1.post("/print-files/upload", files={"file": ("vase_medium.gcode", vase)})
    assert upload.status_code == 200, upload.text
    created = faces.v1.post(
        "/jobs",
        json={
            "item_name": "vase",
            "print_file_id": upload.json()["id"],
            "printer_id": faces.printer["id"],
        },
    )
    assert created.status_code == 201, created.text
    progress = watch_to_the_end(faces, created.json()["id"])
    assert progress == sorted(progress), "progress went back"
    assert executed_since(faces, before, len(commands_of(vase))) == commands_of(vase)
    job = faces.get_octoprint("/api/job")
    assert job["state"] == "Operational"
    assert job["progress"]["completion"] == 100
    assert job["progress"]["printTimeLeft"] == 0


def test_vase_uploaded_through_octoprint_prints_whole(faces: Faces, vase: str) -> None:
    """The same by a slicer's upload with print=true; both faces show the same end."""
    before = len(faces.executed())
    answer = faces.octoprint.post(
        "/api/files/local",
        files={"file": ("vase again.gcode", vase)},
        data={"select": "true", "print": "true"},
    )
    assert answer.status_code == 201, answer.text
    assert answer.json()["effectivePrint"] is True
    jobs = faces.get_v1("/jobs?limit=500")
    job = next(job for job in jobs if job["item_name"].startswith("vase again"))
    progress = watch_to_the_end(faces, job["id"])
    assert progress == sorted(progress), "progress went back"
    assert executed_since(faces, before, len(commands_of(vase))) == commands_of(vase)
    shown = faces.get_octoprint("/api/job")
    assert shown["job"]["file"]["name"] == "vase again.gcode"
    assert shown["progress"]["completion"] == 100


def test_busy_printer_queues_the_second_upload(faces: Faces, vase: str) -> None:
    """print=true while printing: stored, 201, effectivePrint false, a queued job, then printed."""
    first = faces.octoprint.post(
        "/api/files/local", files={"file": ("first.gcode", vase)}, data={"print": "true"}
    )
    assert first.json()["effectivePrint"] is True
    second = faces.octoprint.post(
        "/api/files/local",
        files={"file": ("second.gcode", "G28\nG1 X1 F600\nG1 X2\n")},
        data={"print": "true"},
    )
    assert second.status_code == 201
    assert second.json()["effectivePrint"] is False
    names = {job["item_name"]: job["id"] for job in faces.get_v1("/jobs?limit=500")}
    watch_to_the_end(faces, names["first.gcode"])
    watch_to_the_end(faces, names["second.gcode"])


def test_pause_resume_and_cancel_through_both_faces(faces: Faces, vase: str) -> None:
    """Each answer is what the printer reported; a cancelled job ends cancelled in both faces."""
    faces.octoprint.post(
        "/api/files/local", files={"file": ("control.gcode", vase)}, data={"print": "true"}
    )
    identity = faces.printer["id"]
    job = next(
        job for job in faces.get_v1("/jobs?limit=500") if job["item_name"] == "control.gcode"
    )
    eventually(lambda: faces.job_of(job["id"])["status"] == "printing", 20.0, "printing")
    paused = faces.v1.post(f"/printers/{identity}/pause")
    assert paused.status_code == 200, paused.text
    assert paused.json()["state"].startswith("PAUS")
    eventually(lambda: faces.get_octoprint("/api/job")["state"] == "Paused", 5.0, "Paused")
    assert faces.job_of(job["id"])["status"] == "paused"
    resumed = faces.octoprint.post("/api/job", json={"command": "pause", "action": "resume"})
    assert resumed.status_code == 204, resumed.text
    eventually(lambda: faces.job_of(job["id"])["status"] == "printing", 5.0, "printing again")
    assert faces.octoprint.post("/api/job", json={"command": "cancel"}).status_code == 204
    eventually(lambda: faces.job_of(job["id"])["status"] == "cancelled", 20.0, "cancelled")
    eventually(lambda: faces.get_octoprint("/api/job")["state"] == "Operational", 10.0, "idle")
    assert faces.get_octoprint("/api/job")["progress"]["completion"] is None
    released = faces.v1.post(f"/printers/{identity}/queue/release")
    assert released.status_code == 200, released.text


def test_temperature_above_the_limit_changes_nothing(faces: Faces) -> None:
    """A file that asks for 300 °C is refused with its line, before a heater moves."""
    upload = faces.v1.post(
        "/print-files/upload",
        files={"file": ("hot.gcode", "G28\nM104 S300\nG1 X10 F600\n")},
    )
    assert upload.status_code == 200, upload.text
    before = len(faces.executed())
    refused = faces.v1.post(
        "/jobs",
        json={
            "item_name": "hot",
            "print_file_id": upload.json()["id"],
            "printer_id": faces.printer["id"],
        },
    )
    assert refused.status_code == 422, refused.text
    assert refused.json()["error"]["code"] == "limit_exceeded"
    assert "2" in refused.json()["detail"] and "300" in refused.json()["detail"]
    assert all("S300" not in line for line in faces.executed()[before:])


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{", "application/json"),
        (b'{"item_name": NaN}', "application/json"),
        (b"[" * 100_000, "application/json"),
        (b'{"item_name": 5, "quantity": "x"}', "application/json"),
        (b'{"item_name": "\\ud800"}', "application/json"),
        (b"\xff\xfe", "text/plain"),
    ],
)
def test_broken_bodies_get_a_clear_error_in_both_faces(
    faces: Faces, body: bytes, kind: str
) -> None:
    """Malformed JSON, NaN, deep nesting and wrong types: never a 500, nothing changed."""
    jobs = len(faces.get_v1("/jobs?limit=500"))
    v1 = faces.v1.post("/jobs", content=body, headers={"Content-Type": kind})
    assert v1.status_code in (400, 415, 422), v1.text
    assert v1.json()["detail"]
    octoprint = faces.octoprint.post("/api/job", content=body, headers={"Content-Type": kind})
    assert octoprint.status_code in (400, 409, 415), octoprint.text
    assert octoprint.json()["error"]
    assert len(faces.get_v1("/jobs?limit=500")) == jobs


def test_unknown_things_answer_404_in_both_faces(faces: Faces) -> None:
    """Unknown ids and paths, in the face's own form."""
    for path in ("/printers/99999", "/jobs/99999", "/print-files/99999", "/nothing"):
        answer = faces.v1.get(path)
        assert answer.status_code == 404, path
        assert answer.json()["detail"]
    answer = faces.octoprint.get("/api/files/local/missing.gcode")
    assert answer.status_code == 404
    assert answer.json()["error"]
    other = httpx.get(
        f"{faces.farm.ready['url']}/octoprint/nobody/api/version", timeout=30, trust_env=False
    )
    assert other.status_code in (403, 404)


def test_missing_port_answer_says_which_exist(faces: Faces) -> None:
    """Creating a printer on a port that the room does not have names those it has."""
    bridge = faces.get_v1("/bridges")[0]
    refused = faces.v1.post(
        "/printers",
        json={
            "name": "Ghost",
            "api_type": "serial",
            "bridge_id": bridge["id"],
            "port_id": "usb-nothing",
        },
    )
    assert refused.status_code == 404, refused.text
    assert "virtual:sim1" in refused.text
