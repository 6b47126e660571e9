"""A disk that fills up is told of while there is room to."""

from bridge.agent.disk import LOW_BYTES, DiskWatch
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
