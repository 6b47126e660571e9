"""The current picture of a printer, without a clock."""

from collections import Counter

from api.telemetry.slots import Slot, Slots
from schemas.printer import Live, PrinterState


def live(state: PrinterState = PrinterState.OPERATIONAL, resends: int = 0) -> Live:
    return Live(printer=1, state=state, resends=resends)


def test_the_same_picture_again_changes_nothing() -> None:
    """Only what is visible counts as a change; the age is not."""
    slot = Slot(1, 1, 1)
    assert slot.put(live(), now=10, wall_s=10)
    assert not slot.put(live(), now=11, wall_s=11)
    assert (slot.changes, slot.heard_at) == (1, 11)
    assert not slot.put(live(resends=1), now=12, wall_s=12)
    assert slot.changes == 2


def test_a_changed_state_is_written_at_once_and_the_rest_seldom() -> None:
    """A state change wants a row now, other changes one every 30 s."""
    slot = Slot(1, 1, 1)
    slot.put(live(), now=0, wall_s=0)
    assert slot.wants_saving(0)
    slot.unsaved, slot.saved_at = False, 0.0
    assert not slot.wants_saving(100)
    slot.put(live(resends=1), now=5, wall_s=5)
    assert not slot.wants_saving(29)
    assert slot.wants_saving(30)
    slot.put(live(PrinterState.PRINTING), now=6, wall_s=6)
    assert slot.wants_saving(6)


def test_samples_are_taken_while_printing_only() -> None:
    """One a minute, and none of an idle printer."""
    slot = Slot(1, 1, 1)
    assert not slot.wants_sample(0)
    slot.put(live(), now=0, wall_s=0)
    assert not slot.wants_sample(0)
    slot.put(live(PrinterState.PAUSED), now=0, wall_s=0)
    assert slot.wants_sample(0)
    slot.sampled_at = 0
    assert not slot.wants_sample(59)
    assert slot.wants_sample(60)


def test_a_printer_that_moved_begins_empty() -> None:
    """What another bridge said of it is not shown, and caches notice."""
    slots = Slots()
    slots.of(1, 1, bridge_id=1).put(live(), now=0, wall_s=0)
    moved = slots.of(1, 1, bridge_id=2)
    assert moved.live is None
    assert moved.changes == 2


def test_a_picture_from_before_the_start_waits_for_its_bridge() -> None:
    """A row does not say which bridge it came from; it is kept, but never replaces newer news."""
    slots = Slots()
    slots.restore(1, 1, live(), heard_at=5)
    assert slots.of(1, 1, bridge_id=7).live == live()
    slots.restore(1, 1, live(PrinterState.ERROR), heard_at=5)
    assert slots.of(1, 1, bridge_id=7).live == live()


def test_printers_that_came_together_are_written_one_after_the_other() -> None:
    """A thousand rows in one second would keep commands waiting twice a minute."""
    slots = [Slot(number, 1, 1) for number in range(60)]
    due = Counter[str]()
    for slot in slots:
        slot.put(live(PrinterState.PRINTING), now=0, wall_s=0)
        slot.was_saved(0)
        slot.was_sampled(0)
        slot.put(live(PrinterState.PRINTING, resends=1), now=1, wall_s=1)
    for second in range(1, 61):
        due["saved"] = max(due["saved"], sum(slot.wants_saving(second) for slot in slots))
        due["sampled"] = max(due["sampled"], sum(slot.wants_sample(second) for slot in slots))
        for slot in slots:
            if slot.wants_saving(second):
                slot.was_saved(second)
            if slot.wants_sample(second):
                slot.was_sampled(second)
    assert 0 < due["saved"] <= 4 and 0 < due["sampled"] <= 2
