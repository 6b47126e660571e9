"""What becomes of the state directory: how much its disk can take, and whether it is there. Pure.

A full disk ends no print, but what the API says waits then, and files of new jobs find no room
(safety R32). Once it is full nothing can be written down any more, so people are told before.

A journal that somebody has removed goes on in memory of the kernel, and everything looks well: what
it was given to keep is lost when the agent ends.
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


class JournalWatch:
    """Tells once that the journal's file, *inode*, is not at its place; anew if it was back."""

    def __init__(self, inode: int) -> None:
        self._inode = inode
        self._is_told = False

    def look(self, inode: int | None, path: str) -> AlarmFact | None:
        """*inode*: of what is at *path* now, None for nothing; a fact for people, or None."""
        is_there, was_told = inode == self._inode, self._is_told
        self._is_told = not is_there
        if is_there or was_told:
            return None
        what = "was removed" if inode is None else "was replaced by another file"
        text = (
            f"{path} {what} while the agent runs. Prints go on, but whatever the agent writes down "
            "now is lost when it ends: let the prints end, end the agent, put its state directory "
            "back or pair the room again, and start it anew"
        )
        return AlarmFact(printer=None, code="journal_gone", text=text)
