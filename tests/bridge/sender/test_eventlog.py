"""Events until they are acknowledged."""

from bridge.control.messages import Alarm, Event, StateChanged
from bridge.sender.eventlog import MAX_EVENTS, EventLog
from schemas.printer import PrinterState

MOVED = StateChanged(state=PrinterState.ERROR, previous=PrinterState.PRINTING)
ALARM = Alarm(code="x", text="y")


def test_numbers_have_no_gap_and_end_with_the_acknowledgement() -> None:
    """An owner gets what waits, in order, and nothing twice after it has said so."""
    log = EventLog("b")
    assert (log.oldest, log.newest) == (1, 0)
    for at_ms in range(5):
        log.add(MOVED, at_ms)
    assert [event.seq for event in log.waiting()] == [1, 2, 3, 4, 5]
    log.acknowledge("b", 3)
    assert [event.seq for event in log.waiting()] == [4, 5]
    assert (log.oldest, log.newest) == (4, 5)
    log.acknowledge("other", 99)
    assert len(log.waiting()) == 2


def test_what_an_earlier_life_left_comes_first() -> None:
    """It keeps its own life's name, so that it is acknowledged by that."""
    left = [Event(boot="a", seq=7, at_ms=1, body=MOVED)]
    log = EventLog("b", left)
    log.add(MOVED, 2)
    assert [(event.boot, event.seq) for event in log.waiting()] == [("a", 7), ("b", 1)]
    assert (log.oldest, log.newest) == (1, 1)
    log.acknowledge("a", 7)
    assert [event.boot for event in log.waiting()] == ["b"]


def test_a_full_log_counts_alarms_and_keeps_states() -> None:
    """What decides about jobs is never dropped; how much was dropped is told."""
    log = EventLog("b")
    for _ in range(MAX_EVENTS + 100):
        log.add(ALARM, 0)
    log.add(MOVED, 0)
    assert log.newest == MAX_EVENTS + 1
    log.acknowledge("b", MAX_EVENTS)
    told, added = log.add(ALARM, 0)
    assert isinstance(told.body, Alarm)
    assert told.body.text.startswith("100 alarms")
    assert [told.seq, added.seq] == [MAX_EVENTS + 2, MAX_EVENTS + 3]
