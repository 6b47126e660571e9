"""The farm as cloud functions: real runtimes behind a gateway, PostgreSQL, a real room.

Nothing of the API lives between two events, and still a simulated printer prints.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from moto.server import ThreadedMotoServer
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.fakes.cloud import ROOT, Cloud
from tests.fakes.databases import Server, running_server
from tests.flows.conftest import commands_of, eventually
from tests.flows.test_print import run_by_firmware

pytestmark = pytest.mark.flow

PASSWORD = "A-long-enough-passphrase-7"
SETUP_TOKEN = "what-only-the-owner-of-the-functions-knows"
SECRET_KEY = "what-all-processes-of-the-functions-sign-with"


class CloudFarm:
    """The functions, their database, and one room with a simulated printer."""

    def __init__(self, cloud: Cloud, directory: Path) -> None:
        self.cloud = cloud
        self.directory = directory
        self.state = directory / "bridge"
        self.executed = directory / "executed"
        self.http = httpx.Client(base_url=f"{cloud.url}/api/v1", timeout=40.0, trust_env=False)
        self.agent: subprocess.Popen[bytes] | None = None
        self.secrets = {"password": PASSWORD, "set-up token": SETUP_TOKEN}
        self.secrets["secret key"] = SECRET_KEY

    def call(self, method: str, path: str, **given: Any) -> Any:
        answer = self.http.request(method, path, **given)
        if method == "GET" and answer.status_code == 500 and "message" in answer.json():
            answer = self.http.request(method, path, **given)  # its process was taken away
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def set_up(self) -> None:
        person = {"username": "admin", "password": PASSWORD, "email": "a@farm.example"}
        person["setup_token"] = SETUP_TOKEN
        token = self.call("POST", "/setup/admin", json=person)["access_token"]
        self.http.headers["Authorization"] = f"Bearer {token}"
        self.secrets["session"] = token
        made = self.call("POST", "/bridges/enrolment-tokens", json={"name": "room", "uses": 1})
        self.secrets["enrolment token"] = made["token"]
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
        """Send a file straight to the store and queue a job for it."""
        eventually(lambda: self.status()["gcode_state"] == "IDLE", 30, "the printer is idle")
        content = text.encode()
        announced = {"size_bytes": len(content), "sha256": sha256(content).hexdigest()}
        offer = self.call("POST", "/print-files/uploads", json=announced)
        sent = httpx.request(
            offer["method"], offer["url"], headers=offer["headers"], content=content, timeout=30
        )
        assert sent.is_success, sent.text
        done = f"/print-files/uploads/{offer['upload_id']}/complete"
        body = {"size_bytes": len(content), "filename": name}
        made = self.call("POST", done, json=body)
        job = self.call("POST", "/jobs", json={"item_name": name, "print_file_id": made["id"]})
        return int(job["id"])

    def completed(self, job: int, timeout_s: float) -> None:
        """Wait for the end of a job that must not end otherwise."""

        def over() -> bool:
            status = self.call("GET", f"/jobs/{job}")["status"]
            assert status not in ("failed", "cancelled")
            return bool(status == "completed")

        eventually(over, timeout_s, f"job {job} is completed", every_s=0.3)

    def progressed(self, job: int) -> None:
        """Wait until the print has gone on for a while."""
        before = self.call("GET", f"/jobs/{job}").get("progress") or 0

        def further() -> bool:
            shown = self.call("GET", f"/jobs/{job}")
            return shown["status"] == "completed" or (shown.get("progress") or 0) > before + 3

        eventually(further, 90, f"job {job} goes on", every_s=0.3)

    def attempts(self, job: int) -> int:
        """How often the job was started."""
        started = [event["data"] for event in self.events() if event["type"] == "job_started"]
        return sum(each["scheduled_job_id"] == job for each in started)

    def events(self) -> list[Any]:
        """Everything that the farm has been told, in order."""
        found: list[Any] = []
        while page := self.call(
            "GET", f"/events?since={found[-1]['id'] if found else 0}&limit=500"
        ):
            found += page
        return found

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
def store() -> Iterator[str]:
    """An object store with the farm's bucket: the storage URL."""
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    httpx.put(f"{endpoint}/farm-files", trust_env=False).raise_for_status()
    yield f"s3://farm-files/farm?region=us-east-1&endpoint={endpoint}&direct=yes"
    moto.stop()


@pytest.fixture(scope="module")
def farm(
    server: Server, store: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CloudFarm]:
    directory = tmp_path_factory.mktemp("cloud")
    environment = {
        "GANTRY_DATABASE_URL": server.url(asyncio.run(server.migrated_database())),
        "GANTRY_DATA_DIR": str(directory / "data"),
        "GANTRY_SETUP_TOKEN": SETUP_TOKEN,
        "GANTRY_SECRET_KEY": SECRET_KEY,
        "GANTRY_STORAGE_URL": store,
        "GANTRY_LIVE_INTERVAL_S": "1",
        "GANTRY_BEAT_S": "5",
        "GANTRY_DEAD_S": "20",
        "GANTRY_BRIDGE_GRACE_S": "20",  # a cold start on a busy machine is in it
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
    with Cloud(environment, directory, freeze=True) as cloud:
        farm = CloudFarm(cloud, directory)
        try:
            farm.set_up()
            yield farm
        finally:
            farm.stop()


def test_a_job_prints_through_functions_only(farm: CloudFarm) -> None:
    """A v1 job, started by the queue, printed line for line with nothing kept between events."""
    text = (ROOT / "infra" / "demo" / "cube_small.gcode").read_text()
    eventually(lambda: farm.status()["gcode_state"] == "IDLE", 30, "the printer is idle")
    before = len(farm.lines())
    job = farm.queue("cube.gcode", text)
    farm.completed(job, 90)
    assert farm.printed_since(before, len(commands_of(text))) == commands_of(text)
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


@pytest.mark.timeout(300)
def test_a_long_print_survives_what_a_cloud_does(farm: CloudFarm, vase: str) -> None:
    """175 618 lines while events come doubled, late and out of order, processes are frozen between
    them and taken away, and the gateway ends the sockets: nothing lost, nothing twice (R53, R54).
    """
    before = len(farm.lines())
    chaos = farm.cloud.chaos
    chaos.double, chaos.delay = 0.3, 0.3
    try:
        job = farm.queue("vase.gcode", vase)
        for _ in range(3):
            farm.progressed(job)
            farm.cloud.kill("websocket")
            farm.cloud.kill("http")
            farm.cloud.cut_sockets()
        farm.completed(job, 200)
    finally:
        chaos.double = chaos.delay = 0.0
    expected = commands_of(vase)
    assert farm.printed_since(before, len(expected)) == expected
    shown = farm.call("GET", f"/jobs/{job}")
    assert shown["status"] == "completed"
    assert farm.attempts(job) == 1
    told = {event["type"] for event in farm.events()}
    assert "bridge.online" in told and "bridge.offline" not in told


def test_a_file_that_never_came_or_is_another_prints_nothing(farm: CloudFarm) -> None:
    """What lies in the store is verified before it becomes a file (R28)."""
    content = b"G28\nG1 X1\n"
    announced = {"size_bytes": len(content), "sha256": sha256(content).hexdigest()}
    offer = farm.call("POST", "/print-files/uploads", json=announced)
    done = f"/print-files/uploads/{offer['upload_id']}/complete"
    body = {"size_bytes": len(content), "filename": "a.gcode"}
    assert farm.http.post(done, json=body).status_code == 404
    [signature] = parse_qs(urlsplit(offer["url"]).query)["X-Amz-Signature"]
    farm.secrets["signature of an upload"] = signature
    other = httpx.put(offer["url"], headers=offer["headers"], content=b"G28\nG1 X2\n", timeout=30)
    if other.is_success:  # a store that does not check the signed checksum itself
        assert farm.http.post(done, json=body).status_code == 400
    assert farm.http.post(done, json=body).status_code == 404


def test_what_functions_cannot_do_they_say(farm: CloudFarm) -> None:
    """Push has no sockets (clients poll), a large body is the gateway's 413, and the way around it
    works: straight to the store.
    """
    root = farm.cloud.url
    info = httpx.get(
        f"{root}/octoprint/{farm.printer['slug']}/sockjs/info", timeout=30, trust_env=False
    )
    assert (info.status_code, info.json()["websocket"]) == (200, False)
    large = b"G28\n" + b"; a long comment to make it large\n" * 160_000
    files = {"file": ("large.gcode", large)}
    assert farm.http.post("/print-files/upload", files=files).status_code == 413
    announced = {"size_bytes": len(large), "sha256": sha256(large).hexdigest()}
    offer = farm.call("POST", "/print-files/uploads", json=announced)
    sent = httpx.request(
        offer["method"], offer["url"], headers=offer["headers"], content=large, timeout=30
    )
    assert sent.is_success, sent.text
    done = f"/print-files/uploads/{offer['upload_id']}/complete"
    body = {"size_bytes": len(large), "filename": "large.gcode"}
    assert farm.call("POST", done, json=body)["id"] > 0


def test_functions_log_lines_of_json_and_no_secret(farm: CloudFarm) -> None:
    """Whatever was asked of them above: no password, token or signature (safety S44)."""
    farm.http.post("/auth/login", json={"username": "admin", "password": PASSWORD})
    farm.http.get("/printers", headers={"Authorization": "Bearer odin_canary-of-the-functions"})
    farm.secrets["wrong token"] = "odin_canary-of-the-functions"
    logs = {path.name: path.read_text("utf-8") for path in farm.directory.glob("*.log")}
    assert {"http-0.log", "websocket-0.log", "tick-0.log", "agent.log"} <= logs.keys()
    for name, text in logs.items():
        for kind, secret in farm.secrets.items():
            assert secret not in text, f"the {kind} in {name}"
    lines = [
        line for name, text in logs.items() if name != "agent.log" for line in text.split("\n")
    ]
    whole = [line for line in lines if line.count('{"at"') == 1 and line.endswith("}")]
    told = [json.loads(line) for line in whole if line.startswith("{")]  # not cut by a kill
    assert {"at", "level", "from", "message"} <= set(told[0])
    assert any("request" in line for line in told)
