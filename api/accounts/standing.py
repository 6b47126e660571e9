"""What people may by their groups and by grants at printers (OctoPrint contract, section 3).

Groups never give more than the person's role: they say what of it is left. Who is in the groups of
their role and nothing was taken from these is not limited at all.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from api.accounts.models import Grant, User, UserGroup
from api.permissions import EVERYTHING, PERMISSIONS
from api.principal import RIGHTS, Role

ADMINS, OPERATORS, READERS, GUESTS = "admins", "users", "readonly", "guests"
#: The groups that a role is in unless a person's own are named.
GROUPS_OF: Mapping[Role, tuple[str, ...]] = {
    Role.ADMIN: (ADMINS, OPERATORS),
    Role.OPERATOR: (OPERATORS,),
    Role.VIEWER: (READERS,),
}
_ROLES = (Role.VIEWER, Role.OPERATOR, Role.ADMIN)


def _all_of(role: Role) -> frozenset[str]:
    beneath = _ROLES[: _ROLES.index(role) + 1]
    return frozenset(key for key, one in PERMISSIONS.items() if RIGHTS[one.right].role in beneath)


#: Role -> every permission that it can have.
OF_ROLE: Mapping[Role, frozenset[str]] = {role: _all_of(role) for role in _ROLES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group: *key* names it, *permissions* are its own, *subgroups* are keys of others.

    *role*: the one that this group is, for those that are here from the beginning.
    """

    key: str
    name: str
    description: str = ""
    permissions: frozenset[str] = frozenset()
    subgroups: tuple[str, ...] = ()
    is_default: bool = False
    role: Role | None = None
    is_built_in: bool = False
    is_changeable: bool = True


#: What is there from the beginning. Guests are whoever has not signed in: nothing is theirs, ever.
BUILT_IN: tuple[Group, ...] = (
    Group(
        key=ADMINS,
        name="Admins",
        description="Administrators",
        permissions=frozenset({EVERYTHING}),
        role=Role.ADMIN,
        is_built_in=True,
        is_changeable=False,
    ),
    Group(
        key=GUESTS,
        name="Guests",
        description="Anonymous guests",
        is_built_in=True,
        is_changeable=False,
    ),
    Group(
        key=READERS,
        name="Read-only Access",
        description="Group to gain read-only access",
        permissions=OF_ROLE[Role.VIEWER],
        role=Role.VIEWER,
        is_built_in=True,
        is_changeable=False,
    ),
    Group(
        key=OPERATORS,
        name="Operator",
        description="Group to gain operator access",
        permissions=OF_ROLE[Role.OPERATOR],
        is_default=True,
        role=Role.OPERATOR,
        is_built_in=True,
    ),
)

Groups = Mapping[str, Group]


def with_rows(rows: Iterable[UserGroup]) -> Groups:
    """All groups of an organization by key, sorted; *rows* are its own and its changes."""
    found = {group.key: group for group in BUILT_IN}
    for row in rows:
        base = found.get(row.key)
        found[row.key] = Group(
            key=row.key,
            name=row.name,
            description=row.description,
            permissions=_known(row.permissions),
            subgroups=tuple(row.subgroups),
            is_default=row.is_default,
            role=None if base is None else base.role,
            is_built_in=base is not None,
        )
    return dict(sorted(found.items()))


def _known(permissions: Iterable[str]) -> frozenset[str]:
    return frozenset(one for one in permissions if one in PERMISSIONS)


def given_by(keys: Iterable[str], groups: Groups) -> frozenset[str]:
    """All permissions of the groups *keys* and their subgroups; unknown keys give nothing."""
    found: set[str] = set()
    seen: set[str] = set()
    waiting = [*keys]
    while waiting:
        key = waiting.pop()
        group = groups.get(key)
        if group is None or key in seen:
            continue
        seen.add(key)
        found |= group.permissions
        waiting.extend(group.subgroups)
    return frozenset(PERMISSIONS) if EVERYTHING in found else frozenset(found)


def role_for(keys: Sequence[str], groups: Groups) -> Role:
    """The least role that may all that the groups *keys* give."""
    wanted = given_by(keys, groups)
    return next(role for role in _ROLES if wanted <= OF_ROLE[role])


def left_of(role: Role, keys: Sequence[str] | None, groups: Groups) -> frozenset[str] | None:
    """What of *role* the groups *keys* (None: the role's own) leave; None: all of it."""
    own = OF_ROLE[role]
    left = given_by(GROUPS_OF[role] if keys is None else keys, groups) & own
    return None if left == own else left


@dataclass(frozen=True, slots=True)
class Standing:
    """What groups leave of a person's role (None: all), and their grants by printer."""

    permissions: frozenset[str] | None = None
    grants: tuple[tuple[int, frozenset[str]], ...] = ()


async def standing_of(users: Collection[User]) -> Mapping[int, Standing]:
    """The standing of each of these people."""
    if not users:
        return {}
    granted: dict[int, list[tuple[int, frozenset[str]]]] = {}
    for row in await Grant.filter(user_id__in=[user.id for user in users]).order_by("printer_id"):
        granted.setdefault(row.user_id, []).append((row.printer_id, _known(row.permissions)))
    own: dict[int, list[UserGroup]] = {}
    places = {user.organization_id for user in users}
    for group in await UserGroup.filter(organization_id__in=places):
        own.setdefault(group.organization_id, []).append(group)
    return {
        user.id: Standing(
            left_of(Role(user.role), user.groups, with_rows(own.get(user.organization_id, ()))),
            tuple(granted.get(user.id, ())),
        )
        for user in users
    }
