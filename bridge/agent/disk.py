"""How much the disk of the state directory can still take. Pure.

A full disk ends no print, but what the API says waits then, and files of new jobs find no room
(safety R32). Once it is full nothing can be written down any more, so people are told before.
"""

from bridge.agent.spool import RESERVE_BYTES
from schemas.facts import AlarmFact

#: Files for the spool leave this much; with less something else fills the disk.
LOW_BYTES = RESERVE_BYTES // 2
_MIB = 1024 * 1024


class DiskWatch:
    """Tells once that the disk is nearly full, and again after there has been room."""

    def __init__(self) -> None:
        self._is_told = False

    def look(self, free_bytes: int, directory: str) -> AlarmFact | None:
        """*free_bytes*: what is left on the disk of *directory*; a fact for people, or None."""
        if free_bytes >= RESERVE_BYTES:
            self._is_told = False
        if self._is_told or free_bytes >= LOW_BYTES:
            return None
        self._is_told = True
        text = (
            f"the disk of the bridge has {free_bytes // _MIB} MiB left in {directory}: free some. "
            "When it is full, running prints go on, but the bridge takes no more orders"
        )
        return AlarmFact(printer=None, code="disk_low", text=text)
