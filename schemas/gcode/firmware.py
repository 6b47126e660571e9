"""Which codes the firmware families know, so that a file for another one is noticed. Pure data.

An unknown code is never refused: firmwares are built with different features, and most answer
`echo:Unknown command` and go on. Words of a Klipper configuration are macros that anybody may add.
"""

import re
from functools import lru_cache

_RANGE = re.compile(r"([GM])(\d+)(?:-(\d+))?")

_SHARED = "G0-4 G10 G11 G20 G21 G28-30 G90-92 M0 M1 M17 M18 M20-30 M82-84 M104-107 M109-119 "
_MARLIN = (
    _SHARED
    + "G5 G6 G12 G17-19 G26 G27 G31-35 G38 G42 G53-61 G76 G80 G425 M3-5 M7-11 M16 M31-34 M42 M43 "
    "M48 M73 M75-78 M80 M81 M85-87 M92 M100 M102 M108 M120-123 M125-129 M140 M141 M143 M145 M149 "
    "M150 M154 M155 M163-166 M190-193 M200-211 M217 M218 M220 M221 M226 M240 M250 M255 M256 M260 "
    "M261 M280-282 M290 M300-306 M350 M351 M355 M360-364 M380 M381 M400-407 M410 M412-415 "
    "M420-423 M425 M428 M430 M486 M493 M494 M500-504 M510-512 M524 M540 M552-554 M569 M575 "
    "M592-594 M600 M603 M605 M665 M666 M672 M701 M702 M704-710 M808 M810-820 M851 M852 M860-869 "
    "M871 M876 M900 M906-920 M928 M936 M951 M993-995 M997 M999"
)
_PRUSA = (
    _MARLIN
    + " G64 G75 G81-86 G87 G88 G98 G99 G162 G163 G427 G750 M44-47 M53 M72 M74 M79 M142 M214 M253 "
    "M310 M325 M330-340 M505 M528 M555-557 M572-574 M591 M703 M861 M862-865 M958 M959 M970-979 "
    "M1120 M1200-1202 M1300 M1400 M1500 M1600-1704 M9140 M9150 M9200"
)
_REPRAP = (
    _SHARED
    + "G5 G17-19 G31 G32 G38 G53-60 G68 G69 M2-5 M7-9 M32 M36-39 M42 M73 M80 M81 M85 M92 M98 M99 "
    "M101-103 M108 M120-122 M135 M140-144 M150 M190 M191 M200-209 M220 M221 M226 M260 M261 M280 "
    "M290 M291 M292 M300-309 M350 M374-376 M400-409 M420 M425 M450-453 M460 M470 M471 M486 "
    "M500-505 M540 M550-596 M600 M650 M651 M660-676 M701-703 M750-756 M800 M851 M862 M870 M900 "
    "M905 M906 M911-919 M928 M929 M950-957 M968 M997-999"
)
_REPETIER = (
    _SHARED
    + "G5 G12 G31-33 G68 G85-88 G99 G130-135 G201-205 M3-5 M32 M42 M80 M81 M85 M92 M99 M120-122 "
    "M140 M155 M163 M164 M190 M200-209 M220-226 M231-234 M251 M280-282 M300 M302-306 M320-323 "
    "M340 M350 M355 M360 M361 M370-375 M400-402 M408 M415-423 M450-452 M460 M500-502 M513 M530-533 "
    "M539-541 M575 M576 M600-603 M606-608 M665-671 M851 M890 M900 M906-909 M911-915 M925-928 M998 "
    "M999"
)
_SMOOTHIE = (
    _SHARED
    + "G17-19 G31-33 G38 G53-59 G61 G64 M2-5 M7-9 M32 M42 M80 M81 M92 M120 M121 M140 M143 M190 "
    "M200-207 M211 M220 M221 M251 M280 M301 M303-306 M360-364 M370-375 M400 M401 M500-504 M557 "
    "M558 M561 M565 M600 M601 M665 M666 M670 M702-706 M760 M907-911 M957 M958 M1000-1002"
)
_KLIPPER = (
    _SHARED + "M73 M75-77 M108 M118 M140 M141 M190 M191 M200 M203-205 M207-209 M220 M221 M290 "
    "M301-305 M400 M486 M500 M524 M572 M593 M600 M601 M602 M900 M905"
)
#: By the dialects of `schemas.printer.DIALECTS`.
_KNOWN = {
    "marlin": _MARLIN,
    "marlin-1.0": _MARLIN,
    "marlin-1.1": _MARLIN,
    "prusa": _PRUSA,
    "prusa-buddy": _PRUSA,
    "reprapfirmware": _REPRAP,
    "repetier": _REPETIER,
    "smoothie": _SMOOTHIE,
    "klipper": _KLIPPER,
}

#: What names contain, the more exact ones first.
_FAMILIES = (
    ("prusa-firmware-buddy", "prusa-buddy"),
    ("prusa", "prusa"),
    ("klipper", "klipper"),
    ("reprapfirmware", "reprapfirmware"),
    ("repetier", "repetier"),
    ("smoothie", "smoothie"),
    ("marlin", "marlin"),
)

_RESTARTS = "it restarts the firmware in the middle of the print"
_PINS = "it drives the board's pins directly, heaters among them"
#: Codes that no file for this family should hold, and why.
_DANGEROUS: dict[str, dict[str, str]] = {
    "klipper": {
        "RESTART": _RESTARTS,
        "FIRMWARE_RESTART": _RESTARTS,
        "SAVE_CONFIG": "it writes the configuration and restarts the firmware",
        "SET_PIN": _PINS,
    },
    "reprapfirmware": {
        "M581": "it ties what happens to what a pin says",
        "M950": "it gives the board's pins another task",
    },
}
_DANGEROUS_ANYWHERE = {
    "M42": _PINS,
    "M43": _PINS,
    "M301": "it changes how the nozzle's heater is controlled",
    "M304": "it changes how the bed's heater is controlled",
    "M306": "it changes how heaters are controlled",
}


def unknown(code: str, dialect: str) -> bool:
    """Whether the firmware of *dialect* does not know *code*; of another dialect: whether none
    does. Tools and words (`START_PRINT`) are known only to Klipper, and there always.
    """
    if _RANGE.fullmatch(code):
        return code not in _codes(dialect)
    if code.startswith(("T", "@", "//", "%", "$")):
        return False
    return dialect in _KNOWN and dialect != "klipper"


def dangerous(code: str, dialect: str) -> str | None:
    """Why *code* is better not in a file for *dialect*; None: it is not known to do harm."""
    return _DANGEROUS.get(dialect, {}).get(code) or _DANGEROUS_ANYWHERE.get(code)


def is_macro(code: str) -> bool:
    """Whether *code* is a word, behind which a firmware may do anything."""
    return code[:1].isalpha() and not re.fullmatch(r"[GMT]\d*", code)


def family_of(name: str) -> str:
    """The dialect of a firmware that calls itself *name* (M115); `auto` for any other."""
    text = name.lower()
    return next((dialect for word, dialect in _FAMILIES if word in text), "auto")


@lru_cache(maxsize=16)
def _codes(dialect: str) -> frozenset[str]:
    text = _KNOWN.get(dialect) or " ".join(_KNOWN.values())
    return frozenset(
        f"{letter}{number}"
        for letter, first, last in _RANGE.findall(text)
        for number in range(int(first), int(last or first) + 1)
    )
