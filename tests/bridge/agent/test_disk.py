"""A disk that fills up is told of while there is room to."""

from bridge.agent.disk import LOW_BYTES, DiskWatch, JournalWatch
from bridge.agent.spool import RESERVE_BYTES


def test_a_disk_that_is_nearly_full_is_told_of_once() -> None:
    """safety R32: and again only after there has been room; the text says where and what to do."""
    watch = DiskWatch()
    assert watch.look(LOW_BYTES, "/state") is None
    alarm = watch.look(5 * 1024 * 1024, "/state")
    assert alarm is not None
    assert (alarm.code, alarm.printer) == ("disk_low", None)
    assert "5 MiB left in /state: free some" in alarm.text
    assert watch.look(0, "/state") is None
    assert watch.look(LOW_BYTES, "/state") is None
    assert watch.look(0, "/state") is None
    assert watch.look(RESERVE_BYTES, "/state") is None
    assert watch.look(0, "/state") is not None


def test_a_journal_that_is_not_at_its_place_is_told_of_once() -> None:
    """Removed, or restored under the running agent: what is written now is lost at its end."""
    watch = JournalWatch(7)
    assert watch.look(7, "/state/j") is None
    alarm = watch.look(None, "/state/j")
    assert alarm is not None
    assert (alarm.code, alarm.printer) == ("journal_gone", None)
    assert "/state/j was removed while the agent runs" in alarm.text
    assert watch.look(None, "/state/j") is None
    assert watch.look(7, "/state/j") is None
    again = watch.look(8, "/state/j")
    assert again is not None
    assert "was replaced by another file" in again.text
