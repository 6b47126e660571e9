"""What a slicer says about the whole print, found in its comments while the file is read."""

import re

_PRUSA = re.compile(
    rb"; (?:estimated printing time \(normal mode\) =|total estimated time:) *([^\r\n;]+)"
)
_SIMPLIFY = re.compile(rb";\s*Build time: *((?:\d+ *(?:day|hour|minute|second|min|sec)s? *)+)")
_SECONDS_SAID = re.compile(rb"^;(?:TIME|Print Time):[ \t]*(\d{1,12})", re.MULTILINE)
_KISS = re.compile(rb"; Estimated Build Time: *(\d{1,9}\.?\d*) minutes")
_LAYERS = re.compile(
    rb"^; ?(?:LAYER_COUNT:|total layer number:|total layers count =) *(\d{1,9})", re.MULTILINE
)
_PARTS = re.compile(rb"(\d{1,9})\s*([dhms])")
_SECONDS = {b"d": 86400, b"h": 3600, b"m": 60, b"s": 1}
#: A comment may lie across two chunks: so much of the last one is looked at again.
_OVERLAP_BYTES = 200


class Estimate:
    """Feed every chunk in order. *print_s*: seconds, *layers*: how many; None: not said."""

    def __init__(self) -> None:
        self.print_s: float | None = None
        self.layers: int | None = None
        self._tail = b""

    def feed(self, chunk: bytes) -> None:
        """Look at the next bytes of the file."""
        data = self._tail + chunk
        if b";" in data:
            self.print_s = _time_s(data) or self.print_s
            if layers := _LAYERS.search(data):
                self.layers = int(layers[1])
        self._tail = data[-_OVERLAP_BYTES:]


def _time_s(data: bytes) -> float | None:
    words = _PRUSA.search(data) or _SIMPLIFY.search(data)
    if words:
        parts = _PARTS.findall(words[1])
        return float(sum(int(count) * _SECONDS[unit] for count, unit in parts)) or None
    seconds = _SECONDS_SAID.search(data)
    if seconds:
        return float(seconds[1])
    minutes = _KISS.search(data)
    return float(minutes[1]) * 60.0 if minutes else None
