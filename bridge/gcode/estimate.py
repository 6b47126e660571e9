"""What a slicer says about the whole print, found in its comments while the file is read."""

import re

_PRUSA = re.compile(
    rb"; (?:estimated printing time \(normal mode\) =|total estimated time:) *([^\r\n;]+)"
)
_CURA = re.compile(rb"^;TIME:(\d+)", re.MULTILINE)
_PARTS = re.compile(rb"(\d+)\s*([dhms])")
_SECONDS = {b"d": 86400, b"h": 3600, b"m": 60, b"s": 1}
#: A comment may lie across two chunks: so much of the last one is looked at again.
_OVERLAP_BYTES = 200


class Estimate:
    """Feed every chunk in order. *print_s*: seconds, None as long as no comment was found."""

    def __init__(self) -> None:
        self.print_s: float | None = None
        self._tail = b""

    def feed(self, chunk: bytes) -> None:
        """Look at the next bytes of the file."""
        data = self._tail + chunk
        if prusa := _PRUSA.search(data):
            parts = _PARTS.findall(prusa[1])
            self.print_s = float(sum(int(count) * _SECONDS[unit] for count, unit in parts)) or None
        elif cura := _CURA.search(data):
            self.print_s = float(cura[1])
        self._tail = data[-_OVERLAP_BYTES:]
