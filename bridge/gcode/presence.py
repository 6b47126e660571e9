"""A sign that a paused print goes on, where one of which nothing comes is taken for over.

Prusa's Buddy boards take what comes over the cable for a print, and that for finished when nothing
has been in their queue for five seconds (`serial_printing.cpp`, `has_serial_timeouted`). Finishing,
they put the tool away, unload the filament or draw it back (`marlin_server.cpp`,
`pre_finalize_print`), and the print goes on without.
"""

from bridge.gcode.standing import Standing
from schemas.printer import PrinterState

#: Between two signs.
EVERY_S = 3.0


class Presence:
    """When the next sign is due. All times are seconds on one clock."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing
        self._next = float("-inf")

    def deadline(self) -> float | None:
        """When `tick` is due; None: no sign is."""
        return self._next if self._is_due else None

    def tick(self, now: float) -> None:
        """Give a sign when it is time."""
        stream = self._standing.link.stream
        if self._is_due and now >= self._next:
            self._next = now + EVERY_S
            stream.order([stream.dialect.presence])

    @property
    def _is_due(self) -> bool:
        at = self._standing
        paused = at.state is PrinterState.PAUSED and at.run is not None
        stream = at.link.stream
        return paused and bool(stream.dialect.presence) and not stream.in_flight
