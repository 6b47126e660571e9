"""`/api/settings`: what OctoPrint's clients read of it and may set (OctoPrint contract, 4). Pure.

Everything that can be set is in one table with its check; unknown keys are ignored, as OctoPrint
does, a wrong value is refused. Where a setting has a home in Gantry (the printer's name, camera
and scripts, the organization's CORS) it is kept there; the rest is kept as it was given.
"""

import math
import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from api.errors import Invalid
from api.octoprint.settings_defaults import FEATURES as _FEATURES
from api.octoprint.settings_defaults import defaults, webcams

COLORS = (
    *("default", "red", "orange", "yellow", "green", "blue", "violet", "black", "white"),
    *("lightblue", "lightgreen", "pink", "brown", "grey", "gray"),
)
#: OctoPrint's name of a script -> the sender's.
SCRIPTS = {
    "beforePrintStarted": "before_print",
    "afterPrintDone": "after_print",
    "afterPrintPaused": "on_pause",
    "beforePrintResumed": "on_resume",
    "afterPrintCancelled": "on_cancel",
}
MAX_TEXT = 500
MAX_SCRIPT = 10_000
MAX_ITEMS = 100
Check = Callable[[str, Any], Any]
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the document shows of Gantry's own rows."""

    name: str
    stream_url: str
    scripts: Mapping[str, str]
    allow_cross_origin: bool
    unique_id: str
    sd_support: bool = False
    link: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Wanted:
    """What a client sets, checked. None: not asked for. *kept* goes by path."""

    name: str | None = None
    stream_url: str | None = None
    allow_cross_origin: bool | None = None
    scripts: dict[str, str] = field(default_factory=dict)
    kept: dict[Path, Any] = field(default_factory=dict)


def settings_document(shown: Shown, kept: Mapping[str, Any]) -> dict[str, Any]:
    """The whole document: defaults, what was *kept* over them, and Gantry's own rows over both."""
    document = _merged(defaults(), kept)
    document["api"]["allowCrossOrigin"] = shown.allow_cross_origin
    document["appearance"]["name"] = shown.name
    document["feature"]["sdSupport"] = shown.sd_support
    document["serial"].update(shown.link)
    document["plugins"] = {
        "discovery": {"upnpUuid": shown.unique_id},
        "tracking": {"enabled": False, "unique_id": shown.unique_id},
    }
    document["scripts"]["gcode"] = {
        theirs: shown.scripts[ours] for theirs, ours in SCRIPTS.items() if ours in shown.scripts
    }
    webcam = document["webcam"]
    webcam["streamUrl"] = shown.stream_url
    webcam["webcamEnabled"] = bool(shown.stream_url) and webcam["webcamEnabled"]
    webcam["webcams"] = webcams(webcam)
    if webcam["webcams"]:
        webcam["defaultWebcam"] = webcam["snapshotWebcam"] = webcam["webcams"][0]["name"]
    return document


def without_logins(document: dict[str, Any]) -> dict[str, Any]:
    """*document* as somebody reads it who is no admin: nothing of automatic logins."""
    access = document["accessControl"]
    left = {key: value for key, value in access.items() if not key.startswith("autologin")}
    return {**document, "accessControl": left}


def parse_settings(body: Mapping[str, Any]) -> Wanted:
    """What *body* sets. Raises `Invalid` naming the key and what it takes."""
    wanted = Wanted()
    for path, check in _CHECKS.items():
        given = _given(body, path)
        if given is _ABSENT:
            continue
        value = check(".".join(path), given)
        match path:
            case ("appearance", "name"):
                wanted.name = value
            case ("webcam", "streamUrl"):
                wanted.stream_url = value
            case ("api", "allowCrossOrigin"):
                wanted.allow_cross_origin = value
            case ("scripts", "gcode"):
                wanted.scripts = value
            case _:
                wanted.kept[path] = value
    return wanted


def with_kept(before: Mapping[str, Any], kept: Mapping[Path, Any]) -> dict[str, Any]:
    """*before* with the values of *kept* at their paths."""
    after = deepcopy(dict(before))
    for path, value in kept.items():
        place = after
        for key in path[:-1]:
            place = place.setdefault(key, {})
        place[path[-1]] = value
    return after


def _merged(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    for key, value in over.items():
        if isinstance(base.get(key), dict) and isinstance(value, Mapping):
            _merged(base[key], value)
        else:
            base[key] = value
    return base


# --- checks -----------------------------------------------------------------------------------

_ABSENT = object()
_RATIO = re.compile(r"\d{1,2}:\d{1,2}")


def _given(body: Mapping[str, Any], path: Path) -> Any:
    place: Any = body
    for depth, key in enumerate(path):
        if not isinstance(place, Mapping):
            raise _refuse(".".join(path[:depth]), "an object")
        if key not in place:
            return _ABSENT
        place = place[key]
    return place


def _refuse(where: str, wanted: str) -> Invalid:
    return Invalid(f"{where} takes {wanted}.")


def _flag(where: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _refuse(where, "true or false")
    return value


def _text(where: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise _refuse(where, f"a text of at most {MAX_TEXT} characters")
    return value


def _number(where: str, value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not 0 <= value <= 86_400:
        raise _refuse(where, "a number from 0 to 86400")
    return float(value) if isinstance(value, float) else int(value)


def _color(where: str, value: Any) -> str:
    if value not in COLORS:
        raise _refuse(where, f"one of {', '.join(COLORS)}")
    return str(value)


def _ratio(where: str, value: Any) -> str:
    if not isinstance(value, str) or _RATIO.fullmatch(value) is None:
        raise _refuse(where, "a ratio as 16:9")
    return value


def web_address(where: str, value: Any) -> str:
    """A web address, a path of this host, or nothing. Raises `Invalid` (safety S37)."""
    text = _text(where, value).strip()
    wanted = "http://…, https://… without user and password, a path, or nothing"
    try:
        parts = urlsplit(text)
    except ValueError:
        raise _refuse(where, wanted) from None
    is_path = text.startswith("/") and not text.startswith(("//", "/\\"))
    is_web = parts.scheme in ("http", "https") and parts.hostname and not parts.username
    if text and not is_path and not (is_web and parts.password is None):
        raise _refuse(where, wanted)
    return text


def _presets(where: str, value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or len(value) > MAX_ITEMS:
        raise _refuse(where, f"a list of at most {MAX_ITEMS} presets")
    return [_preset(f"{where}[{number}]", each) for number, each in enumerate(value)]


def _preset(where: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise _refuse(where, "name, extruder, bed and chamber")
    found: dict[str, Any] = {"name": _text(f"{where}.name", value.get("name"))}
    for heater in ("extruder", "bed", "chamber"):
        target = value.get(heater)
        if isinstance(target, str) and target.strip().isascii() and target.strip().isdigit():
            target = int(target.strip()[:6])
        found[heater] = None if target in (None, "") else _number(f"{where}.{heater}", target)
    return found


def _filters(where: str, value: Any) -> list[dict[str, str]]:
    if not isinstance(value, list) or len(value) > MAX_ITEMS:
        raise _refuse(where, f"a list of at most {MAX_ITEMS} filters")
    found = []
    for each in value:
        if not isinstance(each, Mapping):
            raise _refuse(where, "objects with name and regex")
        found.append({key: _text(f"{where}.{key}", each.get(key)) for key in ("name", "regex")})
    return found


def _scripts(where: str, value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise _refuse(where, f"an object with some of {', '.join(SCRIPTS)}")
    found = {}
    for theirs, ours in SCRIPTS.items():
        text = value.get(theirs)
        if text is None:
            continue
        if not isinstance(text, str) or len(text) > MAX_SCRIPT:
            raise _refuse(f"{where}.{theirs}", f"a text of at most {MAX_SCRIPT} characters")
        found[ours] = text
    return found


_CHECKS: dict[Path, Check] = {
    ("api", "allowCrossOrigin"): _flag,
    ("appearance", "name"): _text,
    ("appearance", "color"): _color,
    ("appearance", "colorTransparent"): _flag,
    ("appearance", "colorIcon"): _flag,
    ("appearance", "defaultLanguage"): _text,
    ("appearance", "showFahrenheitAlso"): _flag,
    ("appearance", "fuzzyTimes"): _flag,
    **{("feature", name): _flag for name in _FEATURES},
    ("scripts", "gcode"): _scripts,
    ("temperature", "profiles"): _presets,
    ("temperature", "cutoff"): _number,
    ("temperature", "sendAutomatically"): _flag,
    ("temperature", "sendAutomaticallyAfter"): _number,
    ("terminalFilters",): _filters,
    ("webcam", "streamUrl"): web_address,
    ("webcam", "snapshotUrl"): web_address,
    ("webcam", "streamRatio"): _ratio,
    ("webcam", "streamTimeout"): _number,
    ("webcam", "webcamEnabled"): _flag,
    ("webcam", "flipH"): _flag,
    ("webcam", "flipV"): _flag,
    ("webcam", "rotate90"): _flag,
}
