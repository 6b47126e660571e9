"""Names on a printer's own card: eight letters, a dot, three more (OctoPrint contract, 6). Pure.

As OctoPrint makes them: lower case, the ending `gco` (or `g`, which is short enough), and a number
behind a tilde where the name is too long or taken. Firmware compares without regard to case.
"""

import re
import unicodedata
from collections.abc import Collection

MAX_STEM = 8
MAX_NUMBER = 99
_ENDINGS = ("gco", "g")
_REFUSED = re.compile(r"[^a-z0-9_-]")
#: `M28 B1…` begins a binary transfer on Marlin, and M110 anywhere in a line is its number.
_MISREAD = re.compile(r"^(?=b[0-9])|(?<=m)(?=110)")
_NO_LETTERS_LEFT = "file"


def dos_name(file_name: str, taken: Collection[str]) -> str:
    """What *file_name* is called on a card that has *taken* on it, in whatever case.

    Raises `ValueError` when every number is taken.
    """
    stem, _, ending = file_name.rpartition(".")
    if not stem:
        stem, ending = file_name, ""
    ending = ending.lower() if ending.lower() in _ENDINGS else _ENDINGS[0]
    known = {name.lower() for name in taken}
    letters = _plain(stem)
    whole = f"{letters}.{ending}"
    if len(letters) <= MAX_STEM and whole not in known:
        return whole
    for number in range(1, MAX_NUMBER + 1):
        tail = f"~{number}"
        found = f"{letters[: MAX_STEM - len(tail)]}{tail}.{ending}"
        if found not in known:
            return found
    raise ValueError(f"{MAX_NUMBER} files on the card are called like {file_name!r} already")


def _plain(stem: str) -> str:
    """*stem* in letters that every firmware takes in a command: no accents, no spaces."""
    folded = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode().lower()
    letters = _REFUSED.sub("", re.sub(r"\s+", "_", folded.strip())) or _NO_LETTERS_LEFT
    return _MISREAD.sub("_", letters)
