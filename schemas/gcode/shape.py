"""What a G-code file must look like to be printed: text, in lines that a firmware can take.

What is wrong is found in the bytes of a batch by searches that find nothing in a good file.
"""

import re

from schemas.gcode.words import bare, code_of

#: Marlin's MAX_CMD_SIZE is 96 with the terminating zero; a longer line loses its checksum.
MAX_LINE_BYTES = 95
#: What is left for the command between `N9999999 ` and `*255`.
MAX_COMMAND_BYTES = MAX_LINE_BYTES - len(b"N9999999 ") - len(b"*255")
#: Texts that may be cut to fit; every other command must fit as it is.
CUTTABLE = frozenset({"M117", "M118"})

_COMMAND = re.compile(rb"^[ \t\r\xef\xbb\xbf]*[A-Za-z@]", re.MULTILINE)
_LONG = re.compile(rb"\n[^\n;]{%d,}" % (MAX_COMMAND_BYTES + 1))
#: How files begin that are no text, and what they are.
_FORMATS = (
    (b"GCDE", "binary G-code (.bgcode): let the slicer export it as text"),
    (b"PK\x03\x04", "a zip archive (.3mf?): unpack or slice it"),
    (b"\x1f\x8b", "compressed (.gz): unpack it"),
    (b"\xff\xfe", "text in UTF-16: save it as UTF-8"),
    (b"\xfe\xff", "text in UTF-16: save it as UTF-8"),
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


def misfits(batch: bytes) -> list[tuple[int, str]]:
    """Lines of *batch*, by number from 0, that no firmware can take, and why; at most one each.

    A zero byte ends the search: what follows is no text.
    """
    found = []
    text = b"\n" + batch
    for match in _LONG.finditer(text):
        end = text.find(b"\n", match.end())
        line = bare(text[match.start() + 1 : end if end >= 0 else len(text)])
        if len(line) > MAX_COMMAND_BYTES and code_of(line) not in CUTTABLE:
            why = f"it is {len(line)} bytes long, a printer takes {MAX_COMMAND_BYTES}"
            found.append((text.count(b"\n", 0, match.start()), why))
    zero = batch.find(b"\0")
    if zero >= 0:
        found.append((batch.count(b"\n", 0, zero), "it holds a zero byte: this is no text"))
    return sorted(found)
