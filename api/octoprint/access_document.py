"""Users, groups and permissions as OctoPrint shows them (OctoPrint contract, section 3). Pure.

What a group gives is decided in the accounts room: never more than the role of who is in it. What
a person may at one printer beyond that is granted to them there.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from api.accounts.standing import GROUPS_OF, OF_ROLE, Group, Groups, given_by, left_of
from api.errors import Invalid
from api.octoprint.permissions import needs
from api.permissions import EVERYTHING, GRANTABLE, PERMISSIONS
from api.principal import Role

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
    groups: Any


def group_documents(groups: Groups) -> list[dict[str, Any]]:
    """Every group, sorted by key."""
    return [group_document(group, groups) for group in groups.values()]


def group_document(group: Group, groups: Groups) -> dict[str, Any]:
    """One group; *groups*: all there are."""
    permissions = sorted(group.permissions)
    return {
        "key": group.key,
        "name": group.name,
        "description": group.description,
        "permissions": permissions,
        "subgroups": [*group.subgroups],
        "needs": needs(sorted(given_by([group.key], groups)), [group.key, *group.subgroups]),
        "default": group.is_default,
        "removable": not group.is_built_in,
        "changeable": group.is_changeable,
        "toggleable": group.key != "guests",
        "dangerous": any(PERMISSIONS[one].dangerous for one in given_by([group.key], groups)),
    }


def permission_documents() -> list[dict[str, Any]]:
    """Every permission, and the groups that have it from the beginning."""
    by_group = {
        "admins": OF_ROLE[Role.ADMIN],
        "readonly": OF_ROLE[Role.VIEWER],
        "users": OF_ROLE[Role.OPERATOR],
    }
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


def user_record(
    person: Person, groups: Groups, *, has_key: bool, granted: Collection[str] = ()
) -> dict[str, Any]:
    """A person in a list; *has_key*: whether they have a key of their own; *granted*: permissions
    at the printer that is asked, beyond those of their role.
    """
    role = Role(person.role)
    left = left_of(role, person.groups, groups)
    permissions = sorted({*(OF_ROLE[role] if left is None else left), *granted})
    is_admin = EVERYTHING in permissions
    named = list(GROUPS_OF[role] if person.groups is None else person.groups)
    return {
        "name": person.username,
        "active": person.is_active,
        "admin": is_admin,
        "user": role is not Role.VIEWER,
        "apikey": HIDDEN_KEY if has_key else None,
        "groups": named,
        "permissions": permissions,
        "roles": ["user", "admin"] if is_admin else ["user"],
        "settings": person.settings or {},
        "needs": needs(permissions, named),
    }


def keys_of(body: Mapping[str, Any], name: str) -> list[str] | None:
    """The groups or permissions that *body* lists; None when it does not.

    They come as keys, or as the documents that a list showed. Raises `Invalid`.
    """
    given = body.get(name)
    if given is None:
        return None
    if not isinstance(given, list):
        raise Invalid(f"{name} takes a list.")
    keys = [one.get("key") if isinstance(one, Mapping) else one for one in given]
    if not all(isinstance(one, str) for one in keys):
        raise Invalid(f"{name} takes a list of keys.")
    return [str(one) for one in keys]


def grantable(permissions: Sequence[str], held: Collection[str]) -> list[str]:
    """What of *permissions* goes beyond those *held*, to be granted. Raises `Invalid`.

    Permissions that are one right here come together: who prints may control.
    """
    unknown = [one for one in permissions if one not in PERMISSIONS]
    if unknown:
        raise Invalid(f"There is no permission {unknown[0][:64]!r}.")
    beyond = {one for one in permissions if one not in held}
    for one in sorted(beyond):
        if PERMISSIONS[one].right not in GRANTABLE:
            raise Invalid(f"{one} comes with a group here, not by itself.")
    rights = {PERMISSIONS[one].right for one in beyond}
    return sorted(
        key for key, one in PERMISSIONS.items() if one.right in rights and key not in held
    )
