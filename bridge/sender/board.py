"""Which board belongs to this printer: the UUID of the last one at its port (safety M18).

Ports swap names, and clones of one USB chip have no number to tell them apart. So a board that
answers where another one was is a stranger, whatever its port is called: its printer gets no line
of a job until a person has looked. A printer that a person moves to another port starts afresh, and
a firmware without a UUID is nobody's stranger.

The baud rate that worked and what the firmware said are kept beside it: the next life of the sender
begins with that rate, and `bridge doctor` tells what a printer can without asking it.
"""

from pathlib import Path

import msgspec

from bridge.sender.device import Device
from schemas.printer import CONNECTED


class Board(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What answered at *port* last. *baud* None: that link has no rate of its own.

    *firmware* blank: it has not said who it is; *capabilities* None: nor what it can.
    """

    port: str
    uuid: str | None = None
    baud: int | None = None
    firmware: str = ""
    capabilities: dict[str, bool] | None = None


def board_path(state_dir: Path, printer: int) -> Path:
    """Where the board of *printer* is kept."""
    return state_dir / "boards" / f"printer-{printer}.json"


def load_board(path: Path) -> Board | None:
    """What is kept at *path*; None: nothing was ever seen, or it cannot be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Board)
    except (OSError, msgspec.DecodeError):
        return None


class KnownBoard:
    """The board at one printer's port, kept in the file *path*."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._board = load_board(path)
        self._stranger: str | None = None

    @property
    def baud(self) -> int | None:
        """The rate at which it answered last, None: not known."""
        return self._board.baud if self._board is not None else None

    def stranger(self, port_id: str, uuid: str | None, *, asked: bool) -> str | None:
        """Why the board *uuid* at *port_id* is a stranger, None for the printer's own.

        *asked*: a person has asked for this connection; a stranger that was told of before is the
        printer's own board from then on. Raises OSError when that cannot be kept.
        """
        if uuid is None:
            return None
        known = self._known_at(port_id)
        own = known.uuid if known is not None else None
        if own is not None and uuid != own and not (asked and uuid == self._stranger):
            self._stranger = uuid
            return (
                f"another board answers at this port: UUID {uuid}, and it was {own}. "
                "Nothing is printed on it: check which printer is plugged in where; connect again "
                "to take it as this printer"
            )
        self._stranger = None
        if uuid != own:
            self._keep(Board(port=port_id, uuid=uuid))
        return None

    def follow(self, device: Device) -> None:
        """Keep what the printer's own board has said, while it is connected. Raises OSError."""
        printer, port = device.printer, device.port
        if port is None or printer.state not in CONNECTED:
            return
        port_id, status = printer.config.port_id, printer.link.status
        known, firmware = self._known_at(port_id), status.firmware or ""
        self._keep(
            Board(
                port=port_id,
                uuid=known.uuid if known is not None else None,
                baud=port.baud if port.link.real_baud else None,
                firmware=firmware,
                capabilities=dict(status.capabilities) if firmware else None,
            )
        )

    def _known_at(self, port_id: str) -> Board | None:
        board = self._board
        return board if board is not None and board.port == port_id else None

    def _keep(self, board: Board) -> None:
        if board == self._board:
            return
        self._board = board
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self._path.with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(board))
        fresh.replace(self._path)
