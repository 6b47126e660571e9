"""OctoPrint's permissions and groups over Gantry's rights: one table (OctoPrint contract, 3)."""

from dataclasses import dataclass
from typing import Any

from api.principal import Principal, Role


@dataclass(frozen=True, slots=True)
class Permission:
    """One permission: the *right* that grants it; None is nobody's, Gantry has no such thing."""

    name: str
    right: str | None
    dangerous: bool = False


PERMISSIONS: dict[str, Permission] = {
    "ADMIN": Permission("Admin", "users.admin", dangerous=True),
    "STATUS": Permission("Status", "printers.read"),
    "CONNECTION": Permission("Connection", "printers.control"),
    "WEBCAM": Permission("Webcam", "printers.read"),
    "SYSTEM": Permission("System", None, dangerous=True),
    "FILES_LIST": Permission("File List", "files.read"),
    "FILES_UPLOAD": Permission("File Upload", "files.write"),
    "FILES_DOWNLOAD": Permission("File Download", "files.read"),
    "FILES_DELETE": Permission("File Delete", "files.write"),
    "FILES_SELECT": Permission("File Select", "printers.control"),
    "PRINT": Permission("Print", "printers.control"),
    "GCODE_VIEWER": Permission("GCODE viewer", "files.read"),
    "MONITOR_TERMINAL": Permission("Terminal", "printers.read"),
    "CONTROL": Permission("Control", "printers.control"),
    "SLICE": Permission("Slice", None),
    "TIMELAPSE_LIST": Permission("Timelapse List", "files.read"),
    "TIMELAPSE_DOWNLOAD": Permission("Timelapse Download", None),
    "TIMELAPSE_DELETE": Permission("Timelapse Delete", None),
    "TIMELAPSE_MANAGE_UNRENDERED": Permission("Timelapse Manage Unrendered", None),
    "TIMELAPSE_ADMIN": Permission("Timelapse Admin", "users.admin"),
    "SETTINGS_READ": Permission("Settings Access", "printers.read"),
    "SETTINGS": Permission("Settings Admin", "users.admin", dangerous=True),
    "PLUGIN_APPKEYS_GRANT": Permission("Grant API access", "app_keys.grant"),
    "PLUGIN_APPKEYS_ADMIN": Permission("Application Keys Admin", "users.admin", dangerous=True),
}
#: Permission -> the right that grants it.
RIGHT_OF = {key: one.right for key, one in PERMISSIONS.items() if one.right is not None}

GROUPS_OF: dict[Role, list[str]] = {
    Role.ADMIN: ["admins", "users"],
    Role.OPERATOR: ["users"],
    Role.VIEWER: ["readonly"],
}
GUESTS = ["guests"]


def permissions_of(by: Principal) -> list[str]:
    """The permissions that *by* has, scopes of the key included."""
    return sorted(name for name, right in RIGHT_OF.items() if by.may(right))


def groups_of(by: Principal) -> list[str]:
    """The groups that *by* acts in; with a key of one printer nobody is its farm's admin."""
    role = by.role
    if role is Role.ADMIN and not by.may("users.admin"):
        role = Role.OPERATOR
    return GROUPS_OF[role]


def needs_of(by: Principal) -> dict[str, list[str]]:
    """`needs` of a user record."""
    return {
        "role": [name.lower() for name in permissions_of(by)],
        "group": groups_of(by),
    }


def user_document(by: Principal) -> dict[str, Any]:
    """The user record of `/api/login`, but for `settings`. A key is never read back, so `apikey` is
    null.
    """
    groups = groups_of(by)
    return {
        "name": by.username,
        "active": True,
        "admin": "admins" in groups,
        "user": "users" in groups,
        "apikey": None,
        "groups": groups,
        "permissions": permissions_of(by),
        "roles": ["user", "admin"] if "admins" in groups else ["user"],
        "needs": needs_of(by),
    }
