"""The printer's states and values."""

import msgspec
import pytest

from schemas.printer import (
    ACTIVE,
    CONNECTED,
    PRINTER_TRANSITIONS,
    Live,
    PrinterEvent,
    PrinterState,
    Profile,
    Progress,
    Temperature,
)
from schemas.transitions import advance, can

S, E = PrinterState, PrinterEvent


def walk(*events: PrinterEvent) -> PrinterState:
    state = S.OFFLINE
    for event in events:
        state = advance(PRINTER_TRANSITIONS, state, event)
    return state


def test_a_print_from_plug_to_end() -> None:
    """The way of every good print, with one pause."""
    assert walk(E.OPEN, E.READY) is S.OPERATIONAL
    assert walk(E.OPEN, E.READY, E.JOB, E.STREAM, E.PAUSE) is S.PAUSING
    way = (E.OPEN, E.READY, E.JOB, E.STREAM, E.PAUSE, E.PARKED, E.RESUME, E.STREAM)
    assert walk(*way, E.LAST_LINE) is S.FINISHING
    assert walk(*way, E.LAST_LINE, E.JOB_OVER) is S.OPERATIONAL


@pytest.mark.parametrize("state", list(S))
def test_every_state_can_be_stopped(state: PrinterState) -> None:
    """A remote stop is possible whatever the printer does."""
    assert advance(PRINTER_TRANSITIONS, state, E.HALT) is S.HALTED


@pytest.mark.parametrize("event", [event for event in E if event is not E.RESET])
def test_stop_is_latched(event: PrinterEvent) -> None:
    """Only a person's reset leaves it."""
    after = PRINTER_TRANSITIONS[S.HALTED].get(event, S.HALTED)
    assert after is S.HALTED
    assert advance(PRINTER_TRANSITIONS, S.HALTED, E.RESET) is S.OFFLINE


@pytest.mark.parametrize("state", sorted(CONNECTED))
def test_lost_port_ends_every_connected_state(state: PrinterState) -> None:
    """Closing and failing are possible at any time."""
    assert advance(PRINTER_TRANSITIONS, state, E.CLOSE) is S.OFFLINE
    assert advance(PRINTER_TRANSITIONS, state, E.FAIL) is S.ERROR


def test_second_job_never_starts_over_the_first() -> None:
    """A job begins from operational only."""
    assert [state for state in S if can(PRINTER_TRANSITIONS, state, E.JOB)] == [S.OPERATIONAL]
    assert S.OPERATIONAL not in ACTIVE


def test_every_state_has_a_row_and_every_event_a_use() -> None:
    """The table is whole."""
    assert set(PRINTER_TRANSITIONS) == set(S)
    assert {event for steps in PRINTER_TRANSITIONS.values() for event in steps} == set(E)


@pytest.mark.parametrize(
    ("done", "size", "percent"), [(0, 100, 0.0), (25, 100, 25.0), (101, 100, 100.0), (0, 0, 100.0)]
)
def test_completion_is_a_share_of_the_file(done: int, size: int, percent: float) -> None:
    """Per cent of acknowledged bytes; an empty file is whole."""
    progress = Progress(file_bytes=done, size_bytes=size, lines=0, print_time_s=0.0)
    assert progress.completion == percent


def test_picture_survives_the_wire() -> None:
    """Temperatures travel as pairs."""
    live = Live(printer=1, state=S.PRINTING, temps={"tool0": Temperature(200.1, 210.0)})
    data = msgspec.json.encode(live)
    assert b"[200.1,210.0]" in data
    assert msgspec.json.decode(data, type=Live) == live


def test_profile_knows_two_form_factors() -> None:
    """Anything else is refused where it enters."""
    assert (
        msgspec.json.decode(b'{"form_factor":"circular"}', type=Profile).form_factor == "circular"
    )
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(b'{"form_factor":"round"}', type=Profile)
