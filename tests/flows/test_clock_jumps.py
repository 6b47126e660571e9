"""The wall clocks of API and agent jump by an hour and by a day: prints and deadlines do not.

Real processes whose wall clock a test sets while they run (`tests.fakes.wall_clock`); their
monotonic clocks go on, as they do when somebody sets a machine's clock (safety R37, link "Clock").
"""

import signal
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.fakes.hand_farm import HandFarm
from tests.flows.conftest import Faces, commands_of, eventually
from tests.flows.test_kill import truth
from tests.flows.test_print import run_by_firmware

pytestmark = [pytest.mark.flow, pytest.mark.timeout(300)]

HOUR_S, DAY_S = 3600.0, 86_400.0
#: About ten seconds of the printer's time at the speed of this farm.
FILE = "G28\n" + "".join(f"G1 X{number % 50 + 1} F1200\n" for number in range(2000))
SHORT = "G28\nG1 X10 F1200\n"
JUMPS = [HOUR_S, -HOUR_S, -DAY_S, DAY_S, DAY_S, -DAY_S]


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HandFarm]:
    """One printer; API and agent with wall clocks of their own."""
    with HandFarm(tmp_path_factory.mktemp("clocks"), speed=20.0) as started:
        yield started


@pytest.fixture
def faces(farm: HandFarm) -> Iterator[Faces]:
    """Both faces of a farm whose clocks are right."""
    farm.api_wall.right()
    farm.agent_wall.right()
    made = Faces(farm)
    printer = made.printer["id"]
    made.v1.post(f"/printers/{printer}/queue/release").raise_for_status()
    eventually(lambda: made.get_v1(f"/printers/{printer}")["status"] == "idle", 60.0, "idle")
    yield made
    made.close()


def printing(faces: Faces, text: str) -> int:
    """The number of the job that prints *text*."""
    answer = faces.octoprint.post(
        "/api/files/local", files={"file": ("part.gcode", text)}, data={"print": "true"}
    )
    assert answer.json()["effectivePrint"] is True, answer.text
    job = newest(faces)
    eventually(lambda: faces.job_of(job)["status"] == "printing", 30.0, "printing")
    return job


def newest(faces: Faces) -> int:
    """The number of the job that was made last."""
    return max(int(job["id"]) for job in faces.get_v1("/jobs?limit=500"))


def executed(faces: Faces) -> list[str]:
    return run_by_firmware(faces.executed())


def ran_since(faces: Faces, before: int, lines: list[str]) -> list[str]:
    """What the firmware ran after *before*, once that is as much as *lines*."""
    eventually(lambda: len(executed(faces)) - before >= len(lines), 30.0, "the firmware's log")
    return executed(faces)[before:]


def test_jumps_in_mid_print_change_neither_print_nor_link(farm: HandFarm, faces: Faces) -> None:
    """Six jumps of each clock: the link stands, tokens work, the lines are the file's."""
    before = len(executed(faces))
    job = printing(faces, FILE)
    epoch = farm.status()["link"]["epoch"]
    for seconds in JUMPS:
        farm.api_wall.jump(seconds)
        eventually(lambda: truth(faces, job), 30.0, f"the API's clock jumped by {seconds} s")
        farm.agent_wall.jump(-seconds)
        eventually(lambda: truth(faces, job), 30.0, f"the agent's clock jumped by {-seconds} s")
        assert faces.get_v1("/bridges")[0]["online"] is True
    eventually(lambda: faces.job_of(job)["status"] == "completed", 60.0, "completed")
    shown = faces.job_of(job)
    assert shown["attempt"] == 1
    assert ran_since(faces, before, commands_of(FILE)) == commands_of(FILE)
    assert farm.status()["link"]["epoch"] == epoch, "the link was given up for a wall clock"


def test_jump_of_the_agents_clock_is_told(farm: HandFarm, faces: Faces) -> None:
    """People's times are wrong now: the log says so, and the status file by how much."""
    farm.agent_wall.jump(-HOUR_S)

    def is_told() -> bool:
        return bool(abs(farm.status()["link"]["clock_offset_s"] - HOUR_S) < 60)

    eventually(is_told, 20.0, "the status file says it")
    log = (farm.directory / "data" / "logs" / "agent.log").read_text("utf-8")
    assert "the bridge's wall clock was set back by 3600 s" in log


def test_deadline_is_not_stretched_by_a_clock_that_is_set_back(
    farm: HandFarm, faces: Faces
) -> None:
    """What waited for a frozen agent past its life does not reach the wire, whatever the clocks."""
    before = len(executed(faces))
    farm.agent.signal(signal.SIGSTOP)
    try:
        sent = faces.octoprint.post("/api/printer/command", json={"command": "M118 late"})
        assert sent.is_success or "not confirmed" in sent.text, sent.text
        farm.api_wall.jump(-DAY_S)
        time.sleep(31.0)
        farm.agent_wall.jump(-DAY_S)
    finally:
        farm.agent.signal(signal.SIGCONT)
    eventually(lambda: farm.status()["link"]["last_heard_s"] < 5, 30.0, "it listens again")
    faces.octoprint.post("/api/printer/command", json={"command": "M118 prompt"})
    eventually(lambda: "M118 prompt" in executed(faces)[before:], 30.0, "the next one")
    assert "M118 late" not in executed(faces)[before:]


def test_start_that_a_clock_made_too_old_starts_once_at_most(farm: HandFarm, faces: Faces) -> None:
    """A day passes between order and start, by the API's clock only: never twice, and told."""
    before = len(executed(faces))
    farm.agent.signal(signal.SIGKILL)
    farm.agent.gone()
    answer = faces.octoprint.post(
        "/api/files/local", files={"file": ("short.gcode", SHORT)}, data={"print": "true"}
    )
    assert answer.status_code == 201, answer.text
    job = newest(faces)
    farm.api_wall.jump(DAY_S)
    farm.agent.start()
    farm.api_wall.jump(-DAY_S)
    eventually(lambda: faces.get_v1("/bridges")[0]["online"], 60.0, "the room is back")
    eventually(lambda: faces.job_of(job)["status"] == "completed", 60.0, "completed")
    assert ran_since(faces, before, commands_of(SHORT)) == commands_of(SHORT)


def test_heat_lease_holds_and_ends_by_another_clock(farm: HandFarm, faces: Faces) -> None:
    """A day forward does not end it, a day back does not prolong it."""
    target = faces.octoprint.post(
        "/api/printer/tool", json={"command": "target", "targets": {"tool0": 60}}
    )
    assert target.status_code == 204, target.text
    at = f"/printers/{faces.printer['id']}"

    def lease() -> float:
        return float(faces.get_v1(at)["heat_lease_s"] or 0.0)

    begun, first_s = time.monotonic(), eventually(lease, 20.0, "the lease")
    for seconds in (DAY_S, -DAY_S, -DAY_S, DAY_S):
        farm.api_wall.jump(seconds)
        farm.agent_wall.jump(seconds)
        left_s, passed_s = lease(), time.monotonic() - begun
        assert first_s - passed_s - 20.0 <= left_s <= first_s
    tool = faces.get_octoprint("/api/printer")["temperature"]["tool0"]
    assert tool["target"] == 60
    faces.octoprint.post("/api/printer/tool", json={"command": "target", "targets": {"tool0": 0}})


def test_tokens_go_by_the_wall_clock_as_documented(farm: HandFarm, faces: Faces) -> None:
    """An API token has no end; a session ends after its hours, and one that has ended stays so."""
    url = f"{farm.ready['url']}/api/v1"
    patient: Any = {"timeout": 30, "trust_env": False}
    login = httpx.post(f"{url}/auth/login", json=farm.ready["admin"], **patient)
    session = {"Authorization": f"Bearer {login.json()['access_token']}"}

    def me(headers: dict[str, str]) -> int:
        return httpx.get(f"{url}/auth/me", headers=headers, **patient).status_code

    token = {"X-API-Key": farm.ready["token"]}
    assert (me(session), me(token)) == (200, 200)
    farm.api_wall.jump(HOUR_S)
    assert (me(session), me(token)) == (200, 200)
    farm.api_wall.jump(DAY_S)
    eventually(lambda: me(session) == 401, 20.0, "the session ends, a few seconds late")
    assert me(token) == 200
    again = httpx.post(f"{url}/auth/login", json=farm.ready["admin"], **patient)
    assert again.status_code == 200
    farm.api_wall.right()
    assert (me(session), me(token)) == (401, 200), "an ended session came back to life"
