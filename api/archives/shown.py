"""Records with the names of what stands around them, asked for once a page."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from api.archives.service import Record
from api.archives.view import archive_view
from api.principal import Principal
from api.printers.service import Printer


class PrinterRoom(Protocol):
    """What is needed of the printers."""

    async def find(self, printer_id: int) -> Printer | None:
        """The printer, whosever it is; None when there is none."""


class PeopleRoom(Protocol):
    """What is needed of the accounts."""

    async def usernames(self, user_ids: Collection[int]) -> Mapping[int, str]:
        """The names of these people."""


class ShownArchives:
    """Shows records."""

    def __init__(self, printers: PrinterRoom, people: PeopleRoom) -> None:
        self._printers = printers
        self._people = people

    async def many(self, by: Principal, records: Sequence[Record]) -> list[dict[str, Any]]:
        """These records. What is another organization's by now has no name here."""
        numbers = {record.run.row.printer_id for record in records}
        found = [await self._printers.find(number) for number in numbers]
        printers = {
            row.id: row
            for row in found
            if row is not None and row.organization_id == by.organization_id
        }
        return [archive_view(record, printers.get(record.run.row.printer_id)) for record in records]

    async def one(self, by: Principal, record: Record) -> dict[str, Any]:
        """This record."""
        [shown] = await self.many(by, [record])
        return shown

    async def names(self, shown: Sequence[Mapping[str, Any]]) -> Mapping[int, str]:
        """The names of those who had these records, as they are shown, printed."""
        return await self._people.usernames({each["user_id"] for each in shown if each["user_id"]})
