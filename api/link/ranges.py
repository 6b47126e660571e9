"""Byte ranges of a file (RFC 9110, 14.2): pure. One range is served; several are not needed."""

import re

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


class Unsatisfiable(ValueError):
    """The file has no such bytes."""


def byte_range(header: str | None, size_bytes: int) -> tuple[int, int] | None:
    """(first, length) of the one range in *header*; None: send the whole file.

    A header of another form counts as none, as the RFC has it. Raises `Unsatisfiable`.
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or match.groups() == ("", ""):
        return None
    first_text, last_text = match.groups()
    if not first_text:  # the last so many bytes
        length = min(int(last_text), size_bytes)
        if not length:
            raise Unsatisfiable
        return size_bytes - length, length
    first = int(first_text)
    last = min(int(last_text), size_bytes - 1) if last_text else size_bytes - 1
    if last_text and int(last_text) < first:
        return None
    if first >= size_bytes:
        raise Unsatisfiable
    return first, last - first + 1
