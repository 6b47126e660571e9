"""The messages of OctoPrint's push: `connected`, `history`, `current`, events (contract, 8). Pure.

State, job, progress and temperatures are those of `/api/printer` and `/api/job`, built there.
"""

import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from api import VERSION
from api.octoprint.access_document import permission_documents
from api.octoprint.printer_document import plain_offset
from api.octoprint.sign_in import OCTOPRINT_VERSION
from schemas.printer import Doing, PrinterState, Prompt, Temperature

#: Changes with the version, so that clients load again what they keep of this server.
_PLUGIN_HASH = hashlib.sha256(f"gantry {VERSION}".encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A printer or pool as push shows it. *document*: `state`, `job` and `progress`.

    *temps* and *offsets_c* go by OctoPrint's names of heaters; *z_mm* None: not known.
    """

    state: PrinterState
    document: Mapping[str, Any]
    temps: Mapping[str, Temperature] = field(default_factory=dict)
    z_mm: float | None = None
    offsets_c: Mapping[str, float] = field(default_factory=dict)
    resends: int = 0
    lines_sent: int = 0
    prompt: Prompt | None = None
    port: str | None = None
    baud: int | None = None
    doings: tuple[Doing, ...] = ()
    firmware: Mapping[str, Any] = field(default_factory=dict)  # as the printer's row has it

    @property
    def file(self) -> Mapping[str, Any] | None:
        """The selected file; None without one."""
        found: Mapping[str, Any] = self.document["job"]["file"]
        return found if found.get("path") else None


def encode(message: Mapping[str, Any]) -> str:
    """A message as text."""
    return orjson.dumps(message).decode()


def connected() -> str:
    """The first message, to anybody: what this is, and which permissions there are."""
    payload = {
        "version": OCTOPRINT_VERSION,
        "display_version": f"{OCTOPRINT_VERSION} (Gantry {VERSION})",
        "branch": "",
        "python_version": platform.python_version(),
        "plugin_hash": _PLUGIN_HASH,
        "config_hash": _PLUGIN_HASH,
        "debug": False,
        "safe_mode": None,
        "online": True,
        "permissions": permission_documents(),
    }
    return encode({"connected": payload})


def reauth_required(reason: str) -> str:
    """Sign in (again): *reason* is stale, logout, modified or removed."""
    return encode({"reauthRequired": {"reason": reason}})


def timelapse() -> str:
    """What is said of timelapses after a sign-in: there is none."""
    return encode({"timelapse": None})


def event(kind: str, payload: Mapping[str, Any] | None) -> str:
    """Something happened, under OctoPrint's name for it."""
    return encode({"event": {"type": kind, "payload": payload}})


def plugin(name: str, data: Mapping[str, Any]) -> str:
    """A message of a plugin."""
    return encode({"plugin": {"plugin": name, "data": data}})


def temps_item(temps: Mapping[str, Temperature], at_s: float) -> dict[str, Any]:
    """One entry of `temps`; bed and chamber are always there, as in OctoPrint."""
    item: dict[str, Any] = {"time": int(at_s)}
    for always in ("bed", "chamber"):
        item[always] = {"actual": None, "target": None}
    for heater, seen in temps.items():
        item[heater] = {"actual": seen.actual_c, "target": seen.target_c}
    return item


def current(
    picture: Picture,
    temps: Sequence[Mapping[str, Any]],
    markings: Sequence[Mapping[str, Any]],
    now_s: float,
    terminal: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    """What `current` and `history` have in common. *now_s*: seconds since the epoch.

    *terminal*: `logs` and `messages`; empty for whoever may not see them.
    """
    sent = picture.lines_sent
    ratio = int(100 * picture.resends / sent) if sent else 0
    return {
        **{key: picture.document[key] for key in ("state", "job", "progress")},
        "currentZ": picture.z_mm,
        "offsets": {key: plain_offset(by_c) for key, by_c in picture.offsets_c.items()},
        "temps": list(temps),
        **terminal,
        "markings": list(markings),
        "resends": {"count": picture.resends, "transmitted": sent, "ratio": ratio},
        "serverTime": now_s,
    }


def busy_files(picture: Picture, *, is_active: bool) -> list[dict[str, Any]]:
    """The file that must not be changed now, if any."""
    if not is_active or picture.file is None:
        return []
    return [{"origin": picture.file["origin"], "path": picture.file["path"]}]
