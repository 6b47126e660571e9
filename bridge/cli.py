"""The operator's command line: pair, run, look, stop (DESIGN section 7, "First hour").

This is also where the agent meets the simulator's command lines and the serial listing: the three
know nothing of each other.
"""

import argparse
import logging
import os
import platform
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from bridge import config as configs
from bridge.agent import (
    VERSION,
    access,
    address,
    identity,
    pairing,
    plates,
    process,
    status,
    stopping,
)
from bridge.agent.errors import AlreadyRunning, PairingError
from bridge.agent.ports import Ports
from bridge.agent.simulators import link_of
from bridge.blackbox import command as blackbox
from bridge.control.paths import runtime_dir
from bridge.doctor import command as doctor
from bridge.errors import BridgeError
from bridge.gcode.terminal import printable
from bridge.sender.board import board_path, load_board
from bridge.serial.ports import list_usb_ports
from bridge.simulator.virtual import VirtualAddressError, VirtualPrinter
from bridge.simulator.virtual import parse as parse_virtual
from schemas.printer import Live, PrinterState

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_RUNNING = 3
EXIT_PAIRING = 4
EXIT_LEFT = 5

TOKEN_VARIABLE = "GANTRY_ENROL_TOKEN"  # noqa: S105 - the name, not the token
TOKEN_FILE_VARIABLE = "GANTRY_ENROL_TOKEN_FILE"  # noqa: S105
STOP_S = 60.0

_EPILOG = """\
examples:
  python -m bridge pair https://farm.example --room "Hall 2"
  python -m bridge run
  python -m bridge run --simulate "virtual://sim1?speed=20"
  python -m bridge ports
  python -m bridge status --json
  python -m bridge blackbox show last --grep "Resend|Error"
  python -m bridge plate clear sim1
  python -m bridge stop --all

exit codes:
  0  done                          3  another agent runs in this state directory
  1  failed, the reason is shown   4  not paired, or pairing was refused
  2  wrong option or setting       5  senders did not end in time
  6  blackbox replay: differences  7  doctor: there are problems
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.command(options))
    except (configs.ConfigError, VirtualAddressError, stopping.UnknownPrinter) as error:
        return _complain(error, EXIT_USAGE)
    except AlreadyRunning as error:
        return _complain(error, EXIT_RUNNING)
    except PairingError as error:
        return _complain(error, EXIT_PAIRING)
    except PermissionError as error:
        text = access.refused(Path(error.filename)) if error.filename else str(error)
        return _complain(text, EXIT_FAILED)
    except (BridgeError, OSError) as error:
        return _complain(error, EXIT_FAILED)
    except KeyboardInterrupt:
        return EXIT_FAILED


def _complain(error: Exception | str, code: int) -> int:
    print(f"bridge: {error}", file=sys.stderr)
    return code


# --- commands ----------------------------------------------------------------------------------


def _pair(options: argparse.Namespace) -> int:
    import httpx

    directory = _state_dir(options)
    access.check(directory)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = address.parse(options.url, insecure=options.insecure)
    key = identity.load_or_create(directory)
    room = pairing.Room(
        room=options.room or socket.gethostname(),
        hostname=socket.gethostname(),
        os=f"{platform.system()} {platform.release()} {platform.machine()}",
        agent_version=VERSION,
    )
    token = _enrol_token(options.enrol_token_file, os.environ)
    with httpx.Client(trust_env=target.uses_proxy) as client:
        pairer = pairing.Pairer(client, target, key)
        if token is not None:
            paired = pairer.enrol(token, room)
        else:
            code = pairer.ask(room)
            _show(code, key.fingerprint, room.room)
            paired = pairer.wait(code)
    identity.save_pairing(directory, paired)
    then = "start it with: python -m bridge run"
    if status.is_running(directory):
        then = "end the agent that runs here and start it anew; it goes by the pairing that it read"
    print(f"paired as {paired.name or paired.bridge_id}; {then}")
    return EXIT_OK


def _show(code: pairing.Code, fingerprint: str, room: str) -> None:
    print(f"Code          {code.user_code}   (valid for {code.expires_in / 60:.0f} minutes)")
    print(f"Approve at    {code.verification_url}")
    print(f"Room          {room}")
    print(f"Fingerprint   {fingerprint}")
    print("An admin enters the code and compares the fingerprint before approving.", flush=True)


def _run(options: argparse.Namespace) -> int:
    logging.basicConfig(
        level=logging.DEBUG if options.verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    for noisy in ("httpx", "httpcore", "websockets"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    directory = _state_dir(options)
    access.check(directory)
    settings = configs.merged(configs.load(directory), options.simulate, options.path)
    process.run(
        process.Options(
            state_dir=directory,
            listing=list_usb_ports,
            simulated=_simulated(settings.simulate),
            paths=settings.paths,
            insecure=options.insecure,
        )
    )
    return EXIT_OK


def _inventory(options: argparse.Namespace) -> Ports:
    """The ports of this bridge as they are now."""
    directory = _state_dir(options)
    settings = configs.load(directory)
    simulated = _simulated(settings.simulate)
    links = {}
    if simulated:
        runtime = runtime_dir(directory, status.sender_pids(directory))
        links = {printer.name: link_of(runtime, printer.name) for printer in simulated}
    inventory = Ports(list_usb_ports, settings.paths, links)
    inventory.scan()
    return inventory


def _doctor(options: argparse.Namespace) -> int:
    directory = _state_dir(options)
    running, known = status.is_running(directory), status.read(directory)
    senders = [one for one in known.senders if one.pid is not None] if known else []
    devices = {one.port: one.printer for one in senders}
    ports = [
        msgspec.structs.replace(port, printer=devices.get(port.device))
        for port in _inventory(options).listed({})
    ]
    shown = {
        one.printer: Live(
            printer=one.printer,
            state=PrinterState(one.printer_state or PrinterState.OFFLINE),
            error=one.error,
            firmware=one.firmware,
        )
        for one in senders
    }
    boards = {
        printer: board
        for printer in devices.values()
        if (board := load_board(board_path(directory, printer))) is not None
    }
    return doctor.run(options, ports, shown, boards, agent_running=running)


def _ports(options: argparse.Namespace) -> int:
    ports = _inventory(options).listed({})
    if options.json:
        print(msgspec.json.encode(ports).decode())
        return EXIT_OK
    if not ports:
        print(
            "no serial ports; plug a printer in, or name one in bridge.toml: [[path]] device = ..."
        )
    for port in ports:
        print(f"{port.port_id:40} {port.device:20} {port.error or port.description}")
    return EXIT_OK


def _status(options: argparse.Namespace) -> int:
    directory = _state_dir(options)
    running, known = status.is_running(directory), status.read(directory)
    if options.json:
        body = {"running": running, "status": known}
        print(msgspec.json.encode(body).decode())
    elif known is None:
        print(f"no agent has run in {directory}")
    else:
        if running and (problem := status.stale(directory)) is not None:
            print(f"stale      {problem}")
        for lines in status.lines(known, running):
            print("\n".join(map(printable, lines.split("\n"))))
    return EXIT_OK if running else EXIT_FAILED


def _stop(options: argparse.Namespace) -> int:
    if bool(options.printer) == options.all:
        raise configs.ConfigError("name the printers to stop, or give --all")
    directory = _state_dir(options)
    if not directory.is_dir():
        raise configs.ConfigError(f"there is no bridge in {directory}")
    result = stopping.stop(
        directory, options.printer, everything=options.all, timeout_s=options.timeout
    )
    print(f"ended {len(result.ended)} senders and {len(result.simulators)} simulators")
    if result.left:
        names = ", ".join(map(str, result.left))
        print(f"still running after {options.timeout:.0f} s: printers {names}", file=sys.stderr)
        return EXIT_LEFT
    return EXIT_OK


def _plate(options: argparse.Namespace) -> int:
    directory = _state_dir(options)
    known = status.read(directory)
    if known is None or not status.is_running(directory):
        raise plates.PlateRefused(
            f"no agent runs in {directory}: start it, then say it again, or say it to the farm"
        )
    names = {one.slug: one.printer for one in known.senders}
    names |= {str(one.printer): one.printer for one in known.senders}
    if options.printer not in names:
        have = ", ".join(sorted(str(one.slug or one.printer) for one in known.senders)) or "none"
        raise stopping.UnknownPrinter(f"no printer {options.printer!r}; this bridge has {have}")
    plates.ask(directory, names[options.printer])
    print(f"the plate of {options.printer} counts as clear for the next start")
    return EXIT_OK


# --- what they share ---------------------------------------------------------------------------


def _state_dir(options: argparse.Namespace) -> Path:
    return configs.state_dir(options.state_dir, os.environ)


def _simulated(addresses: Sequence[str]) -> list[VirtualPrinter]:
    printers = [parse_virtual(text) for text in addresses]
    names = [printer.name for printer in printers]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise configs.ConfigError(f"two simulated printers are called {sorted(twice)[0]!r}")
    return printers


def _enrol_token(file: str | None, environment: Mapping[str, str]) -> str | None:
    chosen = file or environment.get(TOKEN_FILE_VARIABLE)
    if chosen:
        try:
            return Path(chosen).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise PairingError(f"the enrolment token file {chosen}: {error}") from error
    return environment.get(TOKEN_VARIABLE) or None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bridge",
        description="The Gantry bridge: printers on USB cables, driven from the farm's API.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"gantry bridge {VERSION}")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--state-dir",
        metavar="DIR",
        help="default $GANTRY_STATE_DIR or ~/.local/state/gantry-bridge",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_pair(commands.add_parser("pair", parents=[common], help="join a farm"))
    _add_run(commands.add_parser("run", parents=[common], help="be the room's agent"))
    ports = commands.add_parser("ports", parents=[common], help="show the serial ports")
    ports.add_argument("--json", action="store_true", help="for programs")
    ports.set_defaults(command=_ports)
    shown = commands.add_parser("status", parents=[common], help="what the agent is doing")
    shown.add_argument("--json", action="store_true", help="for programs")
    shown.set_defaults(command=_status)
    checked = commands.add_parser(
        "doctor", parents=[common], help="what is wrong with the ports, and how to fix it"
    )
    doctor.add(checked)
    checked.set_defaults(command=_doctor)
    recorded = commands.add_parser("blackbox", help="what was said on the cables, print by print")
    blackbox.add(recorded, common, _state_dir)
    plate = commands.add_parser("plate", parents=[common], help="say that a plate is clear")
    plate.add_argument("claim", choices=["clear"], help="nothing lies on it; holds for one start")
    plate.add_argument("printer", metavar="PRINTER", help="number or slug")
    plate.set_defaults(command=_plate)
    _add_stop(commands.add_parser("stop", parents=[common], help="end senders and simulators"))
    return parser


def _add_pair(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("url", metavar="URL", help="the API, https://HOST[:PORT]")
    parser.add_argument("--room", metavar="NAME", help="how people call this room")
    parser.add_argument(
        "--enrol-token-file",
        metavar="FILE",
        help=f"pair without a person; also ${TOKEN_FILE_VARIABLE} or ${TOKEN_VARIABLE}",
    )
    parser.add_argument("--insecure", action="store_true", help="allow http:// beyond this machine")
    parser.set_defaults(command=_pair)


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--simulate", metavar="URL", action="append", default=[], help="add a simulated printer"
    )
    parser.add_argument(
        "--path", metavar="DEVICE", action="append", default=[], help="add a port by its path"
    )
    parser.add_argument("--insecure", action="store_true", help="allow ws:// beyond this machine")
    parser.add_argument("--verbose", action="store_true", help="log everything")
    parser.set_defaults(command=_run)


def _add_stop(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("printer", nargs="*", metavar="PRINTER", help="number or slug")
    parser.add_argument("--all", action="store_true", help="every sender and every simulator")
    parser.add_argument(
        "--timeout", type=float, default=STOP_S, metavar="S", help=f"default {STOP_S:.0f} s"
    )
    parser.set_defaults(command=_stop)
