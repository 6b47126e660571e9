"""OctoPrint's permissions and groups over Gantry's rights: one table (OctoPrint contract, 3)."""

from typing import Any

from api.principal import Principal, Role

#: Permission -> the right that grants it. What Gantry does not have is nobody's.
RIGHT_OF: dict[str, str] = {
    "STATUS": "printers.read",
    "CONNECTION": "printers.control",
    "WEBCAM": "printers.read",
    "FILES_LIST": "files.read",
    "FILES_UPLOAD": "files.write",
    "FILES_DOWNLOAD": "files.read",
    "FILES_DELETE": "files.write",
    "FILES_SELECT": "printers.control",
    "PRINT": "printers.control",
    "GCODE_VIEWER": "files.read",
    "MONITOR_TERMINAL": "printers.read",
    "CONTROL": "printers.control",
    "SETTINGS_READ": "printers.read",
    "SETTINGS": "users.admin",
    "ADMIN": "users.admin",
}

GROUPS_OF: dict[Role, list[str]] = {
    Role.ADMIN: ["admins", "users"],
    Role.OPERATOR: ["users"],
    Role.VIEWER: ["readonly"],
}
GUESTS = ["guests"]


def permissions_of(by: Principal) -> list[str]:
    """The permissions that *by* has, scopes of the key included."""
    return sorted(name for name, right in RIGHT_OF.items() if by.may(right))


def needs_of(by: Principal) -> dict[str, list[str]]:
    """`needs` of a user record."""
    return {
        "role": [name.lower() for name in permissions_of(by)],
        "group": GROUPS_OF[by.role],
    }


def user_document(by: Principal) -> dict[str, Any]:
    """The user record of `/api/login`. A key is never read back, so `apikey` is null."""
    groups = GROUPS_OF[by.role]
    return {
        "name": by.username,
        "active": True,
        "admin": "admins" in groups,
        "user": "users" in groups,
        "apikey": None,
        "groups": groups,
        "permissions": permissions_of(by),
        "roles": ["user", "admin"] if "admins" in groups else ["user"],
        "settings": {},
        "needs": needs_of(by),
    }
