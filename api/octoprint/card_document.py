"""Files on a printer's own SD card, and how a print from it looks (OctoPrint contract, 4, 5). Pure.

The card is what the printer has listed last; what is selected on it or printed from it has the
origin `sdcard`, a size if the printer said one, and nothing that only reading a file could tell.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from api.octoprint.job_document import JobFile
from api.octoprint.states import LOOKS
from api.printers.sending import sending_of
from api.printers.service import Printer
from schemas.printer import ACTIVE, Live, PrinterState

ORIGIN = "sdcard"
#: The printer has not opened the file yet: its room fetches it.
STARTING_TO_SEND = "Starting to send file to SD"
_FROM_CARD = {
    PrinterState.STARTING: "Starting print from SD",
    PrinterState.PRINTING: "Printing from SD",
}


def prints_from_card(live: Live) -> bool:
    """Whether what runs is no attempt of ours."""
    return live.state in ACTIVE and live.grant is None


def is_ready(printer: Printer, live: Live) -> bool:
    """Whether a card is in the slot of a printer that answers."""
    present = (printer.card or {}).get("present") is True
    return present and LOOKS[live.state].operational


def state_text(printer: Printer, live: Live) -> str:
    """The state's text; a print from the card has its own, as has a file that will go there."""
    usual = LOOKS[live.state].text
    if live.state is PrinterState.TRANSFERRING and printer.state == PrinterState.OPERATIONAL:
        return STARTING_TO_SEND
    return _FROM_CARD.get(live.state, usual) if prints_from_card(live) else usual


def card_entries(printer: Printer, base: str) -> list[dict[str, Any]]:
    """Every file on the card of *printer*, in its own order."""
    return [_entry(name, shown, size, base) for name, shown, size in _files(printer)]


def card_entry(printer: Printer, path: str, base: str) -> dict[str, Any] | None:
    """One file on the card by its name, None when the list has none.

    A card tells no upper case from lower: a file is sent as `part.gco` and listed as `PART.GCO`.
    """
    entries = card_entries(printer, base)
    exact = next((each for each in entries if each["path"] == path), None)
    return exact or next((each for each in entries if _same(each["path"], path)), None)


def card_file(printer: Printer, path: str) -> JobFile:
    """The file *path* as a job shows it, whether the list has it or not."""
    known = {name.lower(): (shown, size) for name, shown, size in _files(printer)}
    display, size_bytes = known.get(path.lower(), (path, None))
    return JobFile(
        blob_id=None,
        name=path.rpartition("/")[2],
        path=path,
        display=display,
        size_bytes=size_bytes,
        uploaded_at=None,
        origin=ORIGIN,
    )


def sent_file(printer: Printer, live: Live) -> JobFile | None:
    """The file that goes to the card, as a job shows it; None: nobody knows its name."""
    sending = sending_of(printer)
    if sending is None:
        return card_file(printer, live.file_name) if live.file_name else None
    found = card_file(printer, sending.name)
    return replace(found, size_bytes=sending.size_bytes, user=sending.user or None)


def card_refs(base: str, path: str) -> dict[str, str]:
    """Links to a file on the card; it has no download."""
    return {"resource": f"{base}/api/files/{ORIGIN}/{quote(path)}"}


def _same(one: str, other: str) -> bool:
    return one.lower() == other.lower()


def _files(printer: Printer) -> Iterator[tuple[str, str, int | None]]:
    card: Mapping[str, Any] = printer.card or {}
    for name, size_bytes, long_name in card.get("files", ()):
        yield name, long_name or name, size_bytes


def _entry(name: str, display: str, size_bytes: int | None, base: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": name.rpartition("/")[2],
        "display": display,
        "path": name,
        "origin": ORIGIN,
        "type": "machinecode",
        "typePath": ["machinecode", "gcode"],
        "refs": card_refs(base, name),
    }
    return found if size_bytes is None else {**found, "size": size_bytes}
