"""What kind of link a tty is: may bytes be lost on it, and does opening it reset the board?

A pty and native USB have flow control; what looks like a serial port but is a USB bridge in front
of a UART has none, and its DTR line is wired to the reset pin of most boards.
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

#: Unix98 pty slaves (Linux major numbers).
_PTY_MAJORS = range(136, 144)
#: USB vendors whose CDC ports are the microcontroller itself.
_NATIVE_VENDORS = frozenset({"0483", "1d50", "1eaf", "1fc9", "239a", "2e8a", "1209"})
#: Native ports of vendors that also sell bridges: vendor and product.
_NATIVE_PRODUCTS = frozenset(
    {("2c99", product) for product in ("000a", "000b", "000c", "000d", "000e", "000f", "0010")}
    | {("2341", product) for product in ("003d", "003e", "804d", "8036")}
)


@dataclass(frozen=True, slots=True)
class Link:
    """*lossless*: flow-controlled. *boots*: opening may reset it. *real_baud*: the rate matters.

    *pty*: no device of its own, so a mark on it would outlive who set it.
    """

    lossless: bool
    boots: bool
    real_baud: bool
    pty: bool = False


#: Names under /dev that may be a printer.
_PATTERNS = ("ttyUSB*", "ttyACM*", "ttyAMA*", "serial/by-id/*")

PTY = Link(lossless=True, boots=False, real_baud=False, pty=True)
NATIVE_USB = Link(lossless=True, boots=False, real_baud=False)
UART = Link(lossless=False, boots=True, real_baud=True)


def link_of(device: str, sysfs: Path = Path("/sys")) -> Link:
    """The kind of link behind *device*; a UART when nothing better is known."""
    try:
        info = Path(device).stat()
    except OSError:
        return UART
    if stat.S_ISCHR(info.st_mode) and os.major(info.st_rdev) in _PTY_MAJORS:
        return PTY
    name = Path(device).resolve().name
    usb = sysfs / "class" / "tty" / name / "device" / ".."
    try:
        vendor = (usb / "idVendor").read_text("ascii").strip().lower()
        product = (usb / "idProduct").read_text("ascii").strip().lower()
    except OSError:
        return UART
    native = vendor in _NATIVE_VENDORS or (vendor, product) in _NATIVE_PRODUCTS
    return NATIVE_USB if native and name.startswith("ttyACM") else UART


def latency_timer(device: str, sysfs: Path = Path("/sys")) -> Path | None:
    """The file that holds an FTDI chip's latency in ms, None for every other port."""
    name = Path(device).resolve().name
    timer = sysfs / "bus" / "usb-serial" / "devices" / name / "latency_timer"
    return timer if timer.exists() else None


def existing_devices(dev: Path = Path("/dev")) -> list[str]:
    """Paths that a person may have meant, for the text of an error."""
    found = {path.resolve() for pattern in _PATTERNS for path in dev.glob(pattern)}
    return sorted(str(path) for path in found)
