"""Firmware families as a host meets them: what each says and how it counts lines (serial 10).

The rows are written from the families' documents, not from the host's table of dialects, so that a
common mistake cannot hide. `marlin` is the model itself; a row lists its differences from it.
"""

from dataclasses import dataclass
from enum import Enum


class Repeats(Enum):
    """What becomes of a line whose number has been taken already."""

    SILENT = "silent"  # dropped without a word
    REFUSED = "refused"  # an error and a Resend of the next line
    EXECUTED = "executed"  # numbers are not looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """How one family differs. Texts have their values in braces."""

    identity: str | None = None  # M115's line; None: Marlin's
    boot: tuple[str, ...] | None = None  # None: Marlin's
    capabilities: frozenset[str] | None = None  # None: Marlin's; blank: says none
    emergency_parser: bool = True
    #: M108 ends a wait for a person without an emergency parser, too (Marlin: HAS_MARLINUI_MENU)
    display: bool = True
    repeats: Repeats = Repeats.SILENT
    error: str | None = "Error:{why}, Last Line: {last}"
    resend: str = "Resend: {next}"
    resend_ok: bool = True
    #: so many whole lines that do not follow are skipped behind a Resend, a word and `ok` for each,
    #: and it asks again when nothing has come for `ASK_AGAIN_S`
    skips: int = 0
    #: a colon ends a line, outside of comments
    colons: bool = False
    #: the checksum is what is behind the first asterisk, not the last
    first_star: bool = False
    #: a damaged line vanishes without a word
    mute: bool = False
    #: numbers need a checksum, and it is looked at
    checks: bool = True
    ok: str = "ok"  # {number} is that of the line
    keepalive: bool = True
    reports: bool = True  # M155 works


MARLIN = Family()
_PRUSA_CAPS = frozenset({"AUTOREPORT_TEMP", "AUTOREPORT_POS", "PROMPT_SUPPORT"})

FAMILIES: dict[str, Family] = {
    "marlin": MARLIN,
    "marlin-1.1": Family(
        identity="FIRMWARE_NAME:Marlin 1.1.9 (Github) SOURCE_CODE_URL:x PROTOCOL_VERSION:1.0 "
        "MACHINE_TYPE:RepRap",
        boot=("start", "Marlin 1.1.9", "echo:SD init fail"),
        emergency_parser=False,
        display=False,
        repeats=Repeats.REFUSED,
    ),
    "marlin-1.0": Family(
        identity="FIRMWARE_NAME:Marlin V1; Sprinter/grbl mashup for gen6 PROTOCOL_VERSION:1.0 "
        "MACHINE_TYPE:Mendel",
        boot=("start", "Marlin 1.0.2", "echo:SD init fail"),
        colons=True,
        first_star=True,
        capabilities=frozenset(),
        emergency_parser=False,
        repeats=Repeats.REFUSED,
        keepalive=False,
        reports=False,
    ),
    "mk3": Family(
        identity="FIRMWARE_NAME:Prusa-Firmware 3.13.3 based on Marlin FIRMWARE_URL:x "
        "PROTOCOL_VERSION:1.0 MACHINE_TYPE:Prusa i3 MK3S",
        boot=("\x00start", "echo:Prusa-Firmware 3.13.3", "SpoolJoin is Off"),
        first_star=True,
        capabilities=_PRUSA_CAPS,
        emergency_parser=False,
        repeats=Repeats.REFUSED,
        resend_ok=False,
    ),
    "buddy": Family(
        identity="FIRMWARE_NAME:Prusa-Firmware-Buddy 6.0.0 SOURCE_CODE_URL:x PROTOCOL_VERSION:1.0 "
        "MACHINE_TYPE:Prusa-MK4",
        boot=(),
        capabilities=_PRUSA_CAPS,
        emergency_parser=False,
        repeats=Repeats.REFUSED,
    ),
    "repetier": Family(
        identity="FIRMWARE_NAME:Repetier_1.0.4 FIRMWARE_URL:x PROTOCOL_VERSION:1.0 "
        "MACHINE_TYPE:Mendel REPETIER_PROTOCOL:3",
        boot=("start", "Info:External Reset"),
        colons=True,
        first_star=True,
        capabilities=frozenset(),
        emergency_parser=False,
        repeats=Repeats.REFUSED,
        error="Error:expected line {next} got {got}",
        resend="Resend:{next}",
        skips=14,
        ok="ok {number}",
        keepalive=False,
        reports=False,
    ),
    "smoothie": Family(
        identity="FIRMWARE_NAME:Smoothieware, FIRMWARE_URL:http%3A//smoothieware.org, "
        "X-SOURCE_CODE_URL:x,",
        boot=("Smoothie", "ok"),
        capabilities=frozenset(),
        repeats=Repeats.REFUSED,
        error=None,
        resend="rs N{next}",
        resend_ok=False,
        keepalive=False,
        reports=False,
    ),
    "rrf": Family(
        identity="FIRMWARE_NAME: RepRapFirmware for Duet 2 WiFi FIRMWARE_VERSION: 3.4.6 "
        "ELECTRONICS: Duet WiFi 1.02",
        boot=(),
        capabilities=frozenset(),
        repeats=Repeats.EXECUTED,
        mute=True,
        keepalive=False,
        reports=False,
    ),
    "klipper": Family(
        identity="FIRMWARE_NAME:Klipper FIRMWARE_VERSION:v0.12",
        boot=("// Klipper state: Ready",),
        capabilities=frozenset(),
        emergency_parser=False,
        repeats=Repeats.EXECUTED,
        checks=False,
        keepalive=False,
        reports=False,
    ),
}
