"""Every fault of line, processes and disk at a print of real processes: the lines stay the same.

Agent and API talk through a line with faults, agent and sender too, and so do the API and its
PostgreSQL. What the firmware executed at the end is the file, once and in order, and both faces
know it (safety I1, I2, I10; R01, R03, R04, R06, R08, R09, R10, R15, R17-R20, R32; M03). The line to
PostgreSQL is not corrupted: it is a socket of one machine, or TCP with TLS, and both ends trust it.
"""

import asyncio
import json
import random
import resource
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import pytest

from bridge.control.paths import runtime_dir, socket_path
from infra.farm.started import StartedFarm
from tests.fakes import databases
from tests.fakes.fault_proxy import FaultProxy, Line
from tests.fakes.migrated import sqlite_into
from tests.fakes.signals import send_signal
from tests.flows.conftest import MINUTE_SPEED, Faces, commands_of, eventually
from tests.flows.test_kill import kill, truth
from tests.flows.test_print import executed_since

pytestmark = [pytest.mark.flow, pytest.mark.timeout(400)]

SEED = 20_6
DEAD_S = 3.0
POSTGRES_SOCKET = ".s.PGSQL.5432"


@dataclass(frozen=True)
class Faulty:
    """A farm, and the way to its database where that is a server."""

    farm: StartedFarm
    database: FaultProxy | None


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def faulty(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Faulty]:
    """One printer that takes about a minute for its print, and a link that notices silence soon."""
    directory = tmp_path_factory.mktemp("faulty")
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setenv("GANTRY_BEAT_S", "1")
        patch.setenv("GANTRY_DEAD_S", str(DEAD_S))
        database = None
        sqlite_into(directory / "data")
        options = ["--printers", "1", "--speed", MINUTE_SPEED, "--no-demo-job"]
        if request.param == "postgres":
            server = stack.enter_context(databases.running_server())
            url = server.url(asyncio.run(server.migrated_database()))
            database = stack.enter_context(before_database(url))
            options += ["--database-url", leading_to(database, url)]
        farm = stack.enter_context(StartedFarm(directory, *options))
        yield Faulty(farm, database)


@pytest.fixture
def faulty_farm(faulty: Faulty) -> StartedFarm:
    return faulty.farm


@contextmanager
def before_database(url: str) -> Iterator[FaultProxy]:
    """A line to the PostgreSQL of *url*, which listens on a socket in a folder of its own."""
    socket = unquote(parse_qs(urlsplit(url).query)["host"][0])
    real = Path(socket, POSTGRES_SOCKET)
    with tempfile.TemporaryDirectory(prefix="gantry-line-") as folder:
        dial = lambda: asyncio.open_unix_connection(real)  # noqa: E731
        with FaultProxy(dial, seed=SEED, at=Path(folder, POSTGRES_SOCKET)) as line:
            yield line


def leading_to(line: FaultProxy, url: str) -> str:
    """*url* through *line*."""
    assert line.at is not None
    return f"{url.partition('?')[0]}?host={quote(str(line.at.parent), safe='')}"


@contextmanager
def lines_with_faults(farm: StartedFarm) -> Iterator[tuple[FaultProxy, FaultProxy]]:
    """(between agent and API, between agent and sender); the agent dials through them."""
    state = farm.directory / "data" / "bridge"
    socket = socket_path(runtime_dir(state), farm.ready["printers"][0]["id"])
    with (
        FaultProxy.to_port(farm.port, seed=SEED) as link,
        FaultProxy.before(socket, seed=SEED) as control,
    ):
        pairing = state / "pairing.json"
        told = json.loads(pairing.read_text("utf-8"))
        pairing.write_text(json.dumps({**told, "url": f"http://127.0.0.1:{link.port}"}), "utf-8")
        kill(farm, "agent")
        eventually(lambda: link.taken and control.taken, 60.0, "the agent dials through them")
        yield link, control
    pairing.write_text(json.dumps(told), "utf-8")
    kill(farm, "agent")


def limit_files(pid: int, size_bytes: int) -> None:
    """No file of process *pid* may grow beyond this: a full disk, for it."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size_bytes, hard))


def faults(faulty: Faulty, link: FaultProxy, control: FaultProxy) -> list[Callable[[], None]]:
    """What can go wrong; each heals what it has done but for what is cut or killed."""
    farm = faulty.farm

    def weather(proxy: FaultProxy, line: Line, for_s: float) -> Callable[[], None]:
        def pass_by() -> None:
            proxy.line = line
            time.sleep(for_s)
            proxy.heal()

        return pass_by

    def stopped(name: str) -> Callable[[], None]:
        def stop() -> None:
            pid = farm.ready["processes"][name]
            send_signal(pid, signal.SIGSTOP)
            time.sleep(1.5)
            send_signal(pid, signal.SIGCONT)

        return stop

    def frozen_until_given_up() -> None:
        """As a minute is for a link that is given up after forty seconds."""
        pid = farm.ready["processes"]["api"]
        send_signal(pid, signal.SIGSTOP)
        time.sleep(1.5 * DEAD_S)
        send_signal(pid, signal.SIGCONT)

    def full_disk() -> None:
        pid = farm.ready["processes"]["agent"]
        with suppress(ProcessLookupError):  # one that has just begun does not begin without a disk
            limit_files(pid, 1)
            time.sleep(2.0)
            limit_files(pid, resource.prlimit(pid, resource.RLIMIT_FSIZE)[1])

    silence_s = DEAD_S + 1.0
    of_database: list[Callable[[], None]] = []
    if faulty.database is not None:
        of_database = [
            weather(faulty.database, Line(latency_s=0.05), 2.0),
            weather(faulty.database, Line(slice_bytes=7), 2.0),
            weather(faulty.database, Line(silent_down=True), 2.0),
            weather(faulty.database, Line(silent_up=True), 2.0),
            weather(faulty.database, Line(refusing=True), 2.0),
            faulty.database.cut,
            faulty.database.cut,
        ]
    return [
        *of_database,
        weather(link, Line(latency_s=0.4), 2.0),
        weather(link, Line(bytes_per_s=8000, slice_bytes=400), 2.0),
        weather(link, Line(slice_bytes=1), 1.0),
        weather(link, Line(corrupt=0.3), 2.0),
        weather(link, Line(silent_up=True), silence_s),
        weather(link, Line(silent_down=True), silence_s),
        weather(link, Line(refusing=True), 1.0),
        weather(control, Line(latency_s=0.2, slice_bytes=3), 1.0),
        weather(control, Line(refusing=True), 1.0),
        link.cut,
        link.cut,
        control.cut,
        stopped("agent"),
        stopped("api"),
        frozen_until_given_up,
        lambda: kill(farm, "agent"),
        lambda: kill(farm, "api"),
        full_disk,
    ]


def test_print_under_every_fault_is_the_undisturbed_one(faulty: Faulty, minute: str) -> None:
    """Two dozen faults in a seeded order: one job, one attempt, the file's lines and no other."""
    faulty_farm = faulty.farm
    faces = Faces(faulty_farm)
    sender = faulty_farm.ready["printers"][0]["sender_pid"]
    with lines_with_faults(faulty_farm) as (link, control):
        eventually(lambda: faces.get_octoprint("/api/printer"), 30.0, "the printer is back")
        answer = faces.octoprint.post(
            "/api/files/local", files={"file": ("vase.gcode", minute)}, data={"print": "true"}
        )
        assert answer.json()["effectivePrint"] is True, answer.text
        job = faces.get_v1("/jobs")[0]
        eventually(lambda: truth(faces, job["id"]), 30.0, "printing")
        order = faults(faulty, link, control)
        random.Random(SEED).shuffle(order)
        for fault in order:
            fault()
        link.heal()
        control.heal()
        completed = lambda: faces.job_of(job["id"])["status"] == "completed"  # noqa: E731
        eventually(completed, 240.0, "completed", 0.5)
    assert len(faces.get_v1("/jobs")) == 1
    assert faces.job_of(job["id"])["attempt"] == 1
    assert faulty_farm.ready["printers"][0]["sender_pid"] == sender
    assert executed_since(faces, 0, len(commands_of(minute))) == commands_of(minute)
    faces.close()


def test_removed_bridge_hears_of_it_and_prints_on(faulty_farm: StartedFarm, minute: str) -> None:
    """R51: the socket is closed within 5 s, the reason is in `status.json`, the print goes on."""
    faces = Faces(faulty_farm)
    printer = faces.printer["id"]
    state = faulty_farm.directory / "data" / "bridge"

    def link() -> dict[str, Any]:
        shown = json.loads(Path(state, "status.json").read_text("utf-8"))
        is_new = shown["agent"]["pid"] == faulty_farm.ready["processes"]["agent"]
        return dict(shown["link"]) if is_new else {}

    eventually(lambda: link().get("state") == "open", 60.0, "the room is back")
    faces.v1.post(f"/printers/{printer}/plate-cleared")
    before = len(faces.executed())
    faces.octoprint.post(
        "/api/files/local", files={"file": ("last.gcode", minute)}, data={"print": "true"}
    )
    eventually(lambda: len(faces.executed()) > before + 500, 60.0, "the second print")
    bridge = faces.get_v1("/bridges")[0]
    assert faces.v1.delete(f"/bridges/{bridge['id']}").status_code == 204

    log = Path(faulty_farm.directory, "data", "logs", "agent.log")
    said = "the API has revoked this bridge: pair it again with: python -m bridge pair URL"
    eventually(lambda: said in log.read_text("utf-8"), 5.0, "the socket is closed", 0.01)
    eventually(lambda: link().get("last_error") == said, 20.0, "the agent knows why")
    lines = len(faces.executed())
    eventually(lambda: len(faces.executed()) > lines + 500, 60.0, "the print goes on")
    faces.close()
