"""Plates and ends at the machine itself: what people in the room do, with real processes."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.farm.started import StartedFarm
from tests.fakes.signals import send_signal
from tests.flows.conftest import DATA, Faces, eventually

pytestmark = [pytest.mark.flow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def confirming(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faces]:
    """A farm begun with nothing at all; its one printer waits for somebody to look at its plate."""
    directory = tmp_path_factory.mktemp("confirming")
    with StartedFarm(directory, "--printers", "1", "--speed", "0", "--no-demo-job") as farm:
        faces = Faces(farm)
        body = {"plate_policy": "confirm"}
        changed = faces.v1.patch(f"/printers/{faces.printer['id']}", json=body)
        assert changed.status_code == 200, changed.text
        yield faces
        faces.close()


def bridge(faces: Faces, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command of the operator in the room."""
    state = faces.farm.directory / "data" / "bridge"
    return subprocess.run(
        [sys.executable, "-m", "bridge", *arguments, "--state-dir", str(state)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_plate_is_cleared_in_the_room(confirming: Faces) -> None:
    """safety M15: `bridge plate clear`: one claim, one start; the next job waits again."""
    slug = str(confirming.get_v1(f"/printers/{confirming.printer['id']}")["slug"])
    cube = (DATA / "cube_small.gcode").read_text("utf-8")
    upload = confirming.v1.post("/print-files/upload", files={"file": ("cube.gcode", cube)}).json()
    wanted = {"print_file_id": upload["id"], "printer_id": confirming.printer["id"]}
    first, second = (
        confirming.v1.post("/jobs", json={"item_name": name, **wanted}).json()["id"]
        for name in ("first", "second")
    )

    def waits(job: int) -> bool:
        return bool(confirming.job_of(job)["status"] == "waiting_plate_clear")

    eventually(lambda: waits(first), 30.0, "the first job waits for the plate")
    said = bridge(confirming, "plate", "clear", slug)
    assert said.returncode == 0, said.stderr
    completed = lambda: confirming.job_of(first)["status"] == "completed"  # noqa: E731
    eventually(completed, 120.0, "the first job")
    eventually(lambda: waits(second), 30.0, "the second job waits for the plate")
    unknown = bridge(confirming, "plate", "clear", "nobody")
    assert unknown.returncode == 2
    assert slug in unknown.stderr


def test_agent_that_ends_says_so(confirming: Faces) -> None:
    """SIGTERM closes the link at once: the API knows before any silence could tell it."""
    farm = confirming.farm
    old = farm.ready["processes"]["agent"]
    send_signal(old, signal.SIGTERM)
    eventually(lambda: not Path(f"/proc/{old}").exists(), 20.0, "the agent has ended")
    eventually(lambda: farm.ready["processes"]["agent"] not in (0, old), 60.0, "another agent")

    def age_s() -> float | None:
        state = farm.directory / "data" / "bridge" / "status.json"
        known = json.loads(state.read_text("utf-8"))
        is_new = known["agent"]["pid"] != old and known["link"]["state"] == "open"
        found: float | None = known["link"]["age_s"] if is_new else None
        return found

    eventually(lambda: age_s() is not None, 60.0, "the new link stands")
    shown = bridge(confirming, "status").stdout
    assert "link       open for" in shown
    assert "commands confirmed" in shown
