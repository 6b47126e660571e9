"""The agent as a process: real senders, real simulators, an API that is only the link's.

What an operator fears: the agent is killed in mid-print, again and again, and the print must not
notice (DESIGN section 7, Restarts; safety R03).
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bridge.agent import status
from bridge.agent.identity import Pairing, load_or_create, save_pairing
from bridge.agent.statewatch import DISK_S
from bridge.control.paths import runtime_dir
from bridge.simulator import executed
from schemas.commands import Verb
from schemas.facts import AlarmFact
from schemas.printer import PrinterConfig, PrinterState
from tests.fakes.api_link import FakeApi, serve
from tests.fakes.signals import send_signal

ROOT = Path(__file__).parents[3]
CUBE = ROOT / "tests" / "data" / "cube_lowtemp.gcode"
pytestmark = pytest.mark.flow


class Room:
    """One state directory, its agent process and the API it is paired with."""

    def __init__(self, directory: Path, api: FakeApi, url: str, simulate: list[str]) -> None:
        self.directory = directory
        self.api = api
        self.simulate = simulate
        self.agent: subprocess.Popen[bytes] | None = None
        directory.mkdir(mode=0o700, exist_ok=True)
        load_or_create(directory)
        save_pairing(directory, Pairing(url=url, bridge_id="bridge-1"))

    def run(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "bridge", *arguments, "--state-dir", str(self.directory)]

    def start(self) -> None:
        flags = [flag for url in self.simulate for flag in ("--simulate", url)]
        with (self.directory / "agent.log").open("ab") as log:
            self.agent = subprocess.Popen(self.run("run", *flags), cwd=ROOT, stderr=log)

    async def kill(self, number: int = signal.SIGKILL) -> int:
        assert self.agent is not None
        self.agent.send_signal(number)
        return await asyncio.to_thread(self.agent.wait, 10)

    def stop(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.run("stop", "--all", "--timeout", "20"),
            cwd=ROOT,
            capture_output=True,
            check=False,
            text=True,
            timeout=60,
        )

    def said(self) -> str:
        return (self.directory / "agent.log").read_text()


@asynccontextmanager
async def room_of(tmp_path: Path, api: FakeApi, simulate: list[str]) -> AsyncIterator[Room]:
    async with serve(api) as url:
        room = Room(tmp_path / "state", api, url, simulate)
        room.start()
        try:
            yield room
        finally:
            if room.agent is not None and room.agent.poll() is None:
                await room.kill()
            stopped = await asyncio.to_thread(room.stop)
            assert stopped.returncode == 0, stopped.stderr + room.said()
            assert not list(runtime_dir(room.directory).glob("*.sock"))


def config(number: int, **more: object) -> PrinterConfig:
    return PrinterConfig(
        id=number,
        slug=f"sim{number}",
        name=f"Sim {number}",
        port_id=f"virtual:sim{number}",
        **more,  # type: ignore[arg-type]
    )


def commands_of(text: str) -> list[str]:
    """A file's commands as a printer gets them: without comments and blank lines."""
    lines = (line.split(";", 1)[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def operational(api: FakeApi, *numbers: int) -> bool:
    return all(
        number in api.lives and api.lives[number].state is PrinterState.OPERATIONAL
        for number in numbers
    )


async def test_agent_killed_in_mid_print_changes_nothing(tmp_path: Path) -> None:
    """kill -9 twice: the executed lines are the file's, one job, one attempt, one completion."""
    log = tmp_path / "sim1.lines"
    api = FakeApi(desired=[config(1)])
    async with room_of(tmp_path, api, [f"virtual://sim1?speed=40&log={log}"]) as room:
        await api.until(lambda: operational(api, 1), 20)
        data = CUBE.read_bytes()
        start = api.start(1, "grant-1", data)
        await api.until(lambda: api.states(start.id) == ["started", "done"], 20)
        for _ in range(2):
            before = api.lives[1].lines_sent
            await api.until(lambda before=before: api.lives[1].lines_sent > before + 100, 60)  # type: ignore[misc]
            await room.kill()
            room.start()
            hellos = len(api.hellos)
            await api.until(lambda hellos=hellos: len(api.hellos) > hellos, 10)  # type: ignore[misc]
        await api.until(lambda: api.attempts("grant-1")[-1:] == ["completed"], 90)
        await api.until(lambda: operational(api, 1), 20)
        assert api.attempts("grant-1") == ["started", "completed"]
        assert api.states(start.id) == ["started", "done"]
        await asyncio.sleep(2 * executed.FLUSH_PERIOD_S)
        ran = executed.read(log)
    assert ran.resets == ["PowerUp"]
    file = commands_of(data.decode())
    words = {line.split()[0] for line in file}  # what is none of them is the host's own talk
    assert [line for line in ran.numbered if line.split()[0] in words] == file


async def test_ten_printers_are_adopted_within_a_second(tmp_path: Path) -> None:
    """A new agent finds ten running senders; its memory stays modest."""
    numbers = range(1, 11)
    api = FakeApi(desired=[config(number) for number in numbers])
    urls = [f"virtual://sim{number}?speed=0" for number in numbers]
    async with room_of(tmp_path, api, urls) as room:
        await api.until(lambda: operational(api, *numbers), 60)
        assert await room.kill(signal.SIGTERM) == 0
        api.lives.clear()
        room.start()
        await api.until(lambda: operational(api, *numbers), 20)
        assert room.agent is not None
        fields = Path(f"/proc/{room.agent.pid}/stat").read_text().rpartition(")")[2].split()
        took_s = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        rss = int(Path(f"/proc/{room.agent.pid}/statm").read_text().split()[1]) * 4096
        print(f"adopted 10 in {took_s:.2f} s of computing, start included; {rss / 1e6:.1f} MB")
        await asyncio.sleep(1.2)
        known = status.read(room.directory)
        assert known is not None and all(sender.adopted for sender in known.senders)
        assert took_s < 3.0
        assert rss < 64e6


async def test_second_agent_refuses_and_the_first_ends_quickly(tmp_path: Path) -> None:
    """Exit code 3 and one line; SIGTERM ends the first within a second and leaves the sender."""
    api = FakeApi(desired=[config(1)])
    async with room_of(tmp_path, api, ["virtual://sim1?speed=0"]) as room:
        await api.until(lambda: operational(api, 1), 20)
        second = await asyncio.to_thread(
            subprocess.run, room.run("run"), cwd=ROOT, capture_output=True, text=True
        )
        assert (second.returncode, second.stderr.count("\n")) == (3, 1), second.stderr
        refused = await asyncio.to_thread(room.stop)
        assert refused.returncode == 3
        async with asyncio.timeout(5):
            while not (known := status.read(room.directory)) or not known.senders:
                await asyncio.sleep(0.05)
        begun = time.monotonic()
        assert await room.kill(signal.SIGTERM) == 0
        assert time.monotonic() - begun < 1.0
        (sender,) = known.senders
        assert sender.pid is not None
        os.kill(sender.pid, 0)
        assert (sender.slug, sender.state) == ("sim1", "running")
        assert (room.directory / "identity.key").stat().st_mode & 0o777 == 0o600


def alarms(api: FakeApi) -> list[str]:
    """Codes of what a person was told."""
    return [fact.body.code for fact in api.all_facts() if isinstance(fact.body, AlarmFact)]


async def test_state_that_is_removed_under_the_agent_is_told_of(tmp_path: Path) -> None:
    """Everything looked well until the agent ended, and with it what it had acknowledged."""
    api = FakeApi(desired=[])
    async with room_of(tmp_path, api, []) as room:
        await api.until(lambda: bool(api.hellos), 20)
        await api.until(lambda: bool(api.reported), 20)
        aside = room.directory.rename(tmp_path / "aside")
        await api.until(lambda: alarms(api) == ["journal_gone"], DISK_S + 10)
        aside.rename(room.directory)
        assert "is started again" not in room.said()  # no part of the agent has failed by that


async def test_print_that_was_given_up_is_not_taken_up_when_somebody_connects(
    tmp_path: Path,
) -> None:
    """The sender dies five times: the attempt is over, and so it stays, with the heaters off."""
    log = tmp_path / "sim1.lines"
    api = FakeApi(desired=[config(1)])
    async with room_of(tmp_path, api, [f"virtual://sim1?speed=20&log={log}"]) as room:
        await api.until(lambda: operational(api, 1), 20)
        api.start(1, "grant-1", CUBE.read_bytes())
        await api.until(lambda: api.lives[1].lines_sent > 50, 60)
        killed: set[int] = set()

        def another() -> bool:
            known = status.read(room.directory)
            pid = known.senders[0].pid if known is not None else None
            if pid is not None and pid not in killed:
                send_signal(pid, signal.SIGKILL)
                killed.add(pid)
            return "sender_failed" in alarms(api)

        await api.until(another, 60)
        await api.until(lambda: api.attempts("grant-1") == ["started", "interrupted"], 10)
        await asyncio.sleep(1.0)  # the firmware runs what it had been given
        before = len(executed.read(log).numbered)
        api.command(1, Verb.CONNECT)
        await api.until(lambda: operational(api, 1), 20)
        await asyncio.sleep(1.0)
        assert operational(api, 1)
        assert api.lives[1].grant is None
        assert api.attempts("grant-1") == ["started", "interrupted"]
        assert await room.kill(signal.SIGTERM) == 0
    ran = executed.read(log).numbered[before:]
    assert {"M104 S0", "M140 S0"} <= set(ran)
    assert not [line for line in ran if line.startswith("G")]


async def test_killed_sender_goes_on_and_stop_ends_a_print(tmp_path: Path) -> None:
    """kill -9 of a sender: the same attempt goes on and is not told as ended; stop cools down."""
    log = tmp_path / "sim1.lines"
    api = FakeApi(desired=[config(1)])
    async with room_of(tmp_path, api, [f"virtual://sim1?speed=20&log={log}"]) as room:
        await api.until(lambda: operational(api, 1), 20)
        api.start(1, "grant-1", CUBE.read_bytes())
        await api.until(lambda: api.lives[1].lines_sent > 50, 60)
        known = status.read(room.directory)
        assert known is not None and known.senders[0].pid is not None
        send_signal(known.senders[0].pid, signal.SIGKILL)
        await api.until(lambda: "resumed" in alarms(api), 15)
        before = api.lives[1].lines_sent
        await api.until(lambda: api.lives[1].grant == "grant-1", 20)
        await api.until(lambda: api.lives[1].lines_sent > before + 50, 60)
        assert api.attempts("grant-1") == ["started"]
        assert await room.kill(signal.SIGTERM) == 0
    ran = executed.read(log)
    assert ran.numbered[-1].startswith(("M84", "M140", "M104", "M107", "M106"))
    assert "M104 T0 S0" in ran.numbered[-12:] or "M104 S0" in ran.numbered[-12:]
