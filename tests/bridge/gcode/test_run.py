"""Progress and time of one attempt."""

from bridge.gcode.prepare import Run as Lines
from bridge.gcode.run import JobFacts, Run
from schemas.jobs import AttemptEvent


def attempt(estimate_s: float | None = None) -> Run:
    """An attempt at a file of 1000 bytes in ten lines."""
    run = Run(JobFacts(grant="g", job=1, file_name="x", size_bytes=1000, estimate_s=estimate_s))
    run.note(Lines([b"x"] * 5, [100, 200, 300, 400, 500]), 0)
    last = [(4, b"M73 P50 R3")]
    run.note(Lines([b"x"] * 5, [600, 700, 800, 900, 1000], codes=last), 0)
    run.run_clock(0.0)
    return run


def test_progress_counts_acknowledged_bytes_and_never_goes_back() -> None:
    """A Resend takes lines back; what people see stays."""
    run = attempt()
    seen = [run.progress(ordinal, 1.0) for ordinal in (0, 3, 7, 5, 8)]
    assert [one.file_bytes for one in seen] == [0, 300, 700, 700, 800]
    assert [one.lines for one in seen] == [0, 3, 7, 7, 8]


def test_time_left_without_an_estimate_follows_the_rate() -> None:
    """Half of the bytes in ten seconds: ten more."""
    run = attempt()
    assert run.progress(0, 0.0).time_left_s is None
    assert run.progress(5, 10.0).time_left_s == 10.0


def test_the_slicers_estimate_counts_less_the_more_is_measured() -> None:
    """At the start its word, at the end nothing is left."""
    run = attempt(estimate_s=100.0)
    assert run.progress(0, 0.0).time_left_s == 100.0
    assert run.progress(5, 10.0).time_left_s == 30.0


def test_the_slicers_minutes_win() -> None:
    """M73 R is the newest word about the rest."""
    run = attempt(estimate_s=100.0)
    assert run.progress(10, 10.0).time_left_s == 180.0


def test_steps_that_the_table_forbids_do_not_happen() -> None:
    """The first terminal state of an attempt is the last."""
    run = attempt()
    assert run.move(AttemptEvent.STARTED)
    assert not run.move(AttemptEvent.STARTED)
    assert run.move(AttemptEvent.CANCELLED)
    assert not run.move(AttemptEvent.COMPLETED)
