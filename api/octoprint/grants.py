"""What a person may do at one printer beyond their role (OctoPrint contract, section 3).

OctoPrint's admins give permissions to a user of one printer; here that is a grant: at that
printer's address the person acts as an operator, within the scopes of what was granted, and reaches
no other printer by it. Only rights over the printer and its files can be granted. A key that is
limited by scopes gains nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from api.errors import Invalid
from api.events.service import Ledger
from api.octoprint.models import Grant
from api.octoprint.permissions import PERMISSIONS, RIGHT_OF, permissions_of
from api.principal import Principal, Role
from api.printers.service import Printer

#: The right of a permission -> the scopes that a grant of it opens at the printer.
_SCOPES = {
    "printers.control": frozenset({"write:printers", "write:jobs"}),
    "files.write": frozenset({"write:models"}),
}
_READ = frozenset({"read"})


class Grants:
    """The grants of all organizations."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def at(self, by: Principal, printer: Printer) -> Principal:
        """*by* as they act at *printer*; the same for who has no grant there."""
        if by.role is not Role.VIEWER or by.scopes:
            return by
        row = await Grant.get_or_none(printer_id=printer.id, user_id=by.user_id)
        return by if row is None else granted(by, printer.id, row.permissions)

    async def of(self, printer: Printer) -> Mapping[int, Sequence[str]]:
        """The granted permissions at *printer*, by user."""
        rows = await Grant.filter(printer_id=printer.id)
        return {row.user_id: row.permissions for row in rows}

    async def give(
        self, by: Principal, printer: Printer, user_id: int, permissions: Sequence[str]
    ) -> None:
        """From now on exactly *permissions* are granted; none ends the grant. The caller has
        checked the right to do so.
        """
        async with self._ledger.change() as change:
            await Grant.filter(printer_id=printer.id, user_id=user_id).delete()
            if permissions:
                await Grant.create(
                    organization_id=printer.organization_id,
                    printer_id=printer.id,
                    user_id=user_id,
                    permissions=[*permissions],
                )
            change.note(
                by,
                "user.granted",
                ("user", user_id),
                printer_id=printer.id,
                permissions=[*permissions],
            )


def granted(by: Principal, printer_id: int, permissions: Sequence[str]) -> Principal:
    """*by* with *permissions* at the printer, and nowhere else."""
    scopes = [_SCOPES[RIGHT_OF[one]] for one in permissions]
    return replace(by, role=Role.OPERATOR, scopes=_READ.union(*scopes), printer_id=printer_id)


def grantable(permissions: Any, role: Role) -> list[str]:
    """What of *permissions* goes beyond *role*, to be granted. Raises `Invalid`.

    Permissions that are one right here come together: who prints may control.
    """
    if not isinstance(permissions, list) or any(one not in PERMISSIONS for one in permissions):
        raise Invalid("permissions takes a list of permissions.")
    has = permissions_of(
        Principal(
            organization_id=0, user_id=0, username="", role=role, kind="session", credential_id=0
        )
    )
    beyond = sorted({one for one in permissions if one not in has})
    for one in beyond:
        if RIGHT_OF.get(one) not in _SCOPES:
            raise Invalid(f"{one} comes with a group here, not by itself.")
    rights = {RIGHT_OF[one] for one in beyond}
    return sorted(one for one, right in RIGHT_OF.items() if right in rights and one not in has)
