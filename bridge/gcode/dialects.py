"""What differs between firmware families, as data (serial 10).

A row lists only its differences from Marlin 2. A new firmware is a row and a transcript.
"""

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How one family is spoken to. Times in seconds."""

    name: str
    #: FIRMWARE_NAME of M115 that this row is for, ignoring case.
    pattern: str
    #: Most lines in flight on a link that loses no bytes.
    window: int = 4
    #: Most bytes in flight on a UART: its receive ring less one.
    rx_bytes: int = 127
    #: It asks for a damaged or missing line again. Where it does not, a lost `ok` is undecidable.
    asks_again: bool = True
    #: An `ok` follows each Resend.
    resend_ok: bool = True
    #: It may say the same Resend twice without a second cause.
    doubles_resend: bool = False
    #: No answer for so long: probe. Shortened once `busy` lines are seen.
    silence_s: float = 30.0
    #: The same while a long command runs and nobody has seen `busy`.
    long_silence_s: float = 600.0
    #: It knows M113, which says whether long commands speak (`busy`).
    keepalive: bool = True
    #: It can report temperatures by itself without the capability line saying so.
    autoreport: bool = False


MARLIN = Dialect(name="marlin", pattern=r"marlin")

DIALECTS: tuple[Dialect, ...] = (
    Dialect(name="prusa-buddy", pattern=r"prusa-firmware-buddy", autoreport=True),
    Dialect(name="prusa", pattern=r"prusa-firmware", window=1, resend_ok=False),
    Dialect(
        name="reprapfirmware",
        keepalive=False,
        pattern=r"reprapfirmware",
        window=1,
        asks_again=False,
        silence_s=60.0,
    ),
    Dialect(name="repetier", pattern=r"repetier", doubles_resend=True, rx_bytes=63),
    Dialect(name="smoothie", pattern=r"smoothie", window=1, resend_ok=False, keepalive=False),
    Dialect(
        name="klipper",
        keepalive=False,
        pattern=r"klipper",
        window=2,
        asks_again=False,
        silence_s=600.0,
        long_silence_s=3600.0,
    ),
    Dialect(name="malyan", pattern=r"malyan", window=1),
    Dialect(name="teacup", pattern=r"teacup", window=1, resend_ok=False, keepalive=False),
    MARLIN,
)

_BY_NAME = {dialect.name: dialect for dialect in DIALECTS}


def by_firmware(name: str) -> Dialect:
    """The row for a FIRMWARE_NAME; Marlin for a name that nobody knows."""
    for dialect in DIALECTS:
        if re.search(dialect.pattern, name, re.IGNORECASE):
            return dialect
    return MARLIN


def by_name(name: str) -> Dialect | None:
    """The row called *name*, None for `auto` and for what no row is called."""
    return _BY_NAME.get(name)
