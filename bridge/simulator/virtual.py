"""Addresses of simulated printers: `virtual://NAME?speed=20&hotends=2&faults=flip=0.0002,seed=7`.

Pure: reads an address into options, and options into the command line that starts the process.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from urllib.parse import parse_qsl, urlsplit

from bridge.simulator.families import FAMILIES
from bridge.simulator.faults import Faults, FaultSpecError
from bridge.simulator.faults import parse as parse_faults
from bridge.simulator.profile import Profile

SCHEME = "virtual"
MODULE = "bridge.simulator"
MAX_HOTENDS = 8

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SWITCH = {"": True, "1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


class VirtualAddressError(ValueError):
    """An address or option that cannot be used. *parameter* names what to correct."""

    def __init__(self, parameter: str, problem: str) -> None:
        super().__init__(f"{parameter}: {problem}")
        self.parameter = parameter


@dataclass(frozen=True, slots=True)
class VirtualPrinter:
    """The options of one simulated printer, in the order of the command line.

    *speed* is simulated seconds per real second, 0 for free-running; temperatures in °C; *log* is
    the path of the list of executed commands or None; *card*, what is on its card: `NAME:BYTES`
    with commas between. Raises VirtualAddressError naming the option
    if a value is out of range.
    """

    name: str
    speed: float = 1.0
    hotends: int = 1
    max_nozzle: float = 275.0
    max_bed: float = 120.0
    rx_size: int = 128
    boot_delay: float = 0.0
    advanced_ok: bool = False
    reset_on_open: bool = False
    firmware: str = "marlin"
    faults: str = ""
    seed: int = 0
    log: str | None = None
    card: str = ""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise VirtualAddressError("name", f"{self.name!r} is no name; use A-Z a-z 0-9 . _ -")
        for parameter, low, high in _RANGES:
            value = getattr(self, parameter)
            if not low <= value <= high:
                raise VirtualAddressError(parameter, f"{value} is not from {low} to {high}")
        if self.firmware not in FAMILIES:
            known = ", ".join(FAMILIES)
            raise VirtualAddressError(
                "firmware", f"{self.firmware!r} is unknown; known are {known}"
            )
        self.planned_faults()
        self.card_files()

    def planned_faults(self) -> Faults:
        """The fault list, read."""
        try:
            return parse_faults(self.faults, self.seed)
        except FaultSpecError as error:
            raise VirtualAddressError("faults", str(error)) from error

    def card_files(self) -> dict[str, int]:
        """The files on its card by name, in bytes."""
        files: dict[str, int] = {}
        for entry in filter(None, self.card.split(",")):
            name, _, size = entry.rpartition(":")
            if not name or not size.isdigit():
                raise VirtualAddressError("card", f"{entry!r} is not NAME:BYTES")
            files[name] = int(size)
        return files

    def profile(self) -> Profile:
        """The machine these options describe."""
        return Profile(
            name=self.name,
            hotends=self.hotends,
            max_nozzle_c=self.max_nozzle,
            max_bed_c=self.max_bed,
            rx_bytes=self.rx_size,
            advanced_ok=self.advanced_ok,
            boot_delay_s=self.boot_delay,
            heater_faults=self.planned_faults().heaters,
            family=FAMILIES[self.firmware],
            card=self.card_files(),
        )

    def arguments(self, link: str) -> list[str]:
        """The arguments after `python` that start this printer at the path *link*."""
        arguments = ["-m", MODULE, "--link", link]
        for option in fields(self):
            value = getattr(self, option.name)
            flag = "--" + option.name.replace("_", "-")
            if value is True:
                arguments.append(flag)
            elif value is not False and value != option.default:
                arguments.append(f"{flag}={value}")
        return arguments


_RANGES: tuple[tuple[str, float, float], ...] = (
    ("speed", 0, 10_000),
    ("hotends", 1, MAX_HOTENDS),
    ("max_nozzle", 50, 600),
    ("max_bed", 40, 300),
    ("rx_size", 128, 65_536),
    ("boot_delay", 0, 60),
    ("seed", 0, 2**63),
)


def parse(address: str) -> VirtualPrinter:
    """Read a `virtual://` address. Raises VirtualAddressError naming the parameter."""
    try:
        parts = urlsplit(address)
    except ValueError as error:
        raise VirtualAddressError("address", f"{address!r}: {error}") from error
    if parts.scheme != SCHEME:
        raise VirtualAddressError("address", f"{address!r} does not begin with {SCHEME}://")
    if parts.path.strip("/") or parts.fragment:
        raise VirtualAddressError("address", f"{address!r} has more than a name and parameters")
    values: dict[str, object] = {}
    for parameter, value in parse_qsl(parts.query, keep_blank_values=True):
        reader = _READERS.get(parameter)
        if reader is None:
            raise VirtualAddressError(parameter, f"unknown; known are {', '.join(_READERS)}")
        if parameter in values:
            raise VirtualAddressError(parameter, "given twice")
        values[parameter] = reader(parameter, value)
    return VirtualPrinter(parts.netloc, **values)  # type: ignore[arg-type]


def _real(parameter: str, value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise VirtualAddressError(parameter, f"{value!r} is no number") from None


def _whole(parameter: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise VirtualAddressError(parameter, f"{value!r} is no whole number") from None


def _switch(parameter: str, value: str) -> bool:
    if value.lower() not in _SWITCH:
        raise VirtualAddressError(parameter, f"{value!r} is neither true nor false")
    return _SWITCH[value.lower()]


def _plain(parameter: str, value: str) -> str:
    return value


_READERS: dict[str, Callable[[str, str], object]] = {
    "speed": _real,
    "hotends": _whole,
    "max_nozzle": _real,
    "max_bed": _real,
    "rx_size": _whole,
    "boot_delay": _real,
    "advanced_ok": _switch,
    "reset_on_open": _switch,
    "firmware": _plain,
    "faults": _plain,
    "seed": _whole,
    "log": _plain,
    "card": _plain,
}
