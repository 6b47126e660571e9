"""kill -9 in the middle of a print: the byte stream to the printer does not change."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.farm.started import StartedFarm
from tests.fakes.migrated import sqlite_into
from tests.fakes.signals import send_signal
from tests.flows.conftest import MINUTE_SPEED, Faces, Running, commands_of, eventually
from tests.flows.test_print import executed_since

pytestmark = [pytest.mark.flow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def slow_farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartedFarm]:
    """A farm whose one printer takes about a minute for its print; the data path is a long one."""
    directory = tmp_path_factory.mktemp("farm") / ("a" * 100) / ("b" * 100)
    sqlite_into(directory / "data")
    with StartedFarm(
        directory, "--printers", "1", "--speed", MINUTE_SPEED, "--no-demo-job"
    ) as started:
        yield started


def kill(farm: Running, name: str) -> None:
    """SIGKILL the process, and wait until the farm has started another."""
    old = farm.ready["processes"][name]
    send_signal(old, signal.SIGKILL)
    eventually(lambda: farm.ready["processes"][name] not in (0, old), 60.0, f"{name} is back")


def truth(faces: Faces, job_id: int) -> bool:
    """Whether both faces show the print that is running."""
    job = faces.job_of(job_id)
    shown = faces.get_octoprint("/api/job")
    printer = faces.get_v1(f"/printers/{faces.printer['id']}")
    return bool(
        job["status"] == "printing"
        and shown["state"].startswith("Printing")
        and printer["status"] == "printing"
    )


def test_killed_api_and_agent_do_not_touch_the_print(slow_farm: StartedFarm, minute: str) -> None:
    """API and agent twice each: lines as without, truth within 10 s, one job, one attempt."""
    faces = Faces(slow_farm)
    sender = slow_farm.ready["printers"][0]["sender_pid"]
    answer = faces.octoprint.post(
        "/api/files/local", files={"file": ("vase.gcode", minute)}, data={"print": "true"}
    )
    assert answer.json()["effectivePrint"] is True
    job = faces.get_v1("/jobs")[0]
    eventually(lambda: truth(faces, job["id"]), 30.0, "printing")
    progress: list[float] = []
    for name in ("api", "agent", "api", "agent"):
        time.sleep(1.5)
        kill(slow_farm, name)
        eventually(lambda: truth(faces, job["id"]), 10.0, f"truth after killing the {name}")
        progress.append(eventually(faces.progress, 10.0, f"progress after killing the {name}"))
    assert slow_farm.ready["printers"][0]["sender_pid"] == sender
    eventually(lambda: faces.job_of(job["id"])["status"] == "completed", 180.0, "completed", 0.5)
    assert progress == sorted(progress)
    assert len(faces.get_v1("/jobs")) == 1
    assert faces.job_of(job["id"])["attempt"] == 1
    assert executed_since(faces, 0, len(commands_of(minute))) == commands_of(minute)
    assert faces.get_octoprint("/api/job")["progress"]["completion"] == 100
    faces.close()


def test_restarted_farm_keeps_its_data(slow_farm: StartedFarm) -> None:
    """Ctrl-C ends every process; a second start shows the same credentials and the same job."""
    before = slow_farm.ready
    faces = Faces(slow_farm)
    jobs = faces.get_v1("/jobs")
    faces.close()
    pids = [*before["processes"].values(), *(each["sender_pid"] for each in before["printers"])]
    assert slow_farm.stop() == 0
    assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []
    slow_farm.start()
    after = slow_farm.ready
    assert (after["admin"], after["token"]) == (before["admin"], before["token"])
    assert after["printers"][0]["octoprint_key"] == before["printers"][0]["octoprint_key"]
    faces = Faces(slow_farm)
    assert faces.get_v1("/jobs") == jobs
    faces.close()
