"""A room that is cut off goes on with its next jobs; both histories become one (real processes).

Link contract, "Assignments are leases"; safety M15. The API is frozen, so to the room it is gone
without a word; nothing it says meanwhile is believed, nothing it did not know is done twice.
"""

import json
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from infra.farm.started import StartedFarm
from tests.fakes.signals import send_signal
from tests.flows.conftest import DATA, Faces, commands_of, eventually
from tests.flows.test_link_plate import bridge
from tests.flows.test_print import run_by_firmware

pytestmark = [pytest.mark.flow, pytest.mark.timeout(400)]

CUBE = (DATA / "cube_small.gcode").read_text("utf-8")
OTHER = CUBE.replace("\n", "\nM117 the other one\n", 1)


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faces]:
    """Two printers: the first clears its plate itself, the second waits for a person's word."""
    directory = tmp_path_factory.mktemp("alone")
    with pytest.MonkeyPatch.context() as patch:
        for name, seconds in (("BEAT", "1"), ("DEAD", "3"), ("ALONE_AFTER", "2")):
            patch.setenv(f"GANTRY_{name}_S", seconds)
        options = ("--printers", "2", "--speed", "150", "--no-demo-job")
        with StartedFarm(directory, *options) as farm:
            faces = Faces(farm)
            second = farm.ready["printers"][1]["id"]
            changed = faces.v1.patch(f"/printers/{second}", json={"plate_policy": "confirm"})
            assert changed.status_code == 200, changed.text
            yield faces
            faces.close()


def executed(faces: Faces, number: int) -> list[str]:
    """What the firmware of printer *number* ran, without what a host adds around a job."""
    log = faces.farm.ready["printers"][number]["executed_log"]
    lines = Path(log).read_text(encoding="utf-8").splitlines()
    return run_by_firmware([line for line in lines if not line.startswith("\t")])


def queued(faces: Faces, name: str, text: str, printer: int) -> int:
    """A job for that printer alone."""
    files = {"file": (f"{name}.gcode", text)}
    upload = faces.v1.post("/print-files/upload", files=files).json()
    body = {"item_name": name, "print_file_id": upload["id"], "printer_id": printer}
    made = faces.v1.post("/jobs", json=body)
    assert made.status_code in (200, 201), made.text
    return int(made.json()["id"])


def status(faces: Faces) -> Any:
    """What `bridge status --json` says in the room, without waiting for its process."""
    known = faces.farm.directory / "data" / "bridge" / "status.json"
    return json.loads(known.read_text("utf-8"))


def lent(faces: Faces) -> set[int]:
    """Jobs that the room may start alone, with their files in its spool."""
    return {each["job"] for each in status(faces)["leases"] if each["file"]}


def test_room_goes_on_alone_and_histories_merge(faces: Faces) -> None:
    """Two jobs in order on a printer that clears itself, one on the other after each plate's word;
    the API comes back and has each completed once, at the time at which it was.
    """
    first, second = (each["id"] for each in faces.farm.ready["printers"])
    runs = [queued(faces, f"run {n}", text, first) for n, text in enumerate((CUBE, CUBE, OTHER))]
    waits = [queued(faces, f"waits {n}", CUBE, second) for n in range(2)]
    wanted = {runs[-1], *waits}
    eventually(lambda: wanted <= lent(faces), 60.0, "the next jobs are with the room")
    api = faces.farm.ready["processes"]["api"]
    send_signal(api, signal.SIGSTOP)
    try:
        before = len(executed(faces, 0))
        cube, other = commands_of(CUBE), commands_of(OTHER)
        done = lambda: executed(faces, 0) == [*cube, *cube, *other]  # noqa: E731
        eventually(done, 180.0, "the first printer goes on alone")
        assert before <= len([*cube, *cube]), "the last job has begun while the API was frozen"
        assert executed(faces, 1) == []
        (waiting, *_) = [each for each in status(faces)["leases"] if each["job"] == waits[0]]
        assert "bridge plate clear" in waiting["waits_for"]
        slug = faces.farm.ready["printers"][1]["slug"]
        assert bridge(faces, "plate", "clear", str(slug)).returncode == 0
        eventually(lambda: executed(faces, 1) == cube, 120.0, "the second printer, once told")
        eventually(lambda: lent(faces) == {waits[1]}, 30.0, "the last one waits for its plate")
        assert f"lease      {slug}: job {waits[1]}" in bridge(faces, "status").stdout
        returned_at = datetime.now(UTC)
    finally:
        send_signal(api, signal.SIGCONT)

    def states() -> list[str]:
        return [faces.job_of(job)["status"] for job in (*runs, *waits)]

    told = ["completed"] * 4 + ["waiting_plate_clear"]
    eventually(lambda: states() == told, 60.0, "the histories are one")
    assert executed(faces, 0) == [*cube, *cube, *other]
    assert executed(faces, 1) == cube
    for job in (runs[-1], waits[0]):
        ended = datetime.fromisoformat(faces.job_of(job)["actual_end"])
        assert ended < returned_at
