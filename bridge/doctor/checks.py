"""Facts about ports and programs into findings that say what to do. Pure."""

from collections.abc import Iterable, Iterator
from enum import StrEnum

import msgspec

#: Above this an FTDI chip holds bytes back for longer than a ping-pong takes, in ms.
GOOD_LATENCY_MS = 2
#: Programs that open new serial ports and talk to what is behind them.
MEDDLERS = {
    "ModemManager": "sudo systemctl disable --now ModemManager, or set ID_MM_DEVICE_IGNORE by udev",
    "brltty": "sudo systemctl disable --now brltty-udev; it takes CH340 ports for braille displays",
}
#: Other hosts; two on one port steal each other's bytes.
HOSTS = ("octoprint", "klippy", "repetier-server", "prusa-link", "pronterface")


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    ADVICE = "advice"
    PROBLEM = "problem"


class PortFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One port. *error*: why it cannot be opened; *answer*: why a firmware we asked is silent.

    *group* may open it; *latency_ms* of an FTDI chip; *printer* drives it already, and *trouble* is
    what that printer's sender says; *capabilities* None: nobody knows them.
    """

    port_id: str
    device: str
    description: str = ""
    group: str = ""
    readable: bool = True
    error: str | None = None
    printer: int | None = None
    busy: bool = False
    lossless: bool = False
    latency_ms: int | None = None
    by_id: str | None = None
    by_path: str | None = None
    firmware: str | None = None
    dialect: str | None = None
    uuid: str | None = None
    capabilities: dict[str, bool] | None = None
    baud: int | None = None
    answer: str | None = None
    trouble: str | None = None


class SystemFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The computer: who runs this, and which programs run."""

    user: str
    groups: list[str]
    programs: list[str]
    agent_running: bool = False


class Finding(msgspec.Struct, frozen=True):
    """One judgement. *where* is a port_id or `system`; *fix* is blank where nothing is to do."""

    level: Level
    where: str
    text: str
    fix: str = ""


def judge(system: SystemFacts, ports: Iterable[PortFacts]) -> list[Finding]:
    """Everything worth knowing, worst first."""
    ports = list(ports)
    found = [*_system(system), *(finding for port in ports for finding in _port(port, system))]
    if not ports:
        text = "no serial ports are plugged in"
        fix = "plug a printer in, or name a port in bridge.toml: [[path]] device = ..."
        found.append(Finding(Level.PROBLEM, "system", text, fix))
    return sorted(found, key=lambda one: (_ORDER[one.level], one.where))


_ORDER = {Level.PROBLEM: 0, Level.ADVICE: 1, Level.OK: 2}


def _system(system: SystemFacts) -> Iterator[Finding]:
    for name, fix in MEDDLERS.items():
        if name in system.programs:
            yield Finding(Level.ADVICE, "system", f"{name} runs and opens new ports", fix)
    for name in HOSTS:
        if any(name in program.lower() for program in system.programs):
            text = f"another printer host runs: {name}"
            yield Finding(Level.ADVICE, "system", text, "make sure that it uses other ports")
    if not system.agent_running:
        fix = "start it: python -m bridge run"
        yield Finding(Level.ADVICE, "system", "the agent does not run", fix)


def _port(port: PortFacts, system: SystemFacts) -> Iterator[Finding]:
    where = port.port_id
    if not port.readable:
        fix = f"sudo usermod -aG {port.group} {system.user}, then log in again"
        text = f"no permission to open {port.device}; it belongs to group {port.group}"
        yield Finding(Level.PROBLEM, where, text, fix)
        return
    if port.error is not None:
        yield Finding(Level.PROBLEM, where, port.error)
        return
    if port.busy and port.printer is None:
        text = f"{port.device} is in use by another program"
        fix = f"find it with: sudo fuser -v {port.device}; then close it"
        yield Finding(Level.PROBLEM, where, text, fix)
    if port.latency_ms is not None and port.latency_ms > GOOD_LATENCY_MS:
        text = f"the USB chip holds bytes back for up to {port.latency_ms} ms"
        name = port.device.rpartition("/")[2]
        fix = f"echo 1 | sudo tee /sys/bus/usb-serial/devices/{name}/latency_timer, or a udev rule"
        yield Finding(Level.ADVICE, where, text, fix)
    if where.startswith("usb-path:"):
        text = "its USB chip has no serial number of its own: it is known by its socket"
        yield Finding(Level.ADVICE, where, text, "keep this printer in this socket")
    if port.trouble is not None:
        yield Finding(Level.PROBLEM, where, f"printer {port.printer}: {port.trouble}")
    yield from _firmware(port)


def _firmware(port: PortFacts) -> Iterator[Finding]:
    where = port.port_id
    if port.answer is not None and port.firmware is None:
        yield Finding(Level.PROBLEM, where, port.answer, "check power, cable and baud rate")
        return
    if port.firmware is None:
        yield Finding(Level.OK, where, f"{port.device} is there")
        return
    at = f" at {port.baud} baud" if port.baud else ""
    yield Finding(Level.OK, where, f"{port.firmware} answers{at}, spoken to as {port.dialect}")
    if port.capabilities is None:
        return
    if not port.capabilities.get("EMERGENCY_PARSER", False):
        text = "a remote stop may wait behind what the printer is at (no EMERGENCY_PARSER)"
        fix = "build the firmware with EMERGENCY_PARSER, and fit a power switch in reach"
        yield Finding(Level.ADVICE, where, text, fix)
    if not port.capabilities.get("AUTOREPORT_TEMP", False):
        text = "temperatures must be asked for (no AUTOREPORT_TEMP)"
        fix = "nothing has to be done; a firmware with AUTO_REPORT_TEMPERATURES saves the questions"
        yield Finding(Level.ADVICE, where, text, fix)
    if port.uuid is None:
        text = "its firmware has no UUID: two such boards are told apart by their USB sockets"
        fix = "keep each printer in its socket, or build the firmware with a MACHINE_UUID"
        yield Finding(Level.ADVICE, where, text, fix)
