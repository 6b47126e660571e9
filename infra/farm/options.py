"""What `python -m infra.farm` takes."""

import argparse
import os
from dataclasses import dataclass
from pathlib import Path

EXAMPLES = """\
examples:
  make run
  make run ARGS="--printers 4 --speed 100"
  make run ARGS="--attach prusa=/dev/ttyACM0@115200"
  make run ARGS="--host 0.0.0.0 --port 8080 --data /srv/gantry --no-demo-job"

exit status: 0 stopped by Ctrl-C or SIGTERM, 1 could not start (the reason is the last line),
2 wrong arguments
"""


@dataclass(frozen=True, slots=True)
class Attached:
    """A printer on an existing serial device; *baud* 0 detects."""

    name: str
    device: str
    baud: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """One farm, as asked for."""

    host: str
    port: int
    data: Path
    printers: int
    speed: float
    attach: tuple[Attached, ...]
    admin_password: str | None
    database_url: str | None
    storage_url: str | None
    bus_url: str | None
    demo_job: bool
    ready_file: Path | None
    card: str = ""

    @property
    def url(self) -> str:
        """Where this machine reaches the API."""
        host = "127.0.0.1" if self.host in ("", "0.0.0.0", "::") else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


def attached(text: str) -> Attached:
    """``NAME=/dev/path[@BAUD]``. Raises `argparse.ArgumentTypeError`."""
    name, equals, rest = text.partition("=")
    device, _, baud = rest.partition("@")
    if not name or not equals or not device.startswith("/"):
        raise argparse.ArgumentTypeError(
            f"{text!r}: write NAME=/dev/path or NAME=/dev/path@BAUD, for example mk3=/dev/ttyACM0"
        )
    if baud and not (baud.isascii() and baud.isdigit() and 0 < int(baud) <= 4_000_000):
        raise argparse.ArgumentTypeError(f"{text!r}: the baud rate {baud!r} is not a number")
    return Attached(name, device, int(baud or 0))


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; ports go from 1 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 100:
        raise argparse.ArgumentTypeError(f"{text!r}: give a number from 0 to 100")
    return int(text)


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = -1.0
    if not 0 <= speed <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r}: 1 is real time, 20 is twenty times as fast")
    return speed


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m infra.farm",
        description="Run a whole print farm on this machine: API, bridge and simulated printers.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = made.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (0.0.0.0: the whole network)")
    add("--port", type=_port, default=8000)
    add("--data", type=Path, default=Path("data"), metavar="DIR", help="everything is kept here")
    add("--printers", type=_count, default=2, metavar="N", help="simulated printers (default 2)")
    add("--card", default="", metavar="NAME:BYTES,…", help="on each simulated printer's SD card")
    add("--speed", type=_speed, default=20.0, metavar="X", help="of simulated time; 0: no waiting")
    add(
        "--attach",
        type=attached,
        action="append",
        default=[],
        metavar="NAME=/dev/path[@BAUD]",
        help="a printer on a serial device; repeatable",
    )
    add("--admin-password", help="of the first admin (default: a random one); or the environment"
        " variables GANTRY_ADMIN_PASSWORD, GANTRY_ADMIN_PASSWORD_FILE")  # fmt: skip
    add("--database-url", metavar="URL", help="default: SQLite in the data directory")
    add("--storage-url", metavar="URL", help="default: a folder in the data directory")
    add("--bus-url", metavar="URL", help="default: in-process")
    add("--no-demo-job", action="store_true", help="do not print the demo file")
    add("--ready-file", type=Path, metavar="FILE", help="written once every printer is operational")
    return made


def parse(arguments: list[str] | None = None) -> Options:
    """The options; exits with status 2 on wrong arguments."""
    made = parser()
    given = made.parse_args(arguments)
    names = [each.name for each in given.attach]
    if len(set(names)) != len(names):
        made.error("--attach: every printer needs its own name")
    return Options(
        host=given.host,
        port=given.port,
        data=given.data.absolute(),
        card=given.card,
        printers=given.printers,
        speed=given.speed,
        attach=tuple(given.attach),
        admin_password=given.admin_password or _password_from_environment(),
        database_url=given.database_url,
        storage_url=given.storage_url,
        bus_url=given.bus_url,
        demo_job=not given.no_demo_job,
        ready_file=given.ready_file.absolute() if given.ready_file else None,
    )


def _password_from_environment() -> str | None:
    if file_name := os.environ.get("GANTRY_ADMIN_PASSWORD_FILE"):
        return Path(file_name).read_text(encoding="utf-8").strip()
    return os.environ.get("GANTRY_ADMIN_PASSWORD")
