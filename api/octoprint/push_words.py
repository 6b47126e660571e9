"""What happened, in the words of OctoPrint's events (contract, 8). Pure.

One table for changes of state, one for the events of jobs and files; what neither knows is not
told on this face. Order as recorded: a cancel is PrintCancelling, PrintCancelled, PrintFailed; a
success FileSelected, PrintStarted, PrintDone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from api.events.history import Event
from api.octoprint.push_document import Picture
from api.octoprint.states import LOOKS
from schemas.commands import Verb
from schemas.printer import CONNECTED, Doing, DoingKind, Place, PrinterState

Payload = Mapping[str, Any] | None
Message = tuple[str, Payload]

_S = PrinterState
#: A file on its way to the card is a print of its kind to OctoPrint; its text tells them apart.
_STATE_IDS = {_S.HALTED: "CLOSED_WITH_ERROR", _S.TRANSFERRING: _S.PRINTING.name}
_PAUSED = frozenset({_S.PAUSED, _S.RESUMING})


@dataclass(frozen=True, slots=True)
class Scene:
    """What an event is told with: the newest picture, and the file that is or was printed.

    *file*: `name`, `path`, `origin`, `size`, `owner`, `user`; None when no file is known.
    *progress*: the last that was shown of the print, which its end has taken away already.
    """

    picture: Picture
    file: Payload
    progress: Mapping[str, Any]

    def place_in_file(self) -> dict[str, Any]:
        """Where the print is, for the events of a pause and of an end."""
        completion = self.progress.get("completion")
        place = next((each.place for each in reversed(self.picture.doings) if each.place), None)
        unknown = {**dict.fromkeys("xyzetf"), "z": self.picture.z_mm}
        return {
            "position": unknown if place is None else _axes(place),
            "fileposition": self.progress.get("filepos"),
            "progress": None if completion is None else int(completion),
        }


def _axes(place: Place) -> dict[str, float | None]:
    """mm, the number of the tool, mm/min."""
    at = {"x": place.x_mm, "y": place.y_mm, "z": place.z_mm, "e": place.e_mm}
    return {**at, "t": place.tool, "f": place.feedrate_mm_min}


def file_payload(picture: Picture) -> Payload:
    """The selected file as events name it."""
    file = picture.file
    if file is None:
        return None
    user = picture.document["job"].get("user")
    named = {key: file[key] for key in ("name", "path", "origin", "size")}
    return {**named, "owner": user, "user": user}


# States.


def state_messages(old: PrinterState, new: PrinterState, scene: Scene) -> list[Message]:
    """What OctoPrint says when a printer goes from *old* to *new*."""
    found: list[Message] = []
    if new is _S.CONNECTING:
        found.append(("Connecting", None))
    found.append(
        (
            "PrinterStateChanged",
            {"state_id": _STATE_IDS.get(new, new.name), "state_string": LOOKS[new].text},
        )
    )
    if new in CONNECTED and old not in CONNECTED:
        picture = scene.picture
        found.append(("Connected", {"port": picture.port, "baudrate": picture.baud}))
        found += _firmware(picture)
    if new is _S.OFFLINE:
        found.append(("Disconnected", None))
    if new in (_S.ERROR, _S.HALTED):
        error = scene.picture.document["state"].get("error") or LOOKS[new].text
        found.append(("Error", {"error": error, "reason": "firmware"}))
    if new is _S.CANCELLING:
        found.append(("PrintCancelling", scene.file))
    if new is _S.PAUSED:
        found.append(("PrintPaused", {**(scene.file or {}), **scene.place_in_file()}))
    if new is _S.PRINTING and old in _PAUSED:
        found.append(("PrintResumed", scene.file))
    return found


# What the printer does by itself.


def _firmware(picture: Picture) -> list[Message]:
    """What the printer has said of itself; an older bridge tells a few fields alone."""
    told = picture.firmware
    if not told.get("name"):
        return []
    few = {"FIRMWARE_NAME": told["name"], "MACHINE_TYPE": told.get("machine")}
    few["UUID"] = told.get("uuid")
    data = told.get("fields") or {name: value for name, value in few.items() if value}
    return [("FirmwareData", {"name": told["name"], "data": data})]


def _place(doing: Doing, picture: Picture) -> list[Message]:
    if doing.place is None:
        return []
    return [("PositionUpdate", {"reason": doing.reason, **_axes(doing.place)})]


#: a `DoingKind` -> what it is here
_DOINGS: dict[str, Callable[[Doing, Picture], list[Message]]] = {
    DoingKind.HOME: lambda doing, picture: [("Home", None)],
    DoingKind.DWELL: lambda doing, picture: [("Dwelling", None)],
    DoingKind.PLACE: _place,
    DoingKind.FIRMWARE: lambda doing, picture: _firmware(picture),
}


def doing_messages(old: Picture, new: Picture) -> tuple[list[Message], list[Message]]:
    """What the printer has done between two pictures, so far as the newer one still shows it.

    First what goes before the events that came with the picture: a place that was asked for, for a
    pause, and what was done before. Then the rest. A number below the last one that was shown is of
    another life of its sender, so all is new.
    """
    if old.state is _S.OFFLINE:
        return [], []  # what it did before anybody could see it is no news
    last = old.doings[-1].number if old.doings else 0
    if new.doings and new.doings[-1].number < last:
        last = 0
    found = [each for each in new.doings if each.number > last and each.kind in _DOINGS]
    asked = max((place for place, each in enumerate(found, 1) if each.reason), default=0)
    told = [_DOINGS[each.kind](each, new) for each in found]
    return [*chain.from_iterable(told[:asked])], [*chain.from_iterable(told[asked:])]


# Jobs.


def _started(event: Event, scene: Scene) -> list[Message]:
    return [("PrintStarted", scene.file)]


def _counted(scene: Scene) -> list[Message]:
    """The file's `prints` and `statistics` are other ones now."""
    if scene.file is None:
        return []
    return [("MetadataStatisticsUpdated", {"storage": "local", "path": scene.file["path"]})]


def _done(event: Event, scene: Scene) -> list[Message]:
    file = {key: value for key, value in (scene.file or {}).items() if key != "user"}
    done = ("PrintDone", {**file, "time": event.data.get("duration_s")})
    return [done, *_counted(scene)]


def _ended(event: Event, scene: Scene, reason: str) -> dict[str, Any]:
    time_s = event.data.get("duration_s")
    return {**(scene.file or {}), **scene.place_in_file(), "time": time_s, "reason": reason}


def _failed(event: Event, scene: Scene) -> list[Message]:
    if event.data.get("duration_s") is None:
        return []  # it never began
    return [("PrintFailed", _ended(event, scene, "error")), *_counted(scene)]


def _cancelled(event: Event, scene: Scene) -> list[Message]:
    if event.data.get("duration_s") is None:
        return []
    payload = _ended(event, scene, "cancelled")
    cancelled = {key: value for key, value in payload.items() if key != "reason"}
    return [("PrintCancelled", cancelled), ("PrintFailed", payload), *_counted(scene)]


# Files.

_UPDATED: Message = ("UpdatedFiles", {"type": "printables"})
_WISHES = ("select", "print", "effective_select", "effective_print")


def _where(path: str, prefix: str = "") -> dict[str, Any]:
    return {f"{prefix}path": path, f"{prefix}name": path.rpartition("/")[2]}


def _file(operation: str) -> Callable[[Event, Scene], list[Message]]:
    name = {"add": "FileAdded", "remove": "FileRemoved"}[operation]

    def messages(event: Event, scene: Scene) -> list[Message]:
        where = {"storage": "local", **_where(event.data["path"])}
        kinds = ["machinecode", "gcode"]
        return [(name, {**where, "type": kinds, "operation": operation}), _UPDATED]

    return messages


def _uploaded(event: Event, scene: Scene) -> list[Message]:
    """What its sender asked for beside, and what came of that."""
    flags = {flag: event.data[flag] for flag in _WISHES}
    target = event.data.get("target", "local")
    return [("Upload", {**_where(event.data["path"]), "target": target, **flags})]


def _analysis(name: str) -> Callable[[Event, Scene], list[Message]]:
    def messages(event: Event, scene: Scene) -> list[Message]:
        return [(name, {"storage": "local", "path": event.data["path"]})]

    return messages


def _folder(name: str) -> Callable[[Event, Scene], list[Message]]:
    def messages(event: Event, scene: Scene) -> list[Message]:
        return [(name, {"storage": "local", **_where(event.data["path"])}), _UPDATED]

    return messages


def _moved(name: str) -> Callable[[Event, Scene], list[Message]]:
    def messages(event: Event, scene: Scene) -> list[Message]:
        source = _where(event.data.get("old") or event.data["path"], "source_")
        target = _where(event.data["path"], "destination_")
        return [(name, {"storage": "local", **source, **target}), _UPDATED]

    return messages


def _transfer(name: str) -> Callable[[Event, Scene], list[Message]]:
    """A file that goes to the card: *local* here, *remote* there; *time* in seconds at its end.
    Why it failed is ours to say.
    """

    def messages(event: Event, scene: Scene) -> list[Message]:
        told = event.data
        payload = {"local": told["path"] or told["file"], "remote": told["file"]}
        if "time_s" in told:
            payload["time"] = told["time_s"]
        if "reason" in told:
            payload["reason"] = told["reason"]
        return [(name, payload)]

    return messages


def _card(event: Event, scene: Scene) -> list[Message]:
    return [_UPDATED]


def _settings(event: Event, scene: Scene) -> list[Message]:
    mark = f"{event.number:032x}"  # all that clients do is compare it
    return [("SettingsUpdated", {"config_hash": mark, "effective_hash": mark})]


def _commanded(event: Event, scene: Scene) -> list[Message]:
    """A line that somebody closes; one that breaks is `Disconnected` alone."""
    return [("Disconnecting", None)] if event.data["verb"] == Verb.DISCONNECT else []


def _profile(name: str) -> Callable[[Event, Scene], list[Message]]:
    def messages(event: Event, scene: Scene) -> list[Message]:
        return [(name, {"identifier": event.data["identifier"]})]

    return messages


#: kind of an event -> what it is here. Changes of state are told by `state_messages`.
MESSAGES: dict[str, Callable[[Event, Scene], list[Message]]] = {
    "job.started": _started,
    "job.printed_one": _done,
    "job.completed": _done,
    "job.failed": _failed,
    "job.cancelled": _cancelled,
    "file.added": _file("add"),
    "file.uploaded": _uploaded,
    "file.removed": _file("remove"),
    "file.moved": _moved("FileMoved"),
    "file.analysing": _analysis("MetadataAnalysisStarted"),
    "file.analysed": _analysis("MetadataAnalysisFinished"),
    "folder.added": _folder("FolderAdded"),
    "folder.removed": _folder("FolderRemoved"),
    "folder.moved": _moved("FolderMoved"),
    "printer.card": _card,
    "printer.card_write_started": _transfer("TransferStarted"),
    "printer.card_written": _transfer("TransferDone"),
    "printer.card_write_failed": _transfer("TransferFailed"),
    "printer.updated": _settings,
    "printer.settings_updated": _settings,
    "pool.updated": _settings,
    "pool.settings_updated": _settings,
    "printer.profile_added": _profile("PrinterProfileAdded"),
    "printer.profile_deleted": _profile("PrinterProfileDeleted"),
    "command.issued": _commanded,
}

#: event of push that tells of people -> the kind by which it is known who may hear of it
COMPANY = {
    "ClientOpened": "printer.client",
    "ClientAuthed": "printer.client",
    "ClientClosed": "printer.client",
    "UserLoggedIn": "user.logged_in",
    "UserLoggedOut": "user.logged_out",
}

#: event of push -> the marking that it leaves in the temperature plot
MARKINGS = {
    "Connected": ("connected", "Connected"),
    "Disconnected": ("disconnected", "Disconnected"),
    "Error": ("error", "Error"),
    "PrintStarted": ("print", "Start"),
    "PrintDone": ("done", "Done"),
    "PrintCancelled": ("cancel", "Cancel"),
    "PrintPaused": ("pause", "Pause"),
    "PrintResumed": ("resume", "Resume"),
}
