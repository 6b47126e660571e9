"""kill -9 exactly between two steps of a start: whatever dies there, the print starts once.

A line that reads what it carries kills a process at a named message (`tests.fakes.talks`): at
`cmd.got` the command is in the journal and not acknowledged, at `start` the grant is consumed and
the sender knows nothing, at `fact.ack` the rows are committed and the agent does not know it. What
decides is what the firmware executed (safety I1, I2, I6, I10; R01-R04, R18; M03, M10-M13).
"""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from bridge.control.lock import read_pid
from bridge.control.paths import lock_path, runtime_dir, socket_path
from schemas.commands import JOG_TTL_MS
from tests.fakes.fault_proxy import FaultProxy
from tests.fakes.hand_farm import HandFarm, Process
from tests.fakes.signals import send_signal
from tests.fakes.talks import ControlTalk, HttpTalk, LinkTalk, Trap, Traps
from tests.flows.conftest import Faces, commands_of, eventually
from tests.flows.test_print import run_by_firmware

pytestmark = [pytest.mark.flow, pytest.mark.timeout(300)]

#: About two seconds of the printer's time at the speed of this farm.
FILE = "G28\n" + "".join(f"G1 X{number % 50 + 1} F1200\n" for number in range(400))
SPEED = 20.0
BEAT_S, DEAD_S = 1.0, 3.0
#: What a sender does whose last life was killed: who knows what that had heated.
COOLING = ("M104 S0", "M140 S0")


@dataclass
class Bench:
    """A farm whose agent talks to both sides through lines that listen."""

    farm: HandFarm
    faces: Faces
    link: FaultProxy
    control: FaultProxy
    file_id: int

    def trap(self, line: str, name: str, victim: str, number: signal.Signals) -> Trap:
        """At the next message *name* on *line* the *victim* gets signal *number*."""
        traps = (self.link if line == "link" else self.control).traps
        assert traps is not None

        def strike() -> bool:
            signal_to(self.farm, victim, number)
            return number is signal.SIGSTOP

        return traps.arm(name, strike)

    def between(self) -> None:
        """The agent dials through our lines, also after a sender has bound its socket anew."""
        if self.control.is_in_place():
            return
        self.control.step_between()
        self.again(self.farm.agent)

    def again(self, process: Process) -> None:
        """The process starts anew, and the room is there again."""
        if process.is_running:
            process.signal(signal.SIGKILL)
        process.gone()
        process.start()
        self.until_there()

    def until_there(self) -> None:
        """Until API, agent and sender show the printer as it is."""

        def there() -> bool:
            link = self.farm.status()["link"]
            shown = self.faces.get_v1("/bridges")[0]
            return bool(shown["online"] and link["state"] == "open" and self.farm.sender_pid)

        eventually(there, 60.0, "the room is there again")

    def job(self, name: str = "one") -> int:
        """A new job for the printer."""
        wanted = {"print_file_id": self.file_id, "printer_id": self.faces.printer["id"]}
        answer = self.faces.v1.post("/jobs", json={"item_name": name, **wanted})
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"])

    def until_over(self, job: int) -> dict[str, Any]:
        """The job after its end."""

        def over() -> dict[str, Any] | None:
            shown: dict[str, Any] = self.faces.job_of(job)
            return shown if shown["status"] in ("completed", "failed", "cancelled") else None

        found: dict[str, Any] = eventually(over, 60.0, f"the end of job {job}")
        return found

    def executed(self) -> list[str]:
        """The files' part of what the firmware ran, all prints together."""
        return run_by_firmware(self.faces.executed())

    def ran_since(self, before: int, count: int) -> list[str]:
        """What it ran after *before*, once that is *count* lines and its log has all of them."""
        eventually(lambda: len(self.executed()) - before >= count, 30.0, "the firmware's log")
        return self.executed()[before:]


def signal_to(farm: HandFarm, victim: str, number: signal.Signals) -> None:
    """*victim*: agent, api or sender, which its lock names also while its agent does not."""
    if victim == "sender":
        socket = socket_path(runtime_dir(farm.state), farm.ready["printers"][0]["id"])
        send_signal(read_pid(lock_path(socket)) or 0, number)
    else:
        send_signal(getattr(farm, victim).pid, number)


@contextmanager
def listening(farm: HandFarm) -> Iterator[tuple[FaultProxy, FaultProxy]]:
    """(between agent and API, between agent and sender)."""
    socket = socket_path(runtime_dir(farm.state), farm.ready["printers"][0]["id"])
    link = FaultProxy.to_port(farm.port, seed=1)
    control = FaultProxy.before(socket, seed=1)
    link.traps, control.traps = Traps(LinkTalk), Traps(ControlTalk)
    with link, control:
        farm.dial(link.port)
        yield link, control


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """One printer that takes two seconds for the file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANTRY_BEAT_S", f"{BEAT_S:g}")
        patch.setenv("GANTRY_DEAD_S", f"{DEAD_S:g}")
        with HandFarm(tmp_path_factory.mktemp("points"), speed=SPEED) as farm:
            faces = Faces(farm)
            upload = faces.v1.post("/print-files/upload", files={"file": ("f.gcode", FILE)})
            with listening(farm) as (link, control):
                made = Bench(farm, faces, link, control, upload.json()["id"])
                made.again(farm.agent)
                yield made
            faces.close()


@pytest.fixture
def at(bench: Bench) -> Bench:
    """The room whole again, with nothing under way."""
    bench.between()
    bench.until_there()
    printer = bench.faces.printer["id"]
    bench.faces.v1.post(f"/printers/{printer}/queue/release").raise_for_status()
    eventually(lambda: bench.faces.get_v1(f"/printers/{printer}")["status"] == "idle", 60.0, "idle")
    lengths = [-1]

    def stands() -> bool:
        lengths.append(len(bench.executed()))
        return lengths[-1] == lengths[-2]

    eventually(stands, 30.0, "nothing more comes into the firmware's log", 0.3)
    return bench


#: (line, at which word, who dies): the word is not carried, and what it says is done.
POINTS = [
    ("link", "cmd start", "agent"),  # marked as sent, never arrived
    ("link", "cmd start", "api"),
    ("link", "cmd.got", "agent"),  # in the journal, not acknowledged
    ("link", "cmd.got", "api"),
    ("control", "start", "agent"),  # the grant is consumed, the sender knows nothing
    ("control", "outcome of start", "agent"),  # the sender has taken it, nobody wrote that down
    ("control", "event started", "agent"),  # it prints, and the journal does not know it
    ("control", "event_ack", "agent"),  # in the journal, and the sender says it again
    ("link", "fact started", "agent"),  # in the outbox, not in the rows
    ("link", "fact started", "api"),
    ("link", "fact.ack", "agent"),  # in the rows, and the outbox says it again
    ("link", "fact.ack", "api"),
    ("control", "event completed", "agent"),  # it is over, and nobody wrote that down
    ("link", "fact completed", "api"),
]


@pytest.mark.parametrize(("line", "word", "victim"), POINTS)
def test_print_starts_once_whoever_dies_at_this_point(
    at: Bench, line: str, word: str, victim: str
) -> None:
    """One job, one attempt, the file's lines and no other, as if nothing had died."""
    before = len(at.executed())
    trap = at.trap(line, word, victim, signal.SIGKILL)
    job = at.job()
    trap.wait()
    if victim != "sender":
        at.again(getattr(at.farm, victim))
    shown = at.until_over(job)
    assert (shown["status"], shown["attempt"]) == ("completed", 1), str(shown)
    lines = commands_of(FILE)
    assert at.ran_since(before, len(lines)) == lines


@pytest.mark.parametrize("word", ["start", "outcome of start", "event started"])
def test_start_that_died_with_its_sender_is_told_and_not_run_again(at: Bench, word: str) -> None:
    """The grant is consumed, and whom it was said to is dead: nobody guesses, a person decides.

    Unless lines had gone already: then the next life may have taken the print up.
    """
    before = len(at.executed())
    trap = at.trap("control", word, "sender", signal.SIGKILL)
    job = at.job()
    trap.wait()
    shown = at.until_over(job)
    lines = commands_of(FILE)
    if shown["status"] == "completed":
        assert at.ran_since(before, len(lines)) == lines
    ran = [line for line in at.executed()[before:] if line not in COOLING]
    assert shown["attempt"] == 1
    assert shown["status"] == "failed" or ran == lines, shown
    assert ran == lines[: len(ran)]
    assert word != "start" or not ran


@pytest.mark.parametrize(("line", "word", "victim"), [POINTS[2], POINTS[6], POINTS[11]])
def test_who_is_frozen_at_this_point_wakes_up_to_the_same_print(
    at: Bench, line: str, word: str, victim: str
) -> None:
    """SIGSTOP until the link has been given up (safety R17, R18): nothing is done twice then."""
    before = len(at.executed())
    epoch = at.farm.status()["link"]["epoch"]
    trap = at.trap(line, word, victim, signal.SIGSTOP)
    job = at.job()
    trap.wait()

    def given_up() -> bool:
        if victim == "api":
            return bool(at.farm.status()["link"]["state"] != "open")
        return not at.faces.get_v1("/bridges")[0]["online"]

    eventually(given_up, 60.0, "the other side gives the link up")
    signal_to(at.farm, victim, signal.SIGCONT)
    shown = at.until_over(job)
    assert (shown["status"], shown["attempt"]) == ("completed", 1), str(shown)
    at.until_there()
    eventually(lambda: at.farm.status()["link"]["epoch"] > epoch, 30.0, "the link's next epoch")
    lines = commands_of(FILE)
    assert at.ran_since(before, len(lines)) == lines


@pytest.mark.parametrize("word", ["start", "outcome of start", "event started", "event_ack"])
def test_sender_that_was_frozen_at_this_point_goes_on_with_the_same_print(
    at: Bench, word: str
) -> None:
    """SIGSTOP for two beats of the link (safety R18): nobody replaces it or tells it anything
    twice, and the print stands still as long.
    """
    before = len(at.executed())
    sender = at.farm.sender_pid
    trap = at.trap("control", word, "sender", signal.SIGSTOP)
    job = at.job()
    trap.wait()
    time.sleep(2 * BEAT_S)
    assert at.faces.job_of(job)["status"] not in ("completed", "failed", "cancelled")
    signal_to(at.farm, "sender", signal.SIGCONT)
    shown = at.until_over(job)
    assert at.farm.sender_pid == sender
    assert (shown["status"], shown["attempt"]) == ("completed", 1), str(shown)
    lines = commands_of(FILE)
    assert at.ran_since(before, len(lines)) == lines


def test_sender_that_was_frozen_moves_nothing_late(at: Bench) -> None:
    """A move by hand that stood in front of a frozen sender is not made when it wakes up."""

    def jog(mm: int) -> str:
        moved = {"command": "jog", "x": mm}
        at.faces.octoprint.post("/api/printer/printhead", json=moved)
        return f"G1 X{mm} F6000"

    in_time = jog(7)
    eventually(lambda: in_time in at.faces.executed(), 30.0, "a move by hand")
    trap = at.trap("control", "gcode", "sender", signal.SIGSTOP)
    late = jog(9)
    trap.wait()
    time.sleep(JOG_TTL_MS / 1000)
    signal_to(at.farm, "sender", signal.SIGCONT)
    at.until_over(at.job())
    assert late not in at.faces.executed()


@pytest.fixture
def strict(at: Bench) -> Iterator[Bench]:
    """The printer waits for somebody to look at its plate, and something lies there."""
    path = f"/printers/{at.faces.printer['id']}"
    at.faces.v1.patch(path, json={"plate_policy": "confirm"}).raise_for_status()
    at.faces.v1.post(f"{path}/plate-cleared").raise_for_status()
    before = len(at.executed())
    at.until_over(at.job("what lies on the plate"))
    at.ran_since(before, len(commands_of(FILE)))
    yield at
    at.faces.v1.patch(path, json={"plate_policy": "self_clearing"}).raise_for_status()


def test_claim_of_a_clear_plate_is_used_once_though_the_agent_died_with_it(strict: Bench) -> None:
    """Safety M15: the claim is consumed and the start not handed over; the next job waits."""
    at, printer = strict, strict.faces.printer["id"]
    before = len(at.executed())
    first, second = at.job("first"), at.job("second")

    def waits(job: int) -> bool:
        return bool(at.faces.job_of(job)["status"] == "waiting_plate_clear")

    eventually(lambda: waits(first), 30.0, "the first job waits for the plate")
    trap = at.trap("control", "start", "agent", signal.SIGKILL)
    at.faces.v1.post(f"/printers/{printer}/plate-cleared").raise_for_status()
    trap.wait()
    at.again(at.farm.agent)
    shown = at.until_over(first)
    assert shown["status"] == "completed", shown
    eventually(lambda: waits(second), 30.0, "the second job waits for the plate")
    lines = commands_of(FILE)
    assert at.ran_since(before, len(lines)) == lines
    at.faces.v1.post(f"/jobs/{second}/cancel").raise_for_status()


def test_offsets_that_were_kept_and_not_answered_hold_in_the_next_life(at: Bench) -> None:
    """The sender dies with its word in the mouth; what it had taken moves the file's targets."""
    hot = FILE.replace("G1 X50 F1200\n", "M104 S60\n")
    answer = at.faces.octoprint.post(
        "/api/files/local", files={"file": ("hot.gcode", hot)}, data={"print": "true"}
    )
    assert answer.json()["effectivePrint"] is True, answer.text
    job = max(job["id"] for job in at.faces.get_v1("/jobs?limit=500"))
    eventually(lambda: at.faces.job_of(job)["status"] == "printing", 30.0, "printing")
    before = len(at.executed())
    trap = at.trap("control", "outcome of configure", "sender", signal.SIGKILL)
    moved = {"command": "offset", "offsets": {"tool0": 7}}
    at.faces.octoprint.post("/api/printer/tool", json=moved)
    trap.wait()
    assert at.until_over(job)["status"] == "completed"
    assert "M104 S67" in at.executed()[before:]
    moved["offsets"] = {"tool0": 0}
    at.faces.octoprint.post("/api/printer/tool", json=moved)


def test_order_that_was_committed_and_not_answered_is_one_order(at: Bench) -> None:
    """The API dies between commit and answer; the same request again gets the same job."""
    with FaultProxy.to_port(at.farm.port, seed=2) as line:
        line.traps = Traps(HttpTalk)

        def strike() -> bool:
            signal_to(at.farm, "api", signal.SIGKILL)
            return False

        trap = line.traps.arm("answer", strike)
        headers = {"X-API-Key": at.farm.ready["token"], "Idempotency-Key": "order-1"}
        body = {"item_name": "ordered", "print_file_id": at.file_id}
        body |= {"printer_id": at.faces.printer["id"]}
        url = f"http://127.0.0.1:{line.port}/api/v1/jobs"
        with pytest.raises(httpx.HTTPError):
            httpx.post(url, json=body, headers=headers, trust_env=False, timeout=30.0)
        trap.wait()
        at.again(at.farm.api)
        answer = httpx.post(url, json=body, headers=headers, trust_env=False, timeout=30.0)
    assert answer.status_code == 201, answer.text
    jobs = at.faces.get_v1("/jobs?limit=500")
    assert [job["id"] for job in jobs if job["item_name"] == "ordered"] == [answer.json()["id"]]
    assert at.until_over(answer.json()["id"])["status"] == "completed"


def test_nobody_logs_a_traceback_for_what_was_killed(bench: Bench) -> None:
    """A kill of the other side is weather: one line, no traceback."""
    logs = Path(bench.farm.directory, "data", "logs")
    found = {name: Path(logs, name).read_text("utf-8") for name in ("api.log", "agent.log")}
    assert [name for name, text in found.items() if "Traceback" in text] == []
