"""The operator's command line: exit codes, clear lines, no secrets in argv."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from bridge import cli
from bridge.agent import status
from bridge.agent.identity import Pairing, load_pairing, save_pairing
from bridge.control.lock import Lock


class Api(BaseHTTPRequestHandler):
    """Approves every bridge at once, and remembers what it was told."""

    seen: list[tuple[str, dict[str, Any]]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.seen.append((self.path, body))
        answer: dict[str, Any] = {"bridge_id": "B1", "name": "Hall", "organization_id": 1}
        if self.path == "/bridge/v1/pairing":
            answer = {
                "device_code": "d",
                "user_code": "ABCD-2345",
                "verification_url": "http://farm/pair",
                "expires_in": 600,
                "interval": 0,
            }
        data = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def api() -> Iterator[str]:
    Api.seen = []
    server = HTTPServer(("127.0.0.1", 0), Api)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "state"
    monkeypatch.setenv("GANTRY_STATE_DIR", str(directory))
    monkeypatch.delenv("GANTRY_ENROL_TOKEN", raising=False)
    monkeypatch.delenv("GANTRY_ENROL_TOKEN_FILE", raising=False)
    return directory


def test_help_shows_examples_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    """Every exit code is documented where an operator looks."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["--help"])
    text = capsys.readouterr().out
    assert ended.value.code == 0
    assert "examples:" in text and "python -m bridge stop --all" in text
    for code in range(6):
        assert f"{code}  " in text


def test_pairing_shows_code_and_fingerprint(
    api: str, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the admin compares is on the screen; the pairing is kept."""
    assert cli.main(["pair", api, "--room", "Hall 2"]) == cli.EXIT_OK
    text = capsys.readouterr().out
    assert "ABCD-2345" in text and "SHA256:" in text and "Hall 2" in text
    assert load_pairing(state) == Pairing(url=api, bridge_id="B1", name="Hall")
    assert state.stat().st_mode & 0o777 == 0o700
    assert Api.seen[0][1]["room"] == "Hall 2"


@pytest.mark.parametrize("way", ["flag", "environment", "file in environment"])
def test_enrolment_token_never_stands_in_argv(
    way: str, api: str, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes from a file or the environment."""
    file = tmp_path / "token"
    file.write_text("tok\n")
    arguments = ["pair", api]
    if way == "flag":
        arguments += ["--enrol-token-file", str(file)]
    elif way == "environment":
        monkeypatch.setenv("GANTRY_ENROL_TOKEN", "tok")
    else:
        monkeypatch.setenv("GANTRY_ENROL_TOKEN_FILE", str(file))
    assert cli.main(arguments) == cli.EXIT_OK
    ((path, body),) = Api.seen
    assert (path, body["enrolment_token"]) == ("/bridge/v1/enrol", "tok")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["run"], cli.EXIT_PAIRING, "not paired"),
        (["pair", "http://farm.example"], cli.EXIT_PAIRING, "not encrypted"),
        (["pair", "http://127.0.0.1:9", "--enrol-token-file", "/no"], cli.EXIT_PAIRING, "/no"),
        (["pair", "http://127.0.0.1:9"], cli.EXIT_PAIRING, "cannot reach"),
        (["stop"], cli.EXIT_USAGE, "--all"),
        (["stop", "--all"], cli.EXIT_USAGE, "no bridge in"),
        (["run", "--simulate", "virtual://a?speed=x"], cli.EXIT_USAGE, "speed"),
        (["run", "--simulate", "virtual://a", "--simulate", "virtual://a?speed=2"], 2, "'a'"),
        (["run", "--path", "ttyUSB0"], cli.EXIT_USAGE, "absolute path"),
    ],
)
def test_mistakes_end_with_one_clear_line(
    arguments: list[str], code: int, said: str, state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No traceback, the right exit code, and what to do."""
    assert cli.main(arguments) == code
    text = capsys.readouterr().err
    assert said in text and text.startswith("bridge: ") and text.count("\n") == 1


def test_ports_lists_what_may_be_opened(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Configured paths and simulated printers, with what is wrong with them."""
    state.mkdir()
    (state / "bridge.toml").write_text(
        '[[simulate]]\nurl = "virtual://sim1"\n[[path]]\ndevice = "/dev/none"\n'
    )
    assert cli.main(["ports", "--json"]) == cli.EXIT_OK
    ports = {port["port_id"]: port for port in json.loads(capsys.readouterr().out)}
    assert ports["path:/dev/none"]["error"] == "/dev/none does not exist"
    assert ports["virtual:sim1"]["kind"] == "virtual"
    assert cli.main(["ports"]) == cli.EXIT_OK
    assert "the simulator is not running" in capsys.readouterr().out


def test_status_without_an_agent(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1 when nothing runs, and JSON for programs."""
    assert cli.main(["status"]) == cli.EXIT_FAILED
    assert "no agent has run" in capsys.readouterr().out
    assert cli.main(["status", "--json"]) == cli.EXIT_FAILED
    assert json.loads(capsys.readouterr().out) == {"running": False, "status": None}


def test_status_of_a_running_agent(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Link, ages, queue, spool, senders and simulators, in words."""
    state.mkdir()
    known = status.Status(
        agent=status.AgentStatus(pid=7, version="0.1.0", started_at="2026-01-01"),
        link=status.LinkStatus(
            state="open",
            epoch=3,
            url="https://farm",
            last_heard_s=2.0,
            last_error="before",
            clock_offset_s=-90,
            age_s=61.0,
            last_ack_s=None,
            last_got_s=3.4,
            refused=2,
            inbox=5,
        ),
        outbox=status.OutboxStatus(facts=4, bytes=99, oldest=1),
        spool=status.SpoolStatus(files=1, bytes=10),
        senders=[
            status.SenderStatus(
                printer=1,
                slug="one",
                pid=8,
                state="running",
                port="/dev/x",
                adopted=True,
                printer_state="error",
                error="/dev/x is in use",
                commands=3,
            )
        ],
        simulators=[status.SimulatorStatus(name="sim1", pid=None, link="/run/sim1.port")],
    )
    status.write(state, known)
    lock = Lock(state / status.LOCK_FILE)
    assert cli.main(["status"]) == cli.EXIT_OK
    lock.release()
    text = capsys.readouterr().out
    for part in (
        "open for 61 s to https://farm",
        "heard 2 s ago",
        "acknowledged never, commands confirmed 3 s ago",
        "5 from the API wait for the journal",
        "2 frames of the API; the log says which",
        "1 files, 10 bytes",
        "before",
        "4 facts",
        "one: error; sender running, process 8 (adopted)",
        "\n           /dev/x is in use",
        "90 s ahead of the API's",
        "3 commands open",
        "sim1: process -",
    ):
        assert part in text


def test_second_agent_and_stop_are_refused_while_one_runs(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 3, before anything is touched."""
    state.mkdir()
    save_pairing(state, Pairing(url="http://127.0.0.1:9", bridge_id="B"))
    lock = Lock(state / status.LOCK_FILE)
    assert cli.main(["run"]) == cli.EXIT_RUNNING
    assert cli.main(["stop", "--all"]) == cli.EXIT_RUNNING
    lock.release()
    assert capsys.readouterr().err.count("\n") == 2


def test_stop_without_anything_running(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing to end is fine; an unknown printer is not."""
    state.mkdir()
    assert cli.main(["stop", "--all"]) == cli.EXIT_OK
    assert "ended 0 senders" in capsys.readouterr().out
    assert cli.main(["stop", "nine"]) == cli.EXIT_USAGE
    assert "no printer 'nine'; this bridge has none" in capsys.readouterr().err
