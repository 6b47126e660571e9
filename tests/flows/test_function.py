"""The farm as cloud functions: real runtimes behind a gateway, PostgreSQL, a real room.

Nothing of the API lives between two events, and still a simulated printer prints.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.fakes.cloud import ROOT, Cloud
from tests.fakes.databases import Server, running_server
from tests.flows.conftest import commands_of, eventually
from tests.flows.test_print import run_by_firmware

pytestmark = pytest.mark.flow

SETUP_TOKEN = "of-this-test-and-nobody-else"
PASSWORD = "A-long-enough-passphrase-7"
SETUP_TOKEN = "what-only-the-owner-of-the-functions-knows"


class CloudFarm:
    """The functions, their database, and one room with a simulated printer."""

    def __init__(self, cloud: Cloud, directory: Path) -> None:
        self.cloud = cloud
        self.directory = directory
        self.state = directory / "bridge"
        self.executed = directory / "executed"
        self.http = httpx.Client(base_url=f"{cloud.url}/api/v1", timeout=40.0, trust_env=False)
        self.agent: subprocess.Popen[bytes] | None = None

    def call(self, method: str, path: str, **given: Any) -> Any:
        answer = self.http.request(method, path, **given)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def set_up(self) -> None:
        person = {"username": "admin", "password": PASSWORD, "email": "a@farm.example"}
        person["setup_token"] = SETUP_TOKEN
        person["setup_token"] = SETUP_TOKEN
        token = self.call("POST", "/setup/admin", json=person)["access_token"]
        self.http.headers["Authorization"] = f"Bearer {token}"
        made = self.call("POST", "/bridges/enrolment-tokens", json={"name": "room", "uses": 1})
        self.bridge("pair", self.cloud.url, "--room", "Hall", token=made["token"])
        (self.state / "bridge.toml").write_text(
            f'[[simulate]]\nurl = "virtual://sim1?speed=0&reset_on_open=1&log={self.executed}"\n'
        )
        self.start_agent()
        [bridge] = self.call("GET", "/bridges")
        ports = eventually(
            lambda: self.call("GET", f"/bridges/{bridge['id']}/ports"), 30, "the room's ports"
        )
        self.printer: Any = self.call(
            "POST",
            "/printers",
            json={
                "name": "Sim",
                "bridge_id": bridge["id"],
                "port_id": ports[0]["port_id"],
                "api_type": "serial",
            },
        )

    def bridge(self, *arguments: str, token: str = "") -> None:
        environment = {**os.environ, "GANTRY_ENROL_TOKEN": token}
        command = [sys.executable, "-m", "bridge", *arguments, "--state-dir", str(self.state)]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()

    def start_agent(self) -> None:
        with (self.directory / "agent.log").open("ab") as log:
            self.agent = subprocess.Popen(
                [sys.executable, "-m", "bridge", "run", "--state-dir", str(self.state)],
                cwd=ROOT,
                stdout=log,
                stderr=log,
            )

    def stop(self) -> None:
        self.http.close()
        if self.agent is not None:
            self.agent.terminate()
            self.agent.wait(20)
            self.bridge("stop", "--all")

    def status(self) -> Any:
        return self.call("GET", f"/printers/{self.printer['id']}")

    def queue(self, name: str, text: str) -> int:
        """Upload a file and queue a job for it."""
        eventually(lambda: self.status()["gcode_state"] == "IDLE", 30, "the printer is idle")
        made = self.call("POST", "/print-files/upload", files={"file": (name, text.encode())})
        job = self.call("POST", "/jobs", json={"item_name": name, "print_file_id": made["id"]})
        return int(job["id"])

    def completed(self, job: int, timeout_s: float) -> None:
        """Wait for the end of a job that must not end otherwise."""

        def over() -> bool:
            status = self.call("GET", f"/jobs/{job}")["status"]
            assert status not in ("failed", "cancelled")
            return bool(status == "completed")

        eventually(over, timeout_s, f"job {job} is completed", every_s=0.3)

    def lines(self) -> list[str]:
        """What the firmware ran."""
        lines = self.executed.read_text("utf-8").splitlines()
        return run_by_firmware([line for line in lines if not line.startswith("\t")])

    def printed_since(self, before: int, count: int) -> list[str]:
        """What it ran after *before* lines, once there are *count* more."""
        eventually(lambda: len(self.lines()) >= before + count, 10, "the firmware's log")
        return self.lines()[before:]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as running:
        yield running


@pytest.fixture(scope="module")
def farm(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudFarm]:
    directory = tmp_path_factory.mktemp("cloud")
    environment = {
        "GANTRY_DATABASE_URL": server.url(),
        "GANTRY_DATA_DIR": str(directory / "data"),
        "GANTRY_SETUP_TOKEN": SETUP_TOKEN,
        "GANTRY_SETUP_TOKEN": SETUP_TOKEN,
        "GANTRY_LIVE_INTERVAL_S": "1",
        "GANTRY_BEAT_S": "5",
        "GANTRY_DEAD_S": "20",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_LAMBDA_FUNCTION_NAME": "gantry",
    }
    migrated = subprocess.run(
        [sys.executable, "-m", "api.migrate"],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
    )
    assert migrated.returncode == 0, migrated.stderr.decode()
    with Cloud(environment, directory) as cloud:
        farm = CloudFarm(cloud, directory)
        try:
            farm.set_up()
            yield farm
        finally:
            farm.stop()


def test_a_job_prints_through_functions_only(farm: CloudFarm) -> None:
    """A v1 job, started by the queue, printed line for line with nothing kept between events."""
    text = (ROOT / "infra" / "demo" / "cube_small.gcode").read_text()
    job = farm.queue("cube.gcode", text)
    farm.completed(job, 90)
    assert farm.printed_since(0, len(commands_of(text))) == commands_of(text)
    assert farm.cloud.failures == []


def test_a_dashboard_behind_the_gateway_sees_a_print_and_comes_back_where_it_was(
    farm: CloudFarm,
) -> None:
    """`/ws` over the gateway: pictures, events with numbers, `since`; strangers are turned away."""
    token = farm.call("POST", "/tokens", json={"name": "dashboard", "scopes": ["read"]})["token"]
    url = farm.cloud.url.replace("http", "ws") + "/feed"
    with pytest.raises(InvalidStatus, match="401"):
        connect(url)
    given = {"Authorization": f"Bearer {token}"}
    with connect(url, additional_headers=given) as socket:
        socket.send("ping")
        first = [socket.recv(timeout=10), *(json.loads(socket.recv(timeout=10)) for _ in range(2))]
        assert first[0] == "pong"
        assert [frame["type"] for frame in first[1:]] == ["hello", "printer_telemetry"]
        job = farm.queue("small.gcode", "G28\nM104 S100\nG1 X10 F6000\nG1 X20\nM104 S0\n")
        farm.completed(job, 60)
        seen = [first[1]]
        while seen[-1]["type"] != "job_completed":
            seen.append(json.loads(socket.recv(timeout=20)))
    numbered = [frame for frame in seen if "id" in frame]
    assert [frame["id"] for frame in numbered] == list(
        range(numbered[0]["id"], numbered[0]["id"] + len(numbered))
    )
    since = numbered[1]["id"]
    with connect(f"{url}?since={since}", additional_headers=given) as socket:
        socket.send("hello?")
        again: list[dict[str, Any]] = []
        while not again or again[-1]["type"] != "job_completed":
            frame = json.loads(socket.recv(timeout=10))
            again += [frame] if "id" in frame and frame["type"] != "hello" else []
    assert [frame["id"] for frame in again] == [frame["id"] for frame in numbered[2:]]
