"""kill -9 of a sender whose printer waits for a person, and of one that cancels a print."""

import signal
from collections.abc import Iterator

import pytest

from tests.fakes.hand_farm import HandFarm
from tests.fakes.signals import send_signal
from tests.flows.conftest import Faces, eventually

pytestmark = [pytest.mark.flow, pytest.mark.timeout(300)]

MOVES = [f"G1 X{at % 90}.5 Y{at % 97}.25 F3000" for at in range(60)]
FILE = ["G28", "M104 S60", *MOVES[:30], "M600", *MOVES[30:], "M104 S0"]
#: Long enough to be killed within it; relative, so that a line twice would be seen.
CANCEL = ["G91", "G1 Z4 F605", "G4 P60000", "G4 P61000", "G90", "M104 S0", "M140 S0", "M300 S5"]


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HandFarm]:
    """A farm whose board does not reset when its port is opened."""
    with HandFarm(tmp_path_factory.mktemp("waiting"), speed=20.0) as started:
        yield started


def kill_sender(farm: HandFarm) -> None:
    """SIGKILL the sender, and wait for the next one."""
    old = farm.sender_pid
    send_signal(old, signal.SIGKILL)
    eventually(lambda: farm.sender_pid not in (0, old), 60.0, "another sender")


def test_a_filament_change_and_its_cancel_outlive_their_senders(farm: HandFarm) -> None:
    """Both faces say what is waited for; the cancel that was answered is done, each line once."""
    faces = Faces(farm)
    path = f"/printers/{faces.printer['id']}"
    assert faces.v1.patch(path, json={"scripts": {"on_cancel": "\n".join(CANCEL)}}).is_success
    begun = faces.octoprint.post(
        "/api/files/local",
        files={"file": ("asks.gcode", "\n".join(FILE))},
        data={"print": "true"},
    )
    assert begun.json()["effectivePrint"] is True
    job = faces.get_v1("/jobs")[0]["id"]
    eventually(lambda: "M600" in faces.executed(), 60.0, "it asks for filament")
    eventually(lambda: faces.get_v1(path)["state"] == "pausing", 10.0, "pausing")
    kill_sender(farm)
    waits = "it waits for a person at the printer"
    eventually(lambda: waits in faces.get_v1(path)["state_reason"], 30.0, "v1 says why")
    eventually(lambda: waits in faces.get_octoprint("/api/job")["error"], 10.0, "OctoPrint says it")
    assert faces.octoprint.post("/api/job", json={"command": "cancel"}).status_code == 204
    eventually(lambda: "G4 P60000" in faces.executed(), 30.0, "the script for a cancel")
    kill_sender(farm)
    eventually(lambda: faces.job_of(job)["status"] == "cancelled", 60.0, "cancelled")
    eventually(lambda: faces.get_v1(path)["state"] == "operational", 30.0, "operational")
    eventually(lambda: faces.executed()[-1] == CANCEL[-1], 10.0, "the log")
    ran = faces.executed()
    end = ran.index("M600") + 1
    own = ("M400", "M105", "M113", "M115", "M154", "M155", "M114", "M110", "M27")
    assert [line for line in ran[end:] if line.split()[0] not in own] == CANCEL
    assert faces.job_of(job)["attempt"] == 1
    faces.close()
