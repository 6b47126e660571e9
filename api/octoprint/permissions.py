"""What OctoPrint's clients are told of who may what: permissions, groups, needs (contract, 3)."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from api.accounts.standing import GROUPS_OF
from api.permissions import EVERYTHING, PERMISSIONS
from api.principal import Principal, Role

GUESTS = ["guests"]


def holds(by: Principal, permission: str) -> bool:
    """Whether *by* has *permission*: by role and key, and by their groups."""
    left = by.permissions
    if left is not None and permission not in left and EVERYTHING not in left:
        return False
    right = PERMISSIONS[permission].right
    unlimited = by if left is None else replace(by, permissions=None)
    return unlimited.may(right) and not unlimited.is_agent_for(right)


def permissions_of(by: Principal) -> list[str]:
    """The permissions that *by* has, scopes of the key included."""
    return sorted(key for key in PERMISSIONS if holds(by, key))


def groups_of(by: Principal, named: Sequence[str] | None = None) -> list[str]:
    """The groups that *by* acts in: those *named* as theirs, else those of the role.

    With a key of one printer nobody is its farm's admin.
    """
    role = by.role
    if role is Role.ADMIN and not replace(by, permissions=None).may(PERMISSIONS[EVERYTHING].right):
        role, named = Role.OPERATOR, None
    return list(GROUPS_OF[role] if named is None else named)


def needs(permissions: Iterable[str], groups: Sequence[str]) -> dict[str, list[str]]:
    """`needs` of a user record or a group."""
    return {"role": [one.lower() for one in permissions], "group": [*groups]}


def user_document(by: Principal, named: Sequence[str] | None) -> dict[str, Any]:
    """The user record of `/api/login`, but for `settings`; *named*: the person's own groups.

    A key is never read back, so `apikey` is null.
    """
    groups, permissions = groups_of(by, named), permissions_of(by)
    is_admin = EVERYTHING in permissions
    return {
        "name": by.username,
        "active": True,
        "admin": is_admin,
        "user": is_admin or by.role is not Role.VIEWER,
        "apikey": None,
        "groups": groups,
        "permissions": permissions,
        "roles": ["user", "admin"] if is_admin else ["user"],
        "needs": needs(permissions, groups),
    }
