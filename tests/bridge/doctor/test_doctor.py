"""`bridge doctor`: findings that say what to do, from facts that are really there."""

import argparse
import json
import os
import pty
import tty
from pathlib import Path

import pytest
from msgspec.structs import replace

from bridge.doctor import command, look
from bridge.doctor.checks import Level, PortFacts, SystemFacts, judge
from bridge.sender.board import Board
from bridge.serial.port import SerialPort
from schemas.facts import Port
from schemas.printer import Live, PrinterState
from tests.fakes.owner import Processes

SYSTEM = SystemFacts(user="ada", groups=["ada"], programs=["bash"], agent_running=True)


def texts(system: SystemFacts, *ports: PortFacts) -> list[str]:
    """Findings as lines."""
    return [f"{one.level} {one.text} {one.fix}" for one in judge(system, ports)]


def test_every_fault_has_a_remedy() -> None:
    """Forbidden, busy, slow, silent: what it is and what to type."""
    usb = PortFacts(port_id="usb:1", device="/dev/ttyUSB0", group="dialout")
    told = "\n".join(
        texts(
            SystemFacts(user="ada", groups=[], programs=["ModemManager", "brltty"]),
            usb.__class__(port_id="a", device="/dev/ttyUSB0", group="dialout", readable=False),
            PortFacts(port_id="b", device="/dev/ttyUSB1", busy=True),
            PortFacts(port_id="c", device="/dev/ttyUSB2", latency_ms=16),
            PortFacts(port_id="d", device="/dev/ttyUSB3", answer="nothing answers"),
            PortFacts(port_id="e", device="/dev/ttyUSB4", error="it does not exist"),
            PortFacts(port_id="usb-path:1-1", device="/dev/ttyUSB5"),
        )
    )
    for words in (
        "usermod -aG dialout ada",
        "fuser -v /dev/ttyUSB1",
        "usb-serial/devices/ttyUSB2/latency_timer",
        "problem nothing answers",
        "problem it does not exist",
        "known by its socket keep this printer in this socket",
        "disable --now ModemManager",
        "brltty",
        "python -m bridge run",
    ):
        assert words in told
    assert texts(SYSTEM) == [
        "problem no serial ports are plugged in plug a printer in, or name a port in bridge.toml: "
        "[[path]] device = ..."
    ]


def test_a_firmware_is_judged_by_what_it_can() -> None:
    """A stop that may wait is worth knowing; a good one needs nothing."""
    good = PortFacts(
        port_id="a",
        device="/dev/ttyACM0",
        firmware="Marlin 2.1",
        dialect="marlin",
        uuid="1-2",
        baud=115200,
        capabilities={"EMERGENCY_PARSER": True, "AUTOREPORT_TEMP": True},
    )
    assert [one.level for one in judge(SYSTEM, [good])] == [Level.OK]
    poor = replace(good, firmware="Sprinter", dialect="sprinter", uuid=None, capabilities={})
    advice = [one for one in judge(SYSTEM, [poor]) if one.level is Level.ADVICE]
    assert len(advice) == 3
    assert all(one.fix for one in advice)


def test_what_nobody_knows_of_a_firmware_is_not_held_against_it() -> None:
    """A sender of another version has said its name and no more."""
    known = PortFacts(port_id="a", device="/dev/ttyACM0", firmware="Marlin", dialect="marlin")
    assert [one.level for one in judge(SYSTEM, [known])] == [Level.OK]


def test_a_port_that_a_sender_has_shows_what_that_one_knows() -> None:
    """Firmware, UUID, capabilities and rate from its last connection; its error is a problem."""
    port = PortFacts(port_id="usb:1", device="/dev/ttyUSB0", printer=3)
    board = Board(
        port="usb:1", uuid="1-2", baud=250000, firmware="Marlin 2.1", capabilities={"ARCS": True}
    )
    live = Live(printer=3, state=PrinterState.PRINTING, firmware="Marlin 2.1")
    facts = look.driven(port, live, board)
    assert (facts.firmware, facts.dialect) == ("Marlin 2.1", "marlin")
    assert (facts.uuid, facts.baud, facts.capabilities) == ("1-2", 250000, {"ARCS": True})
    assert sum("EMERGENCY_PARSER" in one.text for one in judge(SYSTEM, [facts])) == 1
    silent = Live(printer=3, state=PrinterState.ERROR, error="nothing answers")
    assert look.driven(port, silent, board).capabilities == {"ARCS": True}
    told = texts(SYSTEM, look.driven(port, silent, None))
    assert told[0].startswith("problem printer 3: nothing answers")
    elsewhere = replace(board, port="usb:2")
    assert look.driven(port, live, elsewhere).capabilities is None


def test_a_user_without_a_name_may_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container that runs as a number of its own."""
    monkeypatch.setattr(os, "getuid", lambda: 987654)
    assert look.system_facts(agent_running=False).user == "987654"


def test_names_under_dev_serial_and_the_latency_are_found(tmp_path: Path) -> None:
    """by-id and by-path lead to the same device; the timer is read."""
    device = tmp_path / "ttyUSB0"
    device.touch()
    for folder in ("by-id", "by-path"):
        (tmp_path / "serial" / folder).mkdir(parents=True)
        (tmp_path / "serial" / folder / "usb-x").symlink_to(device)
    timer = tmp_path / "bus" / "usb-serial" / "devices" / "ttyUSB0"
    timer.mkdir(parents=True)
    (timer / "latency_timer").write_text("16")
    facts = look.port_facts(Port(port_id="usb:x", device=str(device)), tmp_path, tmp_path)
    assert facts.by_id == str(tmp_path / "serial" / "by-id" / "usb-x")
    assert facts.by_path == str(tmp_path / "serial" / "by-path" / "usb-x")
    assert facts.latency_ms == 16
    assert facts.readable


def test_a_port_in_use_is_busy() -> None:
    """serial 12/#7: found without opening what a reset could follow."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    path = os.ttyname(slave)
    os.close(slave)
    assert not look.is_busy(path)
    port = SerialPort(path, 115200)
    assert look.is_busy(path)
    port.close()
    os.close(master)


@pytest.mark.flow
def test_an_idle_printer_is_asked_with_consent(
    processes: Processes, capsys: pytest.CaptureFixture[str]
) -> None:
    """Firmware, UUID, capabilities; a used port is left alone; exit code 7 for problems."""
    printer = processes.simulator()
    parser = argparse.ArgumentParser()
    command.add(parser)
    ports = [
        Port(port_id="path:sim", device=str(printer.link)),
        Port(port_id="path:gone", device="/dev/none", error="/dev/none does not exist"),
        Port(port_id="path:used", device="/dev/used", printer=3),
    ]
    shown = {3: Live(printer=3, state=PrinterState.PRINTING, firmware="Marlin 2.1")}
    options = parser.parse_args(["--json", "--ask"])
    boards = {3: Board(port="path:used", firmware="Marlin 2.1", capabilities={"ARCS": True})}
    assert command.run(options, ports, shown, boards, agent_running=True) == command.EXIT_PROBLEM
    report = json.loads(capsys.readouterr().out)
    asked, gone, used = report["ports"]
    assert asked["firmware"].startswith("Marlin")
    assert asked["uuid"]
    assert asked["capabilities"]["EMERGENCY_PARSER"]
    assert (gone["error"], used["firmware"]) == ("/dev/none does not exist", "Marlin 2.1")
    assert used["capabilities"] == {"ARCS": True}
    assert command.run(parser.parse_args([]), ports[:1], {}, {}, agent_running=True) == 0
    assert "is there" in capsys.readouterr().out
    command.run(parser.parse_args([]), ports[2:], shown, boards, agent_running=True)
    shown_text = capsys.readouterr().out
    assert "path:used: /dev/used (UART, printer 3)" in shown_text
    assert "    Marlin 2.1, UUID none\n    can ARCS\n" in shown_text
