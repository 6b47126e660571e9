"""Groups of people and grants at printers, kept by admins (OctoPrint contract, section 3).

A group says what of their role is left to its members, on both faces; a grant gives a viewer more
at one printer. Whoever is concerned is looked up again at once.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tortoise.exceptions import IntegrityError

from api.accounts.models import Grant, User, UserGroup
from api.accounts.people import checked_label
from api.accounts.sessions import Sessions
from api.accounts.standing import Group, Groups, with_rows
from api.errors import Conflict, Forbidden, Invalid, NotFound
from api.events.service import Change
from api.permissions import PERMISSIONS
from api.principal import Principal

MAX_GROUPS = 100
MAX_DESCRIPTION = 500
_MAX_KEY = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupChange:
    """What is to be another way with a group; None leaves it."""

    description: str | None = None
    permissions: Sequence[str] | None = None
    subgroups: Sequence[str] | None = None
    is_default: bool | None = None


class PeopleGroups(Sessions):
    """Who is with whom."""

    async def groups(self, by: Principal) -> Groups:
        """All groups of the caller's organization by key, those of every farm included."""
        return with_rows(await UserGroup.filter(organization_id=by.organization_id))

    async def add_group(self, by: Principal, key: str, name: str, wish: GroupChange) -> None:
        """Make a group. Raises `Conflict` (there is one), `Invalid`."""
        by.require("users.admin")
        if not 0 < len(key) <= _MAX_KEY or not key.isprintable():
            raise Invalid(f"key takes 1 to {_MAX_KEY} printable characters.")
        there = await self.groups(by)
        if key in there:
            raise Conflict(f"There is a group {key!r} already.", code="name_taken")
        if len(there) >= MAX_GROUPS:
            raise Conflict(f"An organization has at most {MAX_GROUPS} groups.")
        values = _columns(wish, there)
        try:
            async with self._ledger.change() as change:
                await UserGroup.create(
                    organization_id=by.organization_id,
                    key=key,
                    name=checked_label(name, "A group"),
                    **values,
                )
                change.note(by, "group.created", ("group", key), **values)
        except IntegrityError:
            raise Conflict(f"There is a group {key!r} already.", code="name_taken") from None

    async def change_group(self, by: Principal, key: str, wish: GroupChange) -> None:
        """Change a group. Raises `NotFound`, `Invalid`, `Forbidden` for what every farm has."""
        by.require("users.admin")
        there = await self.groups(by)
        group = _one(there, key)
        if not group.is_changeable:
            raise Forbidden(f"The group {key} cannot be changed.")
        values = _columns(wish, there)
        before = {
            "name": group.name,
            "description": group.description,
            "permissions": sorted(group.permissions),
            "subgroups": [*group.subgroups],
            "is_default": group.is_default,
        }
        async with self._ledger.change() as change:
            row, _ = await UserGroup.get_or_create(
                organization_id=by.organization_id, key=key, defaults=before
            )
            row.update_from_dict(values)
            await row.save()
            change.note(by, "group.updated", ("group", key), **values)
            await self._everybody_looks_again(change, by.organization_id)

    async def remove_group(self, by: Principal, key: str) -> None:
        """Remove a group; its members are in the rest of theirs. Raises as `change_group`."""
        by.require("users.admin")
        there = await self.groups(by)
        if _one(there, key).is_built_in:
            raise Forbidden(f"The group {key} cannot be removed.")
        async with self._ledger.change() as change:
            await UserGroup.filter(organization_id=by.organization_id, key=key).delete()
            for row in await UserGroup.filter(organization_id=by.organization_id):
                if key in row.subgroups:
                    row.subgroups = [one for one in row.subgroups if one != key]
                    await row.save(update_fields=["subgroups"])
            for user in await User.filter(organization_id=by.organization_id):
                if user.groups is not None and key in user.groups:
                    rest = [one for one in user.groups if one != key]
                    await User.filter(id=user.id).update(groups=rest)
            change.note(by, "group.deleted", ("group", key))
            await self._everybody_looks_again(change, by.organization_id)

    async def _everybody_looks_again(self, change: Change, organization_id: int) -> None:
        people = await User.filter(organization_id=organization_id).only("id")
        await self._credentials.changed_in(change, *(user.id for user in people))

    # Grants.

    async def granted_at(self, printer_ids: Collection[int]) -> Mapping[int, frozenset[str]]:
        """What is granted at every one of these printers, by user."""
        found: dict[int, list[frozenset[str]]] = {}
        for row in await Grant.filter(printer_id__in=sorted(printer_ids)):
            found.setdefault(row.user_id, []).append(frozenset(row.permissions))
        return {
            user: frozenset.intersection(*each)
            for user, each in found.items()
            if len(each) == len(printer_ids)
        }

    async def grant(
        self,
        by: Principal,
        printer_ids: Collection[int],
        user_id: int,
        permissions: Collection[str],
    ) -> None:
        """From now on exactly *permissions* are granted at these printers, which the caller has
        been let see; none ends the grant. Raises `NotFound` for the person.
        """
        by.require("users.admin")
        user = await self.user(by, user_id)
        async with self._ledger.change() as change:
            await Grant.filter(printer_id__in=sorted(printer_ids), user_id=user.id).delete()
            for number in sorted(printer_ids) if permissions else ():
                await Grant.create(
                    organization_id=user.organization_id,
                    printer_id=number,
                    user_id=user.id,
                    permissions=sorted(permissions),
                )
            for number in sorted(printer_ids):
                facts = {"printer_id": number, "permissions": sorted(permissions)}
                change.note(by, "user.granted", ("user", user.id), **facts)
            await self._credentials.changed_in(change, user.id)


def checked_groups(keys: Sequence[str], there: Groups) -> list[str]:
    """*keys* as a person's groups. Raises `Invalid` for one that is not there, or guests."""
    unknown = [key for key in keys if key not in there or key == "guests"]
    if unknown:
        known = ", ".join(key for key in there if key != "guests")
        raise Invalid(
            f"There is no group {unknown[0][:64]!r} to be in; groups takes some of {known}."
        )
    return [*dict.fromkeys(keys)]


def _one(there: Groups, key: str) -> Group:
    if key not in there:
        raise NotFound("There is no such group")
    return there[key]


def _columns(wish: GroupChange, there: Groups) -> dict[str, Any]:
    """The columns that *wish* sets. Raises `Invalid`."""
    values: dict[str, Any] = {}
    if wish.description is not None:
        if len(wish.description) > MAX_DESCRIPTION:
            raise Invalid(f"description has at most {MAX_DESCRIPTION} characters.")
        values["description"] = wish.description
    if wish.permissions is not None:
        unknown = [one for one in wish.permissions if one not in PERMISSIONS]
        if unknown:
            raise Invalid(f"There is no permission {unknown[0][:64]!r}.")
        values["permissions"] = sorted({*wish.permissions})
    if wish.subgroups is not None:
        values["subgroups"] = checked_groups(wish.subgroups, there)
    if wish.is_default is not None:
        values["is_default"] = wish.is_default
    return values
