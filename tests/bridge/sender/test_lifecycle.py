"""When a sender cools and when it ends (safety M01, M04)."""

from bridge.sender.lifecycle import (
    ENDING_S,
    HEAT_LEASE_S,
    ORPHAN_LIFE_S,
    Lifecycle,
    Situation,
    Step,
)
from schemas.printer import PrinterState

_S = PrinterState


def situation(
    state: PrinterState = _S.OPERATIONAL, *, owned: bool = False, heating: bool = False
) -> Situation:
    """How things are."""
    return Situation(state, owned, heating)


def test_an_orphan_finishes_its_print() -> None:
    """However long that takes, nothing is done to it."""
    life = Lifecycle(0.0)
    for now in range(0, 10_000, 100):
        assert life.step(now, situation(_S.PRINTING, heating=True)) is Step.NOTHING


def test_heat_without_print_and_owner_is_a_lease() -> None:
    """The heaters go off once, after a minute."""
    life = Lifecycle(0.0)
    life.step(0.0, situation(_S.PRINTING))
    hot = situation(heating=True)
    assert life.step(1000.0, hot) is Step.NOTHING
    assert life.step(1000.0 + HEAT_LEASE_S - 1, hot) is Step.NOTHING
    assert life.step(1000.0 + HEAT_LEASE_S, hot) is Step.COOL
    assert life.step(1001.0 + HEAT_LEASE_S, hot) is Step.NOTHING


def test_an_owner_may_heat_as_long_as_it_likes() -> None:
    """The lease is renewed by being there."""
    life = Lifecycle(0.0)
    for now in range(0, 5000, 50):
        assert life.step(now, situation(owned=True, heating=True)) is Step.NOTHING


def test_an_idle_orphan_ends_after_cooling() -> None:
    """Ten minutes without owner and print."""
    life = Lifecycle(0.0)
    assert life.step(ORPHAN_LIFE_S - 1, situation()) is Step.NOTHING
    life.step(ORPHAN_LIFE_S, situation())
    assert life.step(ORPHAN_LIFE_S + 0.1, situation()) is Step.COOL
    assert life.step(ORPHAN_LIFE_S + 0.2, situation()) is Step.NOTHING
    life.cooled()
    assert life.step(ORPHAN_LIFE_S + 0.3, situation()) is Step.EXIT


def test_the_end_of_a_printing_sender_cancels_cools_and_leaves() -> None:
    """SIGTERM while printing: cancel script, heaters off, drained, gone."""
    life = Lifecycle(0.0)
    life.end(10.0)
    assert life.step(10.0, situation(_S.PRINTING)) is Step.CANCEL
    assert life.step(10.1, situation(_S.CANCELLING)) is Step.NOTHING
    assert life.step(11.0, situation()) is Step.COOL
    life.cooled()
    assert life.step(12.0, situation()) is Step.EXIT


def test_draining_waits_for_the_print() -> None:
    """A printer that is taken out of the configuration finishes first; a later wish may hurry."""
    life = Lifecycle(0.0)
    life.end(10.0, drain=True)
    assert life.step(5000.0, situation(_S.PRINTING)) is Step.NOTHING
    life.end(5001.0)
    assert life.step(5001.0, situation(_S.PRINTING)) is Step.CANCEL


def test_a_printer_that_does_not_listen_delays_the_end_only_so_long() -> None:
    """Whatever hangs, the process ends; a printer that is not connected is left at once."""
    life = Lifecycle(0.0)
    life.end(0.0)
    life.step(0.0, situation(_S.CANCELLING))
    assert life.step(ENDING_S, situation(_S.CANCELLING)) is Step.EXIT
    other = Lifecycle(0.0)
    other.end(0.0)
    assert other.step(0.0, situation(_S.ERROR)) is Step.EXIT
