"""Temperature targets that a command sets, checked against a printer's ceilings (safety M19).

What cannot be read as a plain number in a temperature command is a violation too: a value that the
gate cannot judge must not reach a heater. Where firmware families read a number differently
(`S215.0E1` is 215 for Marlin and 2150 for others) every reading must be allowed.
"""

import re
from dataclasses import dataclass

from schemas.gcode.words import Command, Word
from schemas.printer import Profile


@dataclass(frozen=True, slots=True)
class Violation:
    """A target above its ceiling, in degrees Celsius. *asked_c* None: it is no plain number."""

    code: str
    heater: str
    asked_c: float | None
    allowed_c: float

    def __str__(self) -> str:
        if self.asked_c is None:
            return f"{self.code} sets the {self.heater} to something that is no plain number"
        return (
            f"{self.code} asks for {self.asked_c:g} °C at the {self.heater}, "
            f"this printer allows {self.allowed_c:g} °C"
        )


@dataclass(frozen=True, slots=True)
class _Setter:
    heater: str
    letters: str
    needs: str = ""  # letters of which one must be there, or the command sets nothing
    bed: str = ""  # letters that are the bed's


#: Which words of which command are temperatures. B is Marlin's autotemp ceiling; G10 and M568 are
#: RepRapFirmware's tool temperatures, with P or for the tool it has (elsewhere G10 is a retraction,
#: and its S 0 or 1); G26 and M600 are Marlin's test print and filament change, which heat, too.
SETTERS: dict[str, _Setter] = {
    "M104": _Setter("nozzle", "SRB"),
    "M109": _Setter("nozzle", "SRB"),
    "M140": _Setter("bed", "SR"),
    "M190": _Setter("bed", "SR"),
    "M141": _Setter("chamber", "SR"),
    "M191": _Setter("chamber", "SR"),
    "G10": _Setter("nozzle", "SR", needs="PRS"),
    "G26": _Setter("nozzle", "H", needs="BH", bed="B"),
    "M600": _Setter("nozzle", "R"),
    "M568": _Setter("nozzle", "SR"),
    "M303": _Setter("nozzle", "SR"),  # or what its words name, see `_tuned`
}

#: Klipper's own words for the same.
_KLIPPER_SETTERS = frozenset({"SET_HEATER_TEMPERATURE"})
_KLIPPER_HEATER = re.compile(rb"HEATER\s*=\s*(\S+)", re.IGNORECASE)
_KLIPPER_TARGET = re.compile(rb"TARGET\s*=\s*(\S*)", re.IGNORECASE)


def ceiling_c(profile: Profile, heater: str) -> float:
    """The highest target in degrees Celsius for *heater*: `nozzle`, `bed` or `chamber`."""
    return {
        "nozzle": profile.max_nozzle_c,
        "bed": profile.max_bed_c,
        "chamber": profile.max_chamber_c,
    }[heater]


def check(command: Command, profile: Profile) -> Violation | None:
    """The first violation in *command*, None when it sets nothing above a ceiling."""
    if command.code in _KLIPPER_SETTERS:
        return _check_klipper(command, profile)
    setter = SETTERS.get(command.code)
    if setter is None:
        return None
    words = command.words()
    if setter.needs and not any(word.letter in setter.needs for word in words):
        return None
    heater = _tuned(words, profile) if command.code == "M303" else setter.heater
    for index, word in enumerate(words):
        if word.letter not in setter.letters + setter.bed:
            continue
        if word.letter in setter.bed:
            heater = "bed"
        allowed_c = ceiling_c(profile, heater)
        following = words[index + 1] if index + 1 < len(words) else None
        for asked_c in _readings(command.arguments, word, following):
            if asked_c is None or asked_c > allowed_c:
                return Violation(command.code, heater, asked_c, allowed_c)
    return None


def _tuned(words: list[Word], profile: Profile) -> str:
    """The heater that an M303 with *words* tunes: the bed where they name no tool for certain.

    Firmwares number their heaters differently: -1 is the bed and -2 the chamber for Marlin, H0 the
    bed for RepRapFirmware, and the number behind the last tool is the bed for Smoothie.
    """
    named = [word for word in words if word.letter in "EHP"]
    tools = {str(tool) for tool in range(profile.extruders)}
    if all(word.letter in "EP" and word.number in tools for word in named):
        return "nozzle"
    return "chamber" if any(word.number == "-2" for word in named) else "bed"


def _readings(arguments: bytes, word: Word, following: Word | None) -> list[float | None]:
    """Every number that some firmware may read here; None for what is no plain number."""
    rest = arguments[word.end : word.end + 1]
    touching = following if following and following.start == word.end else None
    if word.number is None:
        return [None] if rest.strip() else []
    values: list[float | None] = [float(word.number)]
    if touching is None:
        return values if not rest.strip() else [None]
    if touching.letter == "E" and touching.number:
        values.append(_exponent(word.number, touching.number))
    elif touching.letter == "X":  # hexadecimal for strtof
        values.append(None)
    return values


def _exponent(mantissa: str, exponent: str) -> float | None:
    try:
        return float(f"{mantissa}E{exponent}")
    except ValueError:
        return None


def _check_klipper(command: Command, profile: Profile) -> Violation | None:
    """Of words that come twice Klipper takes the last: each is held against each heater's limit."""
    names = _KLIPPER_HEATER.findall(command.arguments)
    heaters = {_klipper_heater(name) for name in names or [b""]}
    for target in _KLIPPER_TARGET.findall(command.arguments):
        for heater in sorted(heaters):
            allowed_c = ceiling_c(profile, heater)
            try:
                asked_c = float(target)
            except ValueError:
                return Violation(command.code, heater, None, allowed_c)
            if not asked_c <= allowed_c:
                return Violation(command.code, heater, asked_c, allowed_c)
    return None


def _klipper_heater(name: bytes) -> str:
    text = name.decode("ascii", "replace").lower()
    return next((kind for kind in ("bed", "chamber") if kind in text), "nozzle")
