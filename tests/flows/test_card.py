"""A simulated printer with a card in its slot: listed, printed from, stopped, over both faces."""

from collections.abc import Iterator

import pytest

from infra.farm.started import StartedFarm
from tests.fakes.migrated import sqlite_into
from tests.flows.conftest import Faces, eventually

pytestmark = [pytest.mark.flow, pytest.mark.timeout(120)]

#: A minute at this speed: long enough to be paused and cancelled.
CARD, SPEED = "CUBE.GCO:4000,VASE.GCO:2400000", "20"


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faces]:
    directory = tmp_path_factory.mktemp("card")
    sqlite_into(directory / "data")
    options = ("--printers", "1", "--no-demo-job", "--speed", SPEED, "--card", CARD)
    with StartedFarm(directory, *options) as farm:
        found = Faces(farm)
        yield found
        found.close()


def told(faces: Faces, path: str, **body: object) -> dict[str, object]:
    """What the printer answers to a control route."""
    answer = faces.v1.post(f"/printers/{faces.printer['id']}{path}", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


def test_a_card_is_listed_printed_from_paused_and_cancelled(faces: Faces) -> None:
    """The whole way: API, link, agent, sender, firmware, and back as facts and pictures."""
    at = f"/printers/{faces.printer['id']}"
    told(faces, "/sd", action="mount")
    listed = eventually(lambda: faces.get_v1(f"{at}/sd-files")["files"], 10.0, "the card's list")
    assert [each["name"] for each in listed] == ["CUBE.GCO", "VASE.GCO"]
    assert faces.get_octoprint("/api/printer/sd") == {"ready": True}
    missing = faces.v1.post(f"{at}/sd", json={"action": "select", "name": "NONE.GCO"})
    assert missing.status_code == 409, missing.text
    assert "finds no" in missing.text
    told(faces, "/sd", action="start", name="VASE.GCO")
    job = eventually(
        lambda: (seen := faces.get_octoprint("/api/job"))["progress"]["completion"] and seen,
        20.0,
        "progress of the print from the card",
    )
    assert job["state"] == "Printing from SD"
    assert job["job"]["file"]["name"] == "VASE.GCO"
    live = faces.get_v1(f"{at}/live-status")
    assert (live["from_card"], live["file_name"]) == (True, "VASE.GCO")
    assert live["stop_reach"] == "at_once"
    told(faces, "/pause")
    eventually(lambda: faces.get_v1(at)["status"] == "paused", 10.0, "the pause")
    told(faces, "/resume")
    eventually(lambda: faces.get_v1(at)["status"] == "printing", 10.0, "the way on")
    told(faces, "/stop")
    eventually(lambda: faces.get_v1(at)["status"] == "idle", 20.0, "the end")

    def steered() -> list[str]:
        codes = [line.split()[0] for line in faces.executed()]
        return [code for code in codes if code in ("M24", "M25", "M524")]

    eventually(lambda: steered() == ["M24", "M25", "M24", "M524"], 10.0, "the firmware's log")


def test_heat_without_a_job_is_kept_by_renewing(faces: Faces) -> None:
    """The lease is shown, runs down, and begins anew when somebody asks."""
    at = f"/printers/{faces.printer['id']}"
    target = faces.octoprint.post(
        "/api/printer/tool", json={"command": "target", "targets": {"tool0": 60}}
    )
    assert target.status_code == 204, target.text
    left_s = eventually(lambda: faces.get_v1(at)["heat_lease_s"], 10.0, "the lease")
    assert left_s <= 900
    told(faces, "/heat-lease")
    assert eventually(lambda: faces.get_v1(at)["heat_lease_s"], 10.0, "the lease") > 800


def test_a_file_goes_to_the_card_over_the_cable(faces: Faces) -> None:
    """An upload to `sdcard`, by API, link, spool, sender and firmware: what came is on the card."""
    told(faces, "/sd", action="mount")
    lines = ["G28", *(f"G1 X{at % 90} F3000" for at in range(400)), "M117 done"]
    data = ("; small\n" + "\n".join(lines) + "\n").encode()
    before = faces.saved()
    answer = faces.octoprint.post("/api/files/sdcard", files={"file": ("part.gcode", data)})
    assert answer.status_code == 201, answer.text
    listed = eventually(
        lambda: [
            one["name"]
            for one in faces.get_octoprint("/api/files/sdcard")["files"]
            if one["name"].lower() == "part.gco"
        ],
        30.0,
        "the file on the card's list",
    )
    assert len(listed) == 1
    eventually(lambda: faces.saved() == [*before, *lines], 10.0, "the firmware's own file")


def test_a_stop_says_that_it_is_obeyed_at_once(faces: Faces) -> None:
    """The simulated firmware has an emergency parser, and the answer says so."""
    answer = told(faces, "/remote-stop")
    assert answer["obeys_at_once"] is True
    assert "at once" in str(answer["advice"])
