"""The stop's own way past the database (safety M07): from memory straight to the room's link.

While rows cannot be read or written a remote stop still goes out, by rights and printers that this
process remembers. What was sent is owed to the rows: it is written, with its audit entry, as soon
as they can be written again, and at the latest before the bridge's word about it is recorded.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from ulid import ULID

from api.principal import Principal
from schemas.link import RemoteStop

#: Puts a stop on a link that stands now.
Say = Callable[[RemoteStop], None]


@dataclass(frozen=True, slots=True)
class Owed:
    """A stop that was sent and is in no row yet."""

    id: str
    by: Principal
    organization_id: int
    printer_id: int
    printer_name: str
    bridge_id: int
    at: datetime


class DirectStops:
    """The links of this process, and what is owed to the rows."""

    def __init__(self) -> None:
        self._links: dict[int, list[Say]] = {}
        self.owed: dict[str, Owed] = {}

    @contextmanager
    def link(self, bridge_id: int, say: Say) -> Iterator[None]:
        """While this lasts, the room of *bridge_id* can be told to stop by *say*."""
        links = self._links.setdefault(bridge_id, [])
        links.append(say)
        try:
            yield
        finally:
            links.remove(say)
            if not links:
                del self._links[bridge_id]

    def send(
        self, by: Principal, printer: tuple[int, int, str], bridge_id: int, at: datetime
    ) -> bool:
        """Tell the printer (organization, number, name) to stop; False: no link stands here.

        A printer that is owed a stop already is told again under the same id, which its room
        does once.
        """
        links = self._links.get(bridge_id)
        if not links:
            return False
        organization_id, printer_id, name = printer
        known = (owed.id for owed in self.owed.values() if owed.printer_id == printer_id)
        stop_id = next(known, None) or str(ULID.from_datetime(at))
        self.owed.setdefault(
            stop_id, Owed(stop_id, by, organization_id, printer_id, name, bridge_id, at)
        )
        for say in links:
            say(RemoteStop(id=stop_id, printer=printer_id))
        return True
