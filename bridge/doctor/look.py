"""Gathers what `checks` judges: files under /dev, /proc and /sys, and with consent a firmware."""

import grp
import os
import select
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec

from bridge.control.whereabouts import user_name
from bridge.doctor.checks import PortFacts, SystemFacts
from bridge.errors import PortError, PortProblem
from bridge.gcode.dialects import by_firmware
from bridge.gcode.happenings import Identified
from bridge.sender.board import Board
from bridge.sender.device import Device
from bridge.serial.links import latency_timer, link_of
from bridge.serial.port import SerialPort
from schemas.facts import Port
from schemas.printer import Live, PrinterConfig, PrinterState

#: How long a firmware may take to answer, all baud rates together.
ASK_S = 40.0


def system_facts(*, agent_running: bool, proc: Path = Path("/proc")) -> SystemFacts:
    """Who runs this, and which programs run."""
    names = set()
    for path in proc.glob("[0-9]*/comm"):
        try:
            names.add(path.read_text("utf-8", "replace").strip())
        except OSError:
            continue  # it has just ended
    groups = {_group_name(number) for number in os.getgroups()}
    return SystemFacts(
        user=user_name(os.getuid()),
        groups=sorted(groups),
        programs=sorted(names),
        agent_running=agent_running,
    )


def port_facts(port: Port, dev: Path = Path("/dev"), sysfs: Path = Path("/sys")) -> PortFacts:
    """What is to be seen of *port* without disturbing it."""
    device, path = port.device, Path(port.device)
    try:
        group = _group_name(path.stat().st_gid)
    except OSError:
        group = ""
    readable = not path.exists() or os.access(path, os.R_OK | os.W_OK)
    timer = latency_timer(device, sysfs)
    return PortFacts(
        port_id=port.port_id,
        device=device,
        description=port.description,
        group=group,
        readable=readable,
        error=port.error,
        printer=port.printer,
        lossless=link_of(device, sysfs).lossless,
        latency_ms=_number(timer) if timer is not None else None,
        by_id=_name_in(dev / "serial" / "by-id", path),
        by_path=_name_in(dev / "serial" / "by-path", path),
    )


def driven(facts: PortFacts, shown: Live | None, board: Board | None) -> PortFacts:
    """*facts* of a port that a sender has: *shown* is its picture, *board* what answered it."""
    if board is not None and board.port != facts.port_id:
        board = None  # of the port that this printer had before
    firmware = (shown.firmware if shown is not None else None) or (board and board.firmware)
    if firmware:
        dialect = by_firmware(firmware).name
        facts = msgspec.structs.replace(facts, firmware=firmware, dialect=dialect)
    if board is not None and board.firmware == firmware:
        facts = msgspec.structs.replace(
            facts, uuid=board.uuid, baud=board.baud, capabilities=board.capabilities
        )
    return msgspec.structs.replace(facts, trouble=shown.error if shown is not None else None)


def ask(facts: PortFacts) -> PortFacts:
    """Open the port, greet, and add what the firmware says; may reset the board, moves nothing."""
    config = PrinterConfig(id=0, slug="", name="", port_id=facts.port_id)
    device, poll = Device(config), select.poll()
    end = time.monotonic() + ASK_S
    device.open(facts.device, time.monotonic())
    identity: Identified | None = None
    while device.port is not None and time.monotonic() < end:
        now = time.monotonic()
        device.tick(now)
        device.pump(now)
        for happening in device.events():
            identity = happening if isinstance(happening, Identified) else identity
        fd = _fd(device)
        if fd is None or device.printer.state is PrinterState.OPERATIONAL:
            break
        poll.register(fd, select.POLLIN)
        due = device.deadline()
        wait_s = 0.2 if due is None else min(0.2, max(0.0, due - now))
        if poll.poll(wait_s * 1000 + 1):
            device.readable(time.monotonic())
    baud = device.port.baud if device.port is not None else None
    state, dialect = device.printer.state, device.printer.link.stream.dialect.name
    reason = _reason(device)
    device.close(time.monotonic())
    if state is not PrinterState.OPERATIONAL:
        return msgspec.structs.replace(facts, answer=reason)
    return msgspec.structs.replace(
        facts,
        firmware=identity.name if identity else "a firmware without a name",
        dialect=dialect,
        uuid=identity.uuid if identity else None,
        capabilities=dict(identity.capabilities) if identity else {},
        baud=baud,
    )


def _fd(device: Device) -> int | None:
    return None if device.port is None else device.port.fd


def _reason(device: Device) -> str:
    return device.printer.error or "nothing answers"


def is_busy(device: str) -> bool:
    """Whether another program has *device* for itself; opens nothing that a reset could follow."""
    if not link_of(device).lossless:
        return _opened_by_somebody(device)
    try:
        SerialPort(device, 115200).close()
    except PortError as error:
        return error.problem is PortProblem.BUSY
    return False


def _opened_by_somebody(device: str, proc: Path = Path("/proc")) -> bool:
    target = Path(device).resolve()
    for link in proc.glob("[0-9]*/fd/*"):
        try:
            if link.readlink() == target:
                return True
        except OSError:
            continue  # another user's, or it has just been closed
    return False


def _name_in(folder: Path, device: Path) -> str | None:
    links: Iterable[Path] = sorted(folder.glob("*")) if folder.is_dir() else ()
    return next((str(link) for link in links if link.resolve() == device.resolve()), None)


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text("ascii"))
    except (OSError, ValueError):
        return None


def _group_name(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
