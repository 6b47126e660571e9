"""How long nobody may answer before something is done about it (serial 3, lost `ok`)."""

from bridge.gcode.dialects import MARLIN, Dialect, by_name
from bridge.gcode.patience import FIRST_SILENCE_S, HUMAN_SILENCE_S, MAX_HUMAN_PROBES
from bridge.gcode.replies import Ack
from bridge.gcode.stream import Stream

MOVES = [b"G1 X1", b"G1 X2"]


def waiting(dialect: Dialect = MARLIN, lines: list[bytes] = MOVES) -> Stream:
    """A stream whose first line has been sent and was not answered."""
    stream = Stream(lossless=True)
    stream.configure(dialect)
    stream.feed(lines, alone=len(lines) == 1)
    assert stream.take(0.0).startswith(b"N1 ")
    return stream


def first_probe_s(stream: Stream) -> float:
    """When it asks for a sign of life for the first time."""
    due = stream.deadline()
    assert due is not None
    stream.tick(due)
    assert b"M105" in stream.take(due)
    return due


def test_a_lost_answer_to_a_move_is_looked_for_soon_without_any_busy() -> None:
    """serial 12/#21: a firmware that never says `busy` does not stand for half a minute."""
    assert first_probe_s(waiting()) == FIRST_SILENCE_S


def test_a_probe_without_answer_is_followed_by_the_firmwares_own_patience() -> None:
    """A single long move takes as long as it takes: the second probe is in no hurry."""
    stream = waiting()
    first_s = first_probe_s(stream)
    assert first_probe_s(stream) - first_s == 2 * MARLIN.silence_s


def test_a_long_command_and_a_firmware_that_cannot_be_asked_are_left_alone() -> None:
    """M109 has its own patience, and where a probe decides a print it comes late."""
    assert first_probe_s(waiting(lines=[b"M109 S200"])) == MARLIN.long_silence_s
    klipper = by_name("klipper")
    assert klipper is not None
    assert first_probe_s(waiting(klipper)) == klipper.silence_s


def test_a_person_who_has_answered_unheard_is_noticed() -> None:
    """serial 12/#47: the `ok` behind `paused for user` is lost, and nothing is said any more."""
    stream = waiting(lines=[b"M600"])
    stream.patience.alive(5.0, human=True)
    assert first_probe_s(stream) == 5.0 + HUMAN_SILENCE_S
    stream.on_ack(Ack(temperatures=True), 66.0)
    assert stream.in_flight == 0
    assert b"N2 M105" in stream.take(66.0)  # finds out whether the change was received at all


def test_a_person_has_all_the_time_there_is() -> None:
    """serial 3: also before a firmware that says only once that it waits; no probes pile up."""
    stream = waiting(lines=[b"M600"])
    stream.patience.alive(0.0, human=True)
    probes = 0
    while (due := stream.deadline()) is not None:
        stream.tick(due)
        probes += stream.take(due).count(b"M105")
    assert probes == MAX_HUMAN_PROBES
    assert stream.events() == []
    stream.on_ack(Ack(), 7 * 24 * 3600.0)  # the person has come
    assert stream.in_flight == 0


def test_where_a_probe_would_take_a_line_as_done_a_person_is_not_hurried() -> None:
    """serial 10: Repetier answers nothing that has no number."""
    repetier = by_name("repetier")
    assert repetier is not None
    stream = waiting(repetier, lines=[b"M600"])
    stream.patience.alive(0.0, human=True)
    assert stream.deadline() is None
