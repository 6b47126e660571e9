"""Organizations, which v1 also calls groups, and their settings (v1 1.4, 2.2; safety S26).

Each person and each row of the farm belongs to one. Settings are kept by name, for both faces.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tortoise.exceptions import IntegrityError
from tortoise.functions import Count

from api.accounts.directory import Directory
from api.accounts.models import Organization, User
from api.accounts.office import FIRST_ORGANIZATION
from api.accounts.passwords import Passwords
from api.accounts.people import UserChange, checked_label
from api.clock import Clock
from api.config import Settings
from api.errors import Conflict, Invalid, NotFound
from api.events.service import Ledger
from api.principal import Principal, system

MAX_DESCRIPTION = 500
_SETTINGS_S = 5.0  # how long settings are remembered, for what other processes change


class Holding(Protocol):
    """A room whose rows keep an organization from being deleted."""

    async def list(self, by: Principal) -> Sequence[object]:
        """What belongs to the organization of *by*."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationView:
    """An organization with what is known of it elsewhere. *owner*: a user name, "" for nobody."""

    row: Organization
    members: int
    owner: str


class Organizations(Directory):
    """The tenants."""

    def __init__(
        self, ledger: Ledger, clock: Clock, settings: Settings, hasher: Passwords | None = None
    ) -> None:
        super().__init__(ledger, clock, settings, hasher)
        self._holdings: tuple[Holding, ...] = ()
        self._settings_of: dict[int, tuple[float, Mapping[str, Any]]] = {}

    def never_delete_with(self, *holdings: Holding) -> None:
        """An organization that one of these rooms has something of is not deleted."""
        self._holdings += holdings

    async def organizations(
        self, by: Principal, skip: int, limit: int
    ) -> tuple[list[OrganizationView], int]:
        """The caller's organization (a superadmin's: every one), oldest first; how many."""
        by.require("groups.read")
        rows = Organization.filter(deleted_at=None)
        if not by.is_superadmin:
            rows = rows.filter(id=by.organization_id)
        page = await rows.order_by("id").offset(skip).limit(limit)
        return await _views(page), await rows.count()

    async def organization(self, by: Principal, organization_id: int) -> OrganizationView:
        """One of them. Raises `NotFound`."""
        by.require("groups.read")
        return (await _views([await self._theirs(by, organization_id)]))[0]

    async def create_organization(
        self, by: Principal, name: str, description: str, owner_id: int | None = None
    ) -> Organization:
        """Add an organization. Raises `Forbidden`, `Conflict` (409) for a name that is taken."""
        by.require("organizations.all")
        label, now = checked_label(name, "An organization"), self._clock.now()
        if owner_id is not None:
            await self.user(by, owner_id)
        try:
            async with self._ledger.change() as change:
                # Counted here: the first one was made with its number, which PostgreSQL's own
                # counter has not noticed.
                last = await Organization.all().order_by("-id").first()
                row = await Organization.create(
                    id=last.id + 1 if last else FIRST_ORGANIZATION,
                    name=label,
                    description=_described(description),
                    owner_id=owner_id,
                    created_at=now,
                    updated_at=now,
                )
                change.note(by, "organization.created", ("organization", row.id), name=label)
        except IntegrityError:
            raise Conflict(f"There is an organization {label!r} already.") from None
        return row

    async def update_organization(
        self,
        by: Principal,
        organization_id: int,
        *,
        name: str | None = None,
        description: str | None = None,
        owner_id: int | None = None,
    ) -> None:
        """Change what is not None. Raises `NotFound`, `Conflict` (409), `Invalid`."""
        by.require("organizations.admin")
        row = await self._theirs(by, organization_id)
        changed: dict[str, Any] = {}
        if name is not None:
            changed["name"] = checked_label(name, "An organization")
        if description is not None:
            changed["description"] = _described(description)
        if owner_id is not None:
            changed["owner_id"] = (await self.user(by, owner_id)).id
        if not changed:
            return
        try:
            async with self._ledger.change() as change:
                rows = Organization.filter(id=row.id)
                await rows.update(**changed, updated_at=self._clock.now())
                change.note(by, "organization.updated", ("organization", row.id), **changed)
        except IntegrityError:
            raise Conflict(f"There is an organization {changed['name']!r} already.") from None

    async def delete_organization(self, by: Principal, organization_id: int) -> None:
        """Remove an organization that is empty; its history stays, its name is free.

        Raises `NotFound`, `Forbidden` (reauth_required among its codes), `Conflict` (409) naming
        what still belongs to it.
        """
        by.require("organizations.all")
        await self.require_fresh(by)
        row = await self._theirs(by, organization_id)
        if row.id == FIRST_ORGANIZATION:
            raise Invalid("The first organization stays.")
        for holding in self._holdings:
            if found := await holding.list(system(row.id)):
                what = type(holding).__name__.lower()
                raise Conflict(f"{row.name} still has {len(found)} {what}: remove them first.")
        async with self._ledger.change() as change:
            if members := await User.filter(organization_id=row.id).count():
                raise Conflict(f"{row.name} still has {members} members: move or delete them.")
            name = f"{row.name[:80]} (deleted {row.id})"
            await Organization.filter(id=row.id).update(name=name, deleted_at=self._clock.now())
            change.note(by, "organization.deleted", ("organization", row.id), name=row.name)

    async def add_member(
        self, by: Principal, organization_id: int, user_id: int, remote: str
    ) -> None:
        """Move a person here. Only a superadmin reaches people of elsewhere. Raises `NotFound`."""
        by.require("organizations.admin")
        row = await self._theirs(by, organization_id)
        await self.update_user(by, user_id, UserChange(organization_id=row.id), remote)

    # Settings

    async def organization_settings(self, organization_id: int) -> Mapping[str, Any]:
        """All settings of an organization, by name; {} when it has none. Cheap: remembered."""
        now_s = self._clock.monotonic()
        known = self._settings_of.get(organization_id)
        if known is not None and now_s < known[0]:
            return known[1]
        row = await Organization.get_or_none(id=organization_id)
        found = dict(row.settings) if row is not None else {}
        self._settings_of[organization_id] = (now_s + _SETTINGS_S, found)
        return found

    async def set_organization_setting(
        self, by: Principal, organization_id: int, name: str, value: Any
    ) -> None:
        """Keep *value* (JSON) as the setting *name*; None removes it. Raises `NotFound`."""
        await self.set_organization_settings(by, organization_id, {name: value})

    async def set_organization_settings(
        self, by: Principal, organization_id: int, given: Mapping[str, Any]
    ) -> None:
        """The settings *given*, by name; the others stay. Raises `Forbidden`, `NotFound`."""
        by.require("organizations.admin")
        await self._theirs(by, organization_id)
        async with self._ledger.change() as change:
            row = await Organization.get(id=organization_id)
            merged = {**row.settings, **given}
            kept = {name: value for name, value in merged.items() if value is not None}
            rows = Organization.filter(id=organization_id)
            await rows.update(settings=kept, updated_at=self._clock.now())
            entity = ("organization", organization_id)
            change.note(by, "organization.settings_updated", entity, names=sorted(given))
        self._settings_of.pop(organization_id, None)

    async def _theirs(self, by: Principal, organization_id: int) -> Organization:
        """The organization, when it is the caller's or theirs to see. Raises `NotFound`."""
        row = await Organization.get_or_none(id=organization_id, deleted_at=None)
        if row is None or not (by.is_superadmin or row.id == by.organization_id):
            raise NotFound("Organization not found", code="organization_not_found")
        return row


async def _views(rows: list[Organization]) -> list[OrganizationView]:
    counted = await (
        User.filter(organization_id__in=[row.id for row in rows])
        .annotate(members=Count("id"))
        .group_by("organization_id")
        .values("organization_id", "members")
    )
    members = {each["organization_id"]: each["members"] for each in counted}
    owner_ids = [row.owner_id for row in rows if row.owner_id is not None]
    owners = {user.id: user.username for user in await User.filter(id__in=owner_ids)}
    return [
        OrganizationView(
            row=row, members=members.get(row.id, 0), owner=owners.get(row.owner_id or 0, "")
        )
        for row in rows
    ]


def _described(text: str) -> str:
    if len(text) > MAX_DESCRIPTION:
        raise Invalid(f"A description has at most {MAX_DESCRIPTION} characters.")
    return text.strip()
