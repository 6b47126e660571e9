"""Printers, files and neighbours that go wrong under real processes (serial 12)."""

import os
import pty
import resource
import shutil
import signal
import socket
import threading
import time
import tty
from pathlib import Path

import pytest

from bridge.control.messages import (
    Configure,
    Connect,
    Pause,
    RemoteStop,
    Resume,
    SetTargets,
    Status,
    Verdict,
)
from schemas.jobs import AttemptState
from schemas.printer import PrinterConfig, PrinterState
from tests.fakes.owner import CUBE, Owner, Processes, commands_of

pytestmark = pytest.mark.flow
_S, _A = PrinterState, AttemptState


def nozzle_target(status: Status) -> float | None:
    """The target of the nozzle in degrees Celsius, None before it is known."""
    nozzle = status.live.temps.get("tool0")
    return nozzle.target_c if nozzle is not None else None


def printed_whole(owner: Owner, executed: list[bytes]) -> bool:
    """Whether the attempt is complete and every line was executed once."""
    grant = owner.attempt(_A.COMPLETED).grant
    return (grant, executed[: len(commands_of(CUBE))]) == ("G1", commands_of(CUBE))


def test_a_device_that_stalls_goes_on_without_a_line_twice(processes: Processes) -> None:
    """serial 12/#57: stopped, then continued."""
    printer, sender = processes.simulator("--speed", "100"), processes.sender()
    owner = processes.owner(sender, 1)
    owner.connect(printer.link)
    owner.start()
    owner.state(_S.PRINTING)
    for stall_s in (0.5, 3.0):
        printer.process.send_signal(signal.SIGSTOP)
        owner.listen(stall_s)
        printer.process.send_signal(signal.SIGCONT)
        owner.listen(0.2)
    owner.attempt(_A.COMPLETED)
    assert printed_whole(owner, printer.printed())


def test_a_neighbour_that_floods_or_freezes_disturbs_nobody(processes: Processes) -> None:
    """serial 12/#58, #59, #61: each printer has a process of its own."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    mad = threading.Event()

    def flood() -> None:
        while not mad.wait(0.002):
            try:
                os.write(master, b"\xff\x00T:9 Resend: 3\n" * 200)
            except BlockingIOError:
                pass

    noise = threading.Thread(target=flood)
    noise.start()
    try:
        flooded = processes.owner(processes.sender(8), 1)
        config = PrinterConfig(id=8, slug="m", name="m", port_id="path:m", baud=115200)
        flooded.ask(Configure(id="c", config=config, device=os.ttyname(slave)))
        frozen = processes.simulator("--speed", "20", name="frozen")
        icy = processes.owner(processes.sender(9), 1)
        icy.connect(frozen.link)
        icy.start()
        icy.state(_S.PRINTING)
        frozen.process.send_signal(signal.SIGSTOP)
        printer = processes.simulator("--speed", "400", name="good")
        owner = processes.owner(processes.sender(7), 1)
        owner.connect(printer.link)
        owner.start()
        owner.attempt(_A.COMPLETED)
        assert printed_whole(owner, printer.printed())
        memory = Path(f"/proc/{flooded.adopted.pid}/status").read_text("ascii")
        assert int(memory.split("VmHWM:")[1].split()[0]) < 40_000
    finally:
        mad.set()
        noise.join()
        os.close(master)
        os.close(slave)


def test_a_file_that_is_deleted_prints_to_its_end(processes: Processes) -> None:
    """serial 12/#63: the descriptor is kept; a file that shrinks ends the job with a reason."""
    printer, sender = processes.simulator("--speed", "300"), processes.sender()
    owner = processes.owner(sender, 1)
    owner.connect(printer.link)
    copy = processes.directory / "copy.gcode"
    shutil.copy(CUBE, copy)
    owner.start(copy)
    owner.state(_S.PRINTING)
    copy.unlink()
    owner.attempt(_A.COMPLETED)
    assert printed_whole(owner, printer.printed())


def test_a_disk_that_takes_nothing_costs_neither_print_nor_sender(processes: Processes) -> None:
    """safety R32: neither what a next life must know nor the complaint about it can be written."""
    printer, sender = processes.simulator("--speed", "100"), processes.sender()
    owner = processes.owner(sender, 1)
    owner.connect(printer.link)
    _, hard = resource.prlimit(sender.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(sender.process.pid, resource.RLIMIT_FSIZE, (0, hard))
    owner.start()
    owner.state(_S.PRINTING)
    assert owner.ask(Pause(id="p", grant="G1")).verdict is Verdict.DONE
    owner.state(_S.PAUSED)
    assert owner.ask(Resume(id="r", grant="G1")).verdict is Verdict.DONE
    owner.attempt(_A.COMPLETED)
    assert sender.process.poll() is None
    assert set(commands_of(CUBE)) <= set(printer.printed())


def test_a_printer_comes_back_under_another_name(processes: Processes) -> None:
    """serial 12/#41, #42, #43; safety M05, R39: told at once, found again, heaters off first."""
    printer = processes.simulator("--speed", "100", "--faults", "unplug_at=300:1.0")
    owner = processes.owner(processes.sender(), 1)
    owner.connect(printer.link)
    owner.start()
    owner.alarm("port_lost")
    assert owner.attempt(_A.INTERRUPTED).grant == "G1"
    end = time.monotonic() + 10
    while not printer.link.exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    other = processes.directory / "ttyUSB1"
    printer.link.rename(other)
    config = PrinterConfig(id=7, slug="p", name="p", port_id="path:x")
    answer = owner.ask(Configure(id="moved", config=config, device=str(other)))
    assert answer.verdict is Verdict.DONE
    owner.state(_S.OPERATIONAL)
    owner.listen(1.0)
    late = printer.printed()
    assert late[-2:] == [b"M104 S0", b"M140 S0"]


def test_another_printer_at_the_same_port_gets_no_job(processes: Processes) -> None:
    """safety M18: told, not connected, also by the sender's next life, until a person says so."""
    printer = processes.simulator("--speed", "0", name="mine")
    sender = processes.sender()
    owner = processes.owner(sender, 1)
    owner.connect(printer.link)
    sender.kill()
    stranger = processes.simulator("--speed", "0", name="yours")
    owner = processes.owner(processes.sender(), 2)
    config = PrinterConfig(id=7, slug="p", name="p", port_id="path:x")
    owner.ask(Configure(id="swapped", config=config, device=str(stranger.link)))
    assert "another board" in owner.alarm("wrong_printer").text
    owner.state(_S.ERROR)
    assert owner.start().code == "printer_not_operational"
    assert stranger.printed() == []
    assert owner.ask(Connect(id="mine now")).verdict is Verdict.DONE
    owner.start()
    owner.attempt(_A.COMPLETED)


def test_no_descriptor_left_is_a_refusal_and_no_end(processes: Processes) -> None:
    """safety R55: nothing new can be opened; the print goes on, and a stop is obeyed."""
    printer = processes.simulator("--speed", "100")
    sender = processes.sender()
    owner = processes.owner(sender, 1)
    owner.connect(printer.link)
    owner.start()
    owner.state(_S.PRINTING)
    pid = owner.adopted.pid
    used = max(int(one.name) for one in Path(f"/proc/{pid}/fd").iterdir()) + 1
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used, used))
    with socket.socket(socket.AF_UNIX) as visitor:
        visitor.connect(str(sender.path))
        visitor.settimeout(20)
        assert visitor.recv(1) == b""
        owner.attempt(_A.COMPLETED)
        assert printed_whole(owner, printer.printed())
        owner.state(_S.OPERATIONAL)
        owner.start(grant="G2")
        assert owner.ask(RemoteStop(id="stop")).verdict is Verdict.DONE
        owner.state(_S.HALTED)
    assert sender.process.poll() is None


def test_heat_without_a_job_does_not_outlive_a_killed_sender(processes: Processes) -> None:
    """safety M01: 210 degrees by command, kill -9; the next life switches off before all else."""
    printer, sender = processes.simulator(), processes.sender()
    owner = processes.owner(sender, 1)
    owner.connect(printer.link)
    hot = SetTargets(id="hot", targets_c={"tool0": 210.0, "bed": 60.0})
    assert owner.ask(hot).verdict is Verdict.DONE
    owner.expect(Status, lambda one: nozzle_target(one) == 210.0)
    sender.kill()
    killed = time.monotonic()
    again = processes.owner(processes.sender(), 2)
    again.connect(printer.link)
    again.expect(Status, lambda one: nozzle_target(one) == 0.0)
    assert time.monotonic() - killed < 15.0


def test_a_sender_that_ended_well_leaves_a_hot_printer_to_its_person(processes: Processes) -> None:
    """Only a kill is a doubt: what somebody has heated at the machine since is his."""
    printer, sender = processes.simulator(), processes.sender()
    processes.owner(sender, 1).connect(printer.link)
    sender.process.terminate()
    assert sender.process.wait(20) == 0
    before = len(printer.printed())
    processes.owner(processes.sender(), 2).connect(printer.link)
    assert b"M104 S0" not in printer.printed()[before:]
