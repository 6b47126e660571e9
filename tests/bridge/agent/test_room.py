"""What belongs to a room beside printers: ports, simulators, detached processes, senders' files."""

import asyncio
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from bridge.agent.detached import Children, environment
from bridge.agent.errors import SenderLost
from bridge.agent.ports import MAX_PORTS, Ports
from bridge.agent.senders import SenderHome
from bridge.agent.simulators import Simulators, link_of, pid_of
from bridge.control.lock import Lock
from bridge.control.messages import Adopt
from bridge.serial.ports import UsbPort
from schemas.facts import Port
from tests.fakes.sender import FakeSender, serve
from tests.fakes.signals import send_signal


def usb(number: int, device: str = "/dev/ttyUSB0") -> Port:
    return Port(port_id=f"usb:{number}", device=device, description="x" * 200)


def test_ports_are_those_of_machine_operator_and_simulators(tmp_path: Path) -> None:
    """Three sources, each under its own kind of name."""
    there = tmp_path / "sim1.port"
    there.touch()
    ports = Ports(lambda: [usb(1)], ["/dev/none"], {"sim1": there, "sim2": tmp_path / "no"})
    assert ports.scan()
    assert not ports.scan()
    listed = {port.port_id: port for port in ports.listed({"usb:1": 7})}
    assert list(listed) == ["usb:1", "path:/dev/none", "virtual:sim1", "virtual:sim2"]
    assert listed["usb:1"].printer == 7
    assert len(listed["usb:1"].description) == 80


def test_only_listed_ports_that_work_have_a_device(tmp_path: Path) -> None:
    """An API cannot make the agent open anything else."""
    ports = Ports(lambda: [usb(1)], ["/dev/none"], {})
    ports.scan()
    names = ("usb:1", "path:/dev/none", "path:/etc/passwd", "usb:2")
    assert [ports.device(name) for name in names] == ["/dev/ttyUSB0", None, None, None]


def test_change_of_a_device_is_a_change() -> None:
    """Re-plugging under another name must reach the sender; a flood of ports is cut."""
    found: list[Port] = [usb(1)]
    ports = Ports(lambda: found, [], {})
    assert ports.scan()
    found[0] = usb(1, "/dev/ttyUSB1")
    assert ports.scan()
    found[:] = [usb(number) for number in range(100)]
    ports.scan()
    assert len(ports.listed({})) == MAX_PORTS


def twin(socket: str, *, alone: bool) -> UsbPort:
    """A board with the serial number that its whole series has."""
    number, place = "usb:10c4:ea60:0001", f"usb-path:{socket}"
    device = f"/dev/tty{socket}"
    name = number if alone else place
    return UsbPort(port_id=name, serial_id=number, socket_id=place, device=device)


def test_a_board_is_found_when_another_of_its_series_comes_or_goes() -> None:
    """safety M18: by the name it had, in the socket it had, and never another one."""
    found: list[Port] = [twin("1-1", alone=True)]
    ports = Ports(lambda: found, [], {})
    ports.scan()
    number, first, second = "usb:10c4:ea60:0001", "usb-path:1-1", "usb-path:1-2"
    assert ports.device(number) == ports.device(first) == "/dev/tty1-1"
    found[:] = [twin("1-1", alone=False), twin("1-2", alone=False)]
    ports.scan()
    assert [ports.device(name) for name in (number, first, second)] == [
        "/dev/tty1-1",
        "/dev/tty1-1",
        "/dev/tty1-2",
    ]
    assert [port.printer for port in ports.listed({first: 1, second: 2})] == [1, 2]
    found[:] = [twin("1-2", alone=True)]
    ports.scan()
    assert [ports.device(name) for name in (number, first)] == [None, None]
    assert ports.device(second) == "/dev/tty1-2"
    assert [port.printer for port in ports.listed({second: 2})] == [2]
    unseen = Ports(lambda: [twin("1-1", alone=False), twin("1-2", alone=False)], [], {})
    unseen.scan()
    assert unseen.device(number) is None  # nobody can tell which of them it was


def test_detached_processes_get_no_settings_and_no_secrets() -> None:
    """Nothing that begins with GANTRY_ leaves the agent (safety S67)."""
    given = {"GANTRY_ENROL_TOKEN": "secret", "HOME": "/h", "PYTHONPATH": "/p"}
    kept = environment(given)
    assert "GANTRY_ENROL_TOKEN" not in kept
    assert kept["HOME"] == "/h"
    assert kept["PYTHONPATH"].endswith(os.pathsep + "/p")


def test_detached_process_has_its_own_session_and_log(tmp_path: Path) -> None:
    """It does not hear the terminal's Ctrl-C, and what it says is kept."""
    children = Children(tmp_path / "log")
    code = "import os; print(os.getsid(0) == os.getpid(), os.getcwd())"
    pid = children.start("child", ["-c", code])
    deadline = time.monotonic() + 10
    while not children.ended(pid):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    log = children.log_path("child")
    assert log.read_text() == "True /\n"
    assert log.stat().st_mode & 0o777 == 0o600


class Sleeper:
    """A simulated printer that makes its lock and link and does nothing."""

    name = "sim1"

    def arguments(self, link: str) -> Sequence[str]:
        code = (
            "import sys, time; from pathlib import Path; from bridge.control.lock import Lock;"
            "link = Path(sys.argv[1]); lock = Lock(link.with_name(link.name + '.lock'));"
            "link.touch(); time.sleep(30)"
        )
        return ["-c", code, link]


async def test_simulators_are_started_once_and_found_again(tmp_path: Path) -> None:
    """The next agent finds the process by its lock."""
    children = Children(tmp_path / "log")
    first = Simulators([Sleeper()], tmp_path, children)  # type: ignore[list-item]
    await first.start()
    (shown,) = first.status()
    assert shown.pid is not None
    second = Simulators([Sleeper()], tmp_path, Children(tmp_path / "log"))  # type: ignore[list-item]
    await second.start()
    assert second.status() == [shown]
    assert pid_of(link_of(tmp_path, "sim1")) == shown.pid
    send_signal(shown.pid, signal.SIGKILL)
    while not children.ended(shown.pid):
        await asyncio.sleep(0.005)
    assert pid_of(link_of(tmp_path, "sim1")) is None


async def test_home_finds_senders_by_their_files(quick_dir: Path, tmp_path: Path) -> None:
    """Lock held: it runs; socket: it can be adopted; otherwise a clear loss."""
    home = SenderHome(quick_dir, tmp_path, Children(tmp_path / "log"))
    assert home.running() == []
    lock = Lock(quick_dir / "3.lock")
    (quick_dir / "4.lock").touch()
    (quick_dir / "sim.lock").touch()
    assert home.running() == [3]
    assert home.pid(3) == os.getpid()
    with pytest.raises(SenderLost, match="cannot reach"):
        await home.adopt(3, Adopt(epoch=1, agent_pid=1))
    server = await serve(FakeSender(3), quick_dir / "3.sock")
    line = await home.adopt(3, Adopt(epoch=1, agent_pid=1))
    assert line.adopted.printer == 3
    line.close()
    await asyncio.sleep(0.01)
    server.close()
    await server.wait_closed()
    lock.release()
    assert home.running() == []
