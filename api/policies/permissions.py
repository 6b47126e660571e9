"""Which roles may what, as a superadmin has set it (v1 2.2 `/permissions`). Pure.

Roles are ranked, so a right is given to a role and everybody above. What only admins may by itself
stays theirs, and everybody keeps their own account: else one could make oneself an admin by what
was meant for a small thing, or lock out whom nobody then could let in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from api.errors import Invalid
from api.principal import RIGHTS, Right, Role, roles_with

READS = ".read"
_OWN = ("self.", "factor.")


def is_fixed(right: str) -> bool:
    """Whether *right* cannot be given to others than it is by itself."""
    return right.startswith(_OWN) or RIGHTS[right].role is Role.ADMIN


def table(minimums: Mapping[str, str]) -> Mapping[str, Right]:
    """`RIGHTS` with the least roles that *minimums* names; what cannot be moved stays."""
    moved = {
        right: replace(RIGHTS[right], role=Role(role))
        for right, role in minimums.items()
        if right in RIGHTS and not is_fixed(right)
    }
    return MappingProxyType({**RIGHTS, **moved}) if moved else RIGHTS


def shown(rights: Mapping[str, Right]) -> dict[str, Any]:
    """*rights* in v1's words: who may see an area, who may do what in it."""
    by_right = {right: roles_with(needed) for right, needed in rights.items()}
    pages = {
        right.removesuffix(READS): roles
        for right, roles in by_right.items()
        if right.endswith(READS)
    }
    return {"page_access": pages, "action_access": by_right}


def minimums_of(
    pages: Mapping[str, Sequence[str]],
    actions: Mapping[str, Sequence[str]],
    now: Mapping[str, Right],
) -> dict[str, str]:
    """The least role of every right that is to differ from `RIGHTS`. What is not named stays.

    A page and its action are one right: whichever of the two differs from *now* counts. Raises
    `Invalid` for unknown names, sets of roles that are none, and what cannot be moved.
    """
    wanted = dict.fromkeys(now, "")
    for right, roles in actions.items():
        wanted[_known(right, now)] = _least(right, roles)
    for page, roles in pages.items():
        right, least = _known(f"{page}{READS}", now), _least(page, roles)
        unmoved = wanted[right] in ("", str(_role(now[right])))
        if unmoved:
            wanted[right] = least
        elif least not in (wanted[right], str(_role(now[right]))):
            raise Invalid(f"page_access says otherwise of {page} than action_access of {right}.")
    return _moved({right: least or str(_role(now[right])) for right, least in wanted.items()})


def _moved(wanted: Mapping[str, str]) -> dict[str, str]:
    moved = {right: least for right, least in wanted.items() if least != str(_role(RIGHTS[right]))}
    for right, least in moved.items():
        if is_fixed(right) or least == "superadmin":
            raise Invalid(f"{right} is for {', '.join(roles_with(RIGHTS[right]))} and stays so.")
    return moved


def _known(right: str, now: Mapping[str, Right]) -> str:
    if right not in now:
        raise Invalid(f"There is no right {right[:50]!r}: GET /permissions names all.")
    return right


def _role(needed: Right) -> str:
    return "superadmin" if needed.superadmin else needed.role


def _least(name: str, roles: Sequence[str]) -> str:
    """The weakest of *roles*, which must be all from there up."""
    if list(roles) == ["superadmin"]:
        return "superadmin"
    ranked = [str(role) for role in Role]
    for at, least in enumerate(ranked):
        if set(roles) == set(ranked[at:]):
            return least
    raise Invalid(
        f"{name[:50]}: roles are ranked, so this takes a role and all above it, "
        "as in operator, admin; an admin always may."
    )
