"""Which board belongs to this printer: the UUID of the last one at its port (safety M18).

Ports swap names, and clones of one USB chip have no number to tell them apart. So a board that
answers where another one was is a stranger, whatever its port is called: its printer gets no line
of a job until a person has looked. A printer that a person moves to another port starts afresh, and
a firmware without a UUID is nobody's stranger.
"""

import json
from pathlib import Path


class KnownBoard:
    """The board at one printer's port, kept in the file *path*."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._port_id, self._uuid = _load(path)
        self._stranger: str | None = None

    def stranger(self, port_id: str, uuid: str | None, *, asked: bool) -> str | None:
        """Why the board *uuid* at *port_id* is a stranger, None for the printer's own.

        *asked*: a person has asked for this connection; a stranger that was told of before is the
        printer's own board from then on. Raises OSError when that cannot be kept.
        """
        if uuid is None:
            return None
        known = port_id == self._port_id and self._uuid is not None
        if known and uuid != self._uuid and not (asked and uuid == self._stranger):
            self._stranger = uuid
            return (
                f"another board answers at this port: UUID {uuid}, and it was {self._uuid}. "
                "Nothing is printed on it: check which printer is plugged in where; connect again "
                "to take it as this printer"
            )
        self._stranger = None
        if (port_id, uuid) != (self._port_id, self._uuid):
            self._port_id, self._uuid = port_id, uuid
            self._keep()
        return None

    def _keep(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps({"port": self._port_id, "uuid": self._uuid}), "ascii")
        fresh.replace(self._path)


def _load(path: Path) -> tuple[str | None, str | None]:
    try:
        kept = json.loads(path.read_text("ascii"))
        return str(kept["port"]), str(kept["uuid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None, None  # never seen, or not readable: the next board is the printer's own
