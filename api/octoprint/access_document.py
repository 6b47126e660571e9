"""Users, groups and permissions as OctoPrint shows them (OctoPrint contract, section 3). Pure.

Gantry's three roles are the three groups that people can be in; what anonymous visitors are in,
`guests`, may do nothing. Groups are fixed: nobody makes, changes or removes one. What a person may
at one printer beyond that is granted to them there (`api.octoprint.grants`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from api.errors import Invalid
from api.octoprint.permissions import GROUPS_OF, PERMISSIONS, permissions_of
from api.principal import Principal, Role

#: What stands in place of a key: a key is never read back.
HIDDEN_KEY = "********"


class Person(Protocol):
    """A person's row, as much as is shown of it."""

    id: Any
    username: Any
    role: Any
    organization_id: Any
    is_active: Any
    settings: Any


#: (key, name, description, role) of each group; the role None: nobody has it by logging in.
_GROUPS: tuple[tuple[str, str, str, Role | None], ...] = (
    ("admins", "Admins", "Administrators", Role.ADMIN),
    ("guests", "Guests", "Anonymous guests", None),
    ("readonly", "Read-only Access", "Group to gain read-only access", Role.VIEWER),
    ("users", "Operator", "Group to gain operator access", Role.OPERATOR),
)
_ROLE_OF = {key: role for key, _, _, role in _GROUPS if role is not None}
_RANKED = (Role.ADMIN, Role.OPERATOR, Role.VIEWER)


def group_documents() -> list[dict[str, Any]]:
    """Every group, sorted by key."""
    return [_group(key, name, text, role) for key, name, text, role in _GROUPS]


def _group(key: str, name: str, description: str, role: Role | None) -> dict[str, Any]:
    permissions = [] if role is None else permissions_of(_anybody(role))
    if role is Role.ADMIN:
        permissions = ["ADMIN"]
    return {
        "key": key,
        "name": name,
        "description": description,
        "permissions": permissions,
        "subgroups": [],
        "needs": {"group": [key], "role": [one.lower() for one in permissions]},
        "default": key == "users",
        "removable": False,
        "changeable": False,
        "toggleable": key != "guests",
        "dangerous": any(PERMISSIONS[one].dangerous for one in permissions),
    }


def permission_documents() -> list[dict[str, Any]]:
    """Every permission, and the groups that have it."""
    by_group = {key: permissions_of(_anybody(role)) for key, role in _ROLE_OF.items()}
    return [
        {
            "key": key,
            "name": one.name,
            "description": one.name,
            "dangerous": one.dangerous,
            "default_groups": sorted(group for group, has in by_group.items() if key in has),
            "needs": {"role": [key.lower()]},
            **({"plugin": "appkeys"} if key.startswith("PLUGIN_APPKEYS") else {}),
        }
        for key, one in PERMISSIONS.items()
    ]


def user_record(person: Person, *, has_key: bool, granted: Sequence[str] = ()) -> dict[str, Any]:
    """A person in a list; *has_key*: whether they have a key of their own; *granted*: permissions
    at the printer that is asked, beyond those of their role.
    """
    role = Role(person.role)
    groups = GROUPS_OF[role]
    permissions = sorted({*permissions_of(_anybody(role)), *granted})
    return {
        "name": person.username,
        "active": person.is_active,
        "admin": role is Role.ADMIN,
        "user": role is not Role.VIEWER,
        "apikey": HIDDEN_KEY if has_key else None,
        "groups": groups,
        "permissions": permissions,
        "roles": ["user", "admin"] if role is Role.ADMIN else ["user"],
        "settings": person.settings or {},
        "needs": {"group": groups, "role": [one.lower() for one in permissions]},
    }


def role_for(body: Mapping[str, Any]) -> Role | None:
    """The role that `groups` (or the older `admin`) asks for; None when neither is there.

    Raises `Invalid` for an unknown group.
    """
    groups = body.get("groups")
    role = Role.ADMIN if body.get("admin") is True else None
    if groups is not None:
        role = _highest(groups)
    return role


def _highest(groups: Any) -> Role:
    if not isinstance(groups, list) or any(key not in _ROLE_OF for key in map(str, groups)):
        raise Invalid(f"groups takes some of {', '.join(sorted(_ROLE_OF))}.")
    roles = {_ROLE_OF[key] for key in groups}
    return next((role for role in _RANKED if role in roles), Role.VIEWER)


def _anybody(role: Role) -> Principal:
    """Somebody with this role, to ask what the role may do."""
    return Principal(
        organization_id=0, user_id=0, username="", role=role, kind="session", credential_id=0
    )
