"""Printer profiles: volume, limits, nozzle, materials, firmware and plate policy, shared.

A printer that follows a profile has a copy of it in its own row, so whoever reads printers reads
one row. A change of the profile goes into every copy in one transaction and to the bridges; that
of a printer which prints waits for the end of its print, so it never interrupts one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import msgspec

from api.clock import Clock
from api.errors import Conflict, Invalid, NotFound
from api.events.service import Change, Happened, Ledger
from api.principal import Principal
from api.printers import forms
from api.printers.forms import PrinterCreate
from api.printers.models import Printer, PrinterProfile
from schemas.printer import ACTIVE, Profile

__all__ = ["NewProfile", "PrinterProfile", "Profiles"]

MAX_PROFILES = 200
#: What printers that follow a profile have from it.
SHARED = ("profile", "dialect", "plate_policy")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewProfile:
    """A profile to be made. *profile*: fields of `schemas.printer.Profile`, the rest as default."""

    name: str
    description: str | None = None
    profile: Mapping[str, Any] = field(default_factory=dict)
    dialect: str = "auto"
    plate_policy: str | None = None


class Rows(Protocol):
    """What this needs of the printers."""

    async def save(self, change: Change, row: Printer, *names: str) -> None:
        """Write these columns, and tell who holds the row in memory."""

    async def announce(
        self, change: Change, row: Printer, *, structure: bool, desired: bool
    ) -> None:
        """Tell who keeps the set of printers, and its bridge."""


class Profiles:
    """The profiles of the farm."""

    def __init__(self, rows: Rows, ledger: Ledger, clock: Clock) -> None:
        self._rows = rows
        self._ledger = ledger
        self._clock = clock

    # Reading.

    async def list(self, by: Principal) -> Sequence[PrinterProfile]:
        """The organization's profiles by name."""
        by.require("printers.read")
        rows = PrinterProfile.filter(organization_id=by.organization_id)
        return await rows.order_by("name")

    async def get(self, by: Principal, profile_id: int) -> PrinterProfile:
        """One profile. Raises `NotFound`."""
        by.require("printers.read")
        row = await PrinterProfile.filter(id=profile_id, organization_id=by.organization_id).first()
        if row is None:
            raise NotFound(
                f"There is no printer profile {profile_id}.",
                code="profile_not_found",
                profile_id=profile_id,
            )
        return row

    async def followers(self, profiles: Sequence[PrinterProfile]) -> Mapping[int, Sequence[int]]:
        """The printers that follow each of *profiles*, by its number."""
        found: dict[int, list[int]] = {row.id: [] for row in profiles}
        rows = Printer.filter(profile_id__in=[*found], deleted_at=None).order_by("id")
        for printer_id, profile_id in await rows.values_list("id", "profile_id") if found else ():
            found[profile_id].append(printer_id)
        return found

    # Making and changing.

    async def create(self, by: Principal, new: NewProfile) -> PrinterProfile:
        """Make a profile. Raises `Invalid` (a field, ``name_taken``, too many), or `Forbidden` for
        codes in files that only an admin allows.
        """
        by.require("printers.write")
        _check_codes(by, {}, new.profile)
        now = self._clock.now()
        row = PrinterProfile(
            organization_id=by.organization_id,
            name=_named(new.name),
            description=new.description,
            profile=forms.stored(forms.parse_profile(new.profile)),
            dialect=forms.parse_dialect(new.dialect),
            plate_policy=_policy(new.plate_policy),
            created_at=now,
            updated_at=now,
        )
        async with self._ledger.change() as change:
            if len(await self.list(by)) >= MAX_PROFILES:
                raise Invalid(f"There are {MAX_PROFILES} printer profiles already.")
            await _check_free(row)
            await row.save()
            _tell(change, by, row, "profile.created")
        return row

    async def update(
        self, by: Principal, profile_id: int, values: Mapping[str, Any]
    ) -> PrinterProfile:
        """Change what *values* name, on every printer that follows it. Raises as `create`."""
        by.require("printers.write")
        async with self._ledger.change() as change:
            row = await self.get(by, profile_id)
            _check_codes(by, row.profile, values.get("profile"))
            row.update_from_dict(_parsed(row, values))
            row.updated_at = self._clock.now()
            await _check_free(row)
            await row.save()
            followers = await Printer.filter(profile_id=row.id, deleted_at=None)
            for printer in followers:
                printer.profile_waits = True
                await self._rows.save(change, printer, "profile_waits")
                await self.apply_waiting(change, printer)
            ids = [printer.id for printer in followers]
            _tell(change, by, row, "profile.updated", fields=sorted(values), printer_ids=ids)
        return row

    async def delete(self, by: Principal, profile_id: int) -> None:
        """Gone. Raises `Conflict` ``profile_in_use`` while a printer follows it."""
        by.require("printers.write")
        async with self._ledger.change() as change:
            row = await self.get(by, profile_id)
            ids = (await self.followers([row]))[row.id]
            if ids:
                raise Conflict(
                    f"{len(ids)} printers follow {row.name}; give them another profile first.",
                    code="profile_in_use",
                    printer_ids=ids,
                )
            await row.delete()
            _tell(change, by, row, "profile.deleted")

    # What printers have of them.

    async def followed(self, by: Principal, new: PrinterCreate) -> PrinterCreate:
        """*new* with what its profile says. Raises `NotFound`, or as `wanted`."""
        if new.profile_id is None:
            _check_codes(by, {}, new.profile)
            return new
        for name, said in (("profile", bool(new.profile)), ("dialect", new.dialect != "auto")):
            if said:
                raise _not_its_own(name)
        row = await self.get(by, new.profile_id)
        policy = new.plate_policy if row.plate_policy is None else row.plate_policy
        return replace(new, profile=row.profile, dialect=row.dialect, plate_policy=policy)

    async def wanted(self, by: Principal, row: Printer, values: dict[str, Any]) -> dict[str, Any]:
        """*values* for printer *row* with what the profile says that it is to follow.

        Raises `NotFound`, `Invalid` for a value that is not its own to have, or `Forbidden` for
        codes in files that only an admin allows.
        """
        _check_codes(by, row.profile, values.get("profile"))
        follows = values.get("profile_id", row.profile_id)
        if follows is None:
            return values
        profile = await PrinterProfile.filter(id=follows).first()
        if "profile_id" in values:
            profile = await self.get(by, follows)
        shared = _shared(profile) if profile is not None else {}
        for name in SHARED:
            if name in values and name in shared:
                raise _not_its_own(name)
        return {**values, **shared} if "profile_id" in values else values

    async def apply_waiting(self, change: Change, printer: Printer) -> None:
        """What changed in the profile of *printer* holds from now on, unless it prints."""
        busy = printer.active_grant is not None or printer.state in ACTIVE
        if not printer.profile_waits or busy:
            return
        printer.profile_waits = False
        profile = await PrinterProfile.filter(id=printer.profile_id or 0).first()
        shared = _shared(profile) if profile is not None else {}
        printer.update_from_dict(shared)
        await self._rows.save(change, printer, "profile_waits", *shared)
        await self._rows.announce(change, printer, structure=False, desired=True)


def _shared(row: PrinterProfile) -> dict[str, Any]:
    """The columns that a printer which follows *row* has from it."""
    policy = {} if row.plate_policy is None else {"plate_policy": row.plate_policy}
    return {"profile": row.profile, "dialect": row.dialect, **policy}


def _parsed(row: PrinterProfile, values: Mapping[str, Any]) -> dict[str, Any]:
    parsed = dict(values)
    if "name" in parsed:
        parsed["name"] = _named(parsed["name"])
    if "profile" in parsed:
        base = msgspec.convert(row.profile, Profile)
        parsed["profile"] = forms.stored(forms.parse_profile(parsed["profile"], base))
    if "dialect" in parsed:
        parsed["dialect"] = forms.parse_dialect(parsed["dialect"])
    if "plate_policy" in parsed:
        parsed["plate_policy"] = _policy(parsed["plate_policy"])
    return parsed


def _policy(value: str | None) -> str | None:
    return None if value is None else forms.parse_policy(value, None)


def _named(name: str) -> str:
    stripped = name.strip()
    if not stripped:
        raise forms.refuse("name", "a profile needs a name")
    return stripped


def _check_codes(by: Principal, had: Mapping[str, Any], said: Mapping[str, Any] | None) -> None:
    """Which guarded codes files may give is for an admin to change. Raises `Forbidden`."""
    codes = (said or {}).get("allowed_codes")
    if codes is not None and {*codes} != {*had.get("allowed_codes", ())}:
        by.require("printers.admin")


def _not_its_own(name: str) -> Invalid:
    why = "this comes from the printer profile; change that, or set profile_id to null"
    return forms.refuse(name, why)


async def _check_free(row: PrinterProfile) -> None:
    others = PrinterProfile.filter(organization_id=row.organization_id, name=row.name)
    if await others.exclude(id=row.id or 0).exists():
        raise Invalid(f"Printer profile '{row.name}' already exists", code="name_taken")


def _tell(change: Change, by: Principal, row: PrinterProfile, kind: str, **data: Any) -> None:
    facts = {"profile_id": row.id, "name": row.name, **data}
    change.record(Happened(row.organization_id, kind, user_id=by.user_id, data=facts))
    change.note(by, kind, ("printer_profile", row.id), name=row.name, **data)
