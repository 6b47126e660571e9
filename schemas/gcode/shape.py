"""What a G-code file must look like to be printed: text, in lines that a firmware can take.

What is wrong is found in the bytes of a batch by searches that find nothing in a good file.
"""

import re

from schemas.gcode.words import bare, code_of

#: Marlin's MAX_CMD_SIZE is 96 with the terminating zero; a longer line loses its checksum.
MAX_LINE_BYTES = 95
#: What is left for the command between `N9999999 ` and `*255`.
MAX_COMMAND_BYTES = MAX_LINE_BYTES - len(b"N9999999 ") - len(b"*255")
#: Texts that may be cut to fit: for a display, or the name of an object, which slicers make of a
#: file's. Every other command must fit as it is.
CUTTABLE = frozenset({"M117", "M118", "M486"})
#: It only tells Klipper an object's outline, for its pages: the object is known by its first
#: EXCLUDE_OBJECT_START all the same (`exclude_object.py`).
_OUTLINE = b"EXCLUDE_OBJECT_DEFINE"

_COMMAND = re.compile(rb"^[ \t\r\xef\xbb\xbf]*[A-Za-z@]", re.MULTILINE)
#: A return that ends no line.
_RETURN = re.compile(rb"\r+(?=[^\r\n])")
_RETURNS = "it holds a line end of old Macs (CR alone): save the file with LF at the line ends"
_LONG = re.compile(rb"\n[^\n;]{%d,}" % (MAX_COMMAND_BYTES + 1))
#: How files begin that are no text, and what they are.
_FORMATS = (
    (b"GCDE", "binary G-code (.bgcode): let the slicer export it as text"),
    (b"PK\x03\x04", "a zip archive (.3mf?): unpack or slice it"),
    (b"\x1f\x8b", "compressed (.gz): unpack it"),
    (b"\xff\xfe", "text in UTF-16: save it as UTF-8"),
    (b"\xfe\xff", "text in UTF-16: save it as UTF-8"),
    (b"solid ", "a model (.stl): slice it first"),
)


def foreign(head: bytes) -> str | None:
    """What a file that begins with *head* is instead of G-code, None for a text."""
    for beginning, name in _FORMATS:
        if head.startswith(beginning):
            return name
    return None


#: What is said of the last line of a file without a command.
ONLY_COMMENTS = "it is the last one, and the file holds nothing but comments"


def has_command(batch: bytes) -> bool:
    """Whether any line of *batch* is more than a comment."""
    return _COMMAND.search(batch) is not None


def shortened(text: bytes) -> bytes | None:
    """What becomes of the command *text*, which is too long; None: it must fit as it is.

    Blank: it is left out.
    """
    if text[: len(_OUTLINE)].upper() == _OUTLINE:
        return b""
    if code_of(text) not in CUTTABLE:
        return None
    cut = text[:MAX_COMMAND_BYTES].rstrip()
    if cut.count(b'"') % 2 > text.count(b'"') % 2:  # RepRapFirmware minds an open quote
        cut = cut[: MAX_COMMAND_BYTES - 1] + b'"'
    return cut


def misfits(batch: bytes) -> list[tuple[int, str]]:
    """Lines of *batch*, by number from 0, that no firmware can take, and why; at most one each.

    A zero byte ends the search: what follows is no text.
    """
    found = []
    text = b"\n" + batch
    for match in _LONG.finditer(text):
        end = text.find(b"\n", match.end())
        line = bare(text[match.start() + 1 : end if end >= 0 else len(text)])
        if len(line) > MAX_COMMAND_BYTES and shortened(line) is None:
            why = f"it is {len(line)} bytes long, a printer takes {MAX_COMMAND_BYTES}"
            found.append((text.count(b"\n", 0, match.start()), why))
    found += _returns(batch)
    zero = batch.find(b"\0")
    if zero >= 0:
        found.append((batch.count(b"\n", 0, zero), "it holds a zero byte: this is no text"))
    return sorted(found)


def _returns(batch: bytes) -> list[tuple[int, str]]:
    """The first line in which a return stands between two commands.

    Some firmwares take it for a line end and ask for the line again for ever, others run only what
    is before it.
    """
    at = 0
    while match := _RETURN.search(batch, at):
        start = batch.rfind(b"\n", 0, match.start()) + 1
        at = batch.find(b"\n", match.end())
        at = at if at >= 0 else len(batch)
        head, _, rest = batch[start:at].strip().partition(b"\r")
        if bare(head) and bare(rest):
            return [(batch.count(b"\n", 0, start), _RETURNS)]
    return []
