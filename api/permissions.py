"""Permissions as OctoPrint names them, over the rights of this farm: one table (contract, 3). Pure.

The OctoPrint face asks for permissions one by one. Everything else asks for rights: somebody whose
groups give them only some permissions has a right when they have all permissions behind it.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Permission:
    """One permission: the *right* that a role must have for it."""

    name: str
    right: str
    dangerous: bool = False


_SEE, _MOVE, _ADMIN = "printers.read", "printers.control", "users.admin"
_READ, _WRITE = "files.read", "files.write"

PERMISSIONS: Mapping[str, Permission] = {
    "ADMIN": Permission("Admin", _ADMIN, dangerous=True),
    "STATUS": Permission("Status", _SEE),
    "CONNECTION": Permission("Connection", _MOVE),
    "WEBCAM": Permission("Webcam", _SEE),
    "SYSTEM": Permission("System", _ADMIN, dangerous=True),
    "FILES_LIST": Permission("File List", _READ),
    "FILES_UPLOAD": Permission("File Upload", _WRITE),
    "FILES_DOWNLOAD": Permission("File Download", _READ),
    "FILES_DELETE": Permission("File Delete", _WRITE),
    "FILES_SELECT": Permission("File Select", _MOVE),
    "PRINT": Permission("Print", _MOVE),
    "GCODE_VIEWER": Permission("GCODE viewer", _READ),
    "MONITOR_TERMINAL": Permission("Terminal", _SEE),
    "CONTROL": Permission("Control", _MOVE),
    "SLICE": Permission("Slice", _WRITE),
    "TIMELAPSE_LIST": Permission("Timelapse List", _READ),
    "TIMELAPSE_DOWNLOAD": Permission("Timelapse Download", _READ),
    "TIMELAPSE_DELETE": Permission("Timelapse Delete", _WRITE),
    "TIMELAPSE_MANAGE_UNRENDERED": Permission("Timelapse Manage Unrendered", _WRITE),
    "TIMELAPSE_ADMIN": Permission("Timelapse Admin", _MOVE),
    "SETTINGS_READ": Permission("Settings Access", _SEE),
    "SETTINGS": Permission("Settings Admin", _ADMIN, dangerous=True),
    "PLUGIN_APPKEYS_GRANT": Permission("Grant API access", "app_keys.grant"),
    "PLUGIN_APPKEYS_ADMIN": Permission("Application Keys Admin", _ADMIN, dangerous=True),
}
#: Who has it has every other.
EVERYTHING = "ADMIN"

_PRINTING = frozenset({"CONNECTION", "CONTROL", "PRINT", "FILES_SELECT"})
#: Right -> all the permissions behind it. What is not here has those of its role.
_BEHIND: Mapping[str, frozenset[str]] = {
    "self.read": frozenset(),
    "self.write": frozenset(),
    "printers.read": frozenset({"STATUS"}),
    "files.read": frozenset({"FILES_LIST", "FILES_DOWNLOAD"}),
    "files.write": frozenset({"FILES_UPLOAD", "FILES_DELETE"}),
    "jobs.submit": frozenset({"FILES_UPLOAD"}),
    "app_keys.grant": frozenset({"PLUGIN_APPKEYS_GRANT"}),
}
_BEHIND_ROLE: Mapping[str, frozenset[str]] = {
    "viewer": frozenset({"STATUS"}),
    "operator": _PRINTING,
    "admin": frozenset({EVERYTHING}),
}
#: What can be granted at one printer: right -> the scopes that such a grant opens there.
GRANTABLE: Mapping[str, frozenset[str]] = {
    _MOVE: frozenset({"write:printers", "write:jobs"}),
    _WRITE: frozenset({"write:models"}),
}


def covers(permissions: Collection[str], right: str, role: str) -> bool:
    """Whether somebody with *permissions* and no others has *right*, which asks for *role*."""
    behind = _BEHIND.get(right, _BEHIND_ROLE[role])
    return EVERYTHING in permissions or behind.issubset(permissions)


def scopes_of(permissions: Iterable[str]) -> frozenset[str]:
    """The scopes that *permissions*, all of them grantable, open at their printer."""
    opened = (GRANTABLE[PERMISSIONS[one].right] for one in permissions)
    return frozenset({"read"}).union(*opened)
