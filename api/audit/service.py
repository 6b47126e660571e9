"""The audit trail: an admin reads their organization's, a superadmin all (v1 2.11; safety S54).

Entries are written by `api.events` with the change that they tell of. Here they are only read.
"""

from collections.abc import AsyncIterator
from dataclasses import replace

from api.events import trail
from api.events.trail import AuditEntry, Wanted
from api.principal import Principal

__all__ = ["Audit", "AuditEntry", "Wanted"]

MAX_OF_PERSON = 1000
#: Entries of one export; who needs more exports by dates.
MAX_EXPORTED = 100_000


class Audit:
    """What has been done."""

    async def find(
        self, by: Principal, wanted: Wanted, skip: int, limit: int
    ) -> tuple[list[AuditEntry], int]:
        """A page of entries, newest first, and how many there are. Raises `Forbidden`."""
        seen = _seen_by(by, wanted)
        return await trail.find(seen, skip, limit), await trail.count(seen)

    async def of_person(self, by: Principal, user_id: int) -> list[AuditEntry]:
        """The last `MAX_OF_PERSON` acts of a person, newest first: their own, or an admin's to see.

        Raises `Forbidden`.
        """
        by.require("self.read" if user_id == by.user_id else "audit.read")
        house = None if by.is_superadmin else by.organization_id
        wanted = Wanted(organization_id=house, user_id=user_id)
        return await trail.find(wanted, 0, MAX_OF_PERSON)

    async def export(
        self, by: Principal, wanted: Wanted
    ) -> tuple[AsyncIterator[list[AuditEntry]], int]:
        """The newest `MAX_EXPORTED` entries, some at a time, and how many there are.

        Raises `Forbidden`.
        """
        seen = _seen_by(by, wanted)
        return trail.walk(seen, MAX_EXPORTED), await trail.count(seen)


def _seen_by(by: Principal, wanted: Wanted) -> Wanted:
    by.require("audit.read")
    return wanted if by.is_superadmin else replace(wanted, organization_id=by.organization_id)
