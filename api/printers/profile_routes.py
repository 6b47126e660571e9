"""v1 routes of printer profiles (ours): parse, ask the service, answer."""

from collections.abc import Sequence
from typing import Any

from quart import Response

from api.clock import iso
from api.describe import Doc
from api.http import json_answer, json_body, paging
from api.printers.answers import PrinterProfileAnswer
from api.printers.bodies import ProfileCreateBody, ProfileUpdateBody
from api.printers.profiles import NewProfile, PrinterProfile, Profiles
from api.printers.view import profile_fields
from api.v1 import V1, caller


class ProfileRoutes:
    """``/printer-profiles``."""

    def __init__(self, profiles: Profiles) -> None:
        self._profiles = profiles

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        one = "/printer-profiles/<int:profile_id>"
        v1.add("GET", "/printer-profiles", self.list, _LIST)
        v1.add("POST", "/printer-profiles", self.create, _CREATE)
        v1.add("GET", one, self.get, _GET)
        v1.add("PATCH", one, self.update, _UPDATE)
        v1.add("DELETE", one, self.delete, _DELETE)

    async def list(self) -> Response:
        """The profiles by name."""
        skip, limit = paging()
        rows = await self._profiles.list(caller())
        total = {"X-Total-Count": str(len(rows))}
        return json_answer(await self._shown(rows[skip : skip + limit]), headers=total)

    async def get(self, profile_id: int) -> Response:
        """One profile."""
        return await self._answer(await self._profiles.get(caller(), profile_id))

    async def create(self) -> Response:
        """A new profile."""
        body = await json_body(ProfileCreateBody)
        new = NewProfile(
            name=body.name,
            description=body.description,
            profile=body.profile.said() if body.profile is not None else {},
            dialect=body.dialect,
            plate_policy=body.plate_policy,
        )
        return await self._answer(await self._profiles.create(caller(), new), 201)

    async def update(self, profile_id: int) -> Response:
        """A profile, changed on all that follow it."""
        body = await json_body(ProfileUpdateBody)
        row = await self._profiles.update(caller(), profile_id, body.values())
        return await self._answer(row)

    async def delete(self, profile_id: int) -> Response:
        """Gone; no printer followed it."""
        await self._profiles.delete(caller(), profile_id)
        return Response(status=204)

    async def _answer(self, row: PrinterProfile, status: int = 200) -> Response:
        [shown] = await self._shown([row])
        return json_answer(shown, status)

    async def _shown(self, rows: Sequence[PrinterProfile]) -> Sequence[dict[str, Any]]:
        followers = await self._profiles.followers(rows)
        return [_fields(row, followers[row.id]) for row in rows]


def _fields(row: PrinterProfile, printer_ids: Sequence[int]) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "profile": profile_fields(row.profile),
        "dialect": row.dialect,
        "plate_policy": row.plate_policy,
        "printer_ids": printer_ids,
        "org_id": row.organization_id,
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
    }


_LIST = Doc(
    summary="Printer profiles by name",
    answer=list[PrinterProfileAnswer],
    right="printers.read",
    paged=True,
)
_GET = Doc(summary="One printer profile", answer=PrinterProfileAnswer, right="printers.read")
_CREATE = Doc(
    summary="Make a printer profile",
    description="Volume, limits, nozzle, materials, firmware and plate policy of one kind of "
    "printer. A printer follows it with its profile_id.",
    answer=PrinterProfileAnswer,
    status=201,
    right="printers.write",
    body=ProfileCreateBody,
    problems=("bad_request", "name_taken", "validation_failed"),
    dry_run=True,
)
_UPDATE = Doc(
    summary="Change a printer profile, on every printer that follows it",
    description="It reaches their bridges at once; for a printer that prints it waits for the end "
    "of the print.",
    answer=PrinterProfileAnswer,
    right="printers.write",
    body=ProfileUpdateBody,
    problems=("name_taken", "validation_failed"),
    dry_run=True,
)
_DELETE = Doc(
    summary="Delete a printer profile that no printer follows",
    status=204,
    right="printers.write",
    problems=("profile_in_use",),
    dry_run=True,
)
