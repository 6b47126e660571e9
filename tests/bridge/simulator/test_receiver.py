"""Lines, numbers, checksums, resends: serial 2 and 3."""

import pytest

from bridge.simulator.profile import Profile
from tests.fakes.board import Board, numbered


@pytest.fixture
def board() -> Board:
    """A free-running board that took line 1."""
    board = Board(speed=0)
    assert board.send_numbered("G90") == ["ok"]
    board.executed()
    return board


def test_good_line_is_executed_once_and_answered_once(board: Board) -> None:
    """The right number and checksum give one ok and one execution."""
    assert board.send_numbered("G1 X1") == ["ok"]
    assert board.executed() == ["G1 X1"]


def test_wrong_checksum_asks_for_the_line(board: Board) -> None:
    """A damaged line is refused with Error, Resend and one ok (serial 12/#10)."""
    assert board.feed(b"N2 G1 X1*1\n") == [
        "Error:checksum mismatch, Last Line: 1",
        "Resend: 2",
        "ok",
    ]
    assert board.executed() == []


def test_gap_asks_for_the_missing_line(board: Board) -> None:
    """A number too high is refused, with the number of the line that is missing."""
    assert board.feed(numbered(5, "G1 X1")) == [
        "Error:Line Number is not Last Line Number+1, Last Line: 1",
        "Resend: 2",
        "ok",
    ]


def test_missing_checksum_is_refused(board: Board) -> None:
    """A number without checksum is an error."""
    assert board.feed(b"N2 G1 X1\n") == [
        "Error:No Checksum with line number, Last Line: 1",
        "Resend: 2",
        "ok",
    ]


def test_error_empties_the_receive_buffer(board: Board) -> None:
    """Of four lines in one burst whose first is damaged, three vanish without a reply."""
    burst = b"N2 G1 X1*1\n" + b"".join(numbered(n, f"G1 X{n}") for n in (3, 4, 5))
    assert len(board.feed(burst)) == 3
    assert board.executed() == []


def test_error_drops_the_unfinished_line(board: Board) -> None:
    """The part of a line received before the error is gone; its rest is no known command."""
    half = numbered(3, "G1 X3")
    board.feed(b"N2 G1 X1*1\n" + half[:6])
    assert board.feed(half[6:])[0].startswith("echo:Unknown command")


@pytest.mark.parametrize("number", [1, 2])
def test_repeat_of_the_last_two_lines_is_silent(board: Board, number: int) -> None:
    """A number equal to the last or the one before it gets no reply at all (serial 12/#22)."""
    board.send_numbered("G1 X1")
    assert board.feed(numbered(number, "G1 X9")) == []
    assert board.executed() == ["G1 X1"]


def test_older_line_is_refused(board: Board) -> None:
    """A repeat further back than two lines is an error, not silence."""
    board.send_numbered("G1 X1", "G1 X2", "G1 X3")
    assert board.feed(numbered(1, "G90"))[1] == "Resend: 5"


def test_unnumbered_lines_are_taken_and_marked(board: Board) -> None:
    """A line without number is executed at any time; the record shows it had none."""
    assert board.send("G1 X1") == ["ok"]
    assert board.executed() == ["\tG1 X1"]


def test_checksum_without_number_is_ignored(board: Board) -> None:
    """Marlin 2.1 takes `M17*99` without looking at the checksum."""
    assert board.send("M17*99") == ["ok"]
    assert board.executed() == ["\tM17"]


@pytest.mark.parametrize("line", ["", ";", "; comment", "   ", "\r"])
def test_empty_lines_get_no_ok(board: Board, line: str) -> None:
    """Blank and comment-only lines are not answered (serial 12/#33)."""
    assert board.send(line) == []


def test_comment_and_carriage_return_are_dropped(board: Board) -> None:
    """What follows a semicolon is no part of the command; CR ends a line like LF."""
    assert board.send("M17 ; motors\r") == ["ok"]
    assert board.executed() == ["\tM17"]


def test_escaped_semicolon_stays(board: Board) -> None:
    r"""A `\` keeps the next character."""
    assert board.send(r"M118 a\;b") == ["a;b", "ok"]


def test_backspace_erases(board: Board) -> None:
    """A backspace takes back the character before it."""
    board.send("M18\b7")
    assert board.executed() == ["\tM17"]


def test_long_line_loses_its_checksum(board: Board) -> None:
    """Beyond MAX_CMD_SIZE a line is cut, so its checksum is missing (serial 12/#32)."""
    said = board.feed(numbered(2, "M117 " + "x" * 115))
    assert said[0].startswith("Error:No Checksum")
    said = board.feed(numbered(2, "M117 " + "x" * 80))
    assert said == ["ok"]


def test_endless_line_takes_bounded_memory(board: Board) -> None:
    """An unterminated line of any length neither fills the ring nor the memory."""
    for _ in range(100):
        board.feed(b"x" * 10_000)
    assert board.firmware.room() == Profile().rx_bytes
    assert board.send("")[0].startswith("echo:Unknown command")
    assert board.send("M17") == ["ok"]


def test_m110_sets_the_next_number(board: Board) -> None:
    """After `N4 M110 N100` comes line 101: the second N wins, whatever the first one is."""
    assert board.feed(numbered(4, "M110 N100")) == ["ok"]
    assert board.feed(numbered(101, "G1 X1")) == ["ok"]


def test_unnumbered_m110_sets_the_next_number(board: Board) -> None:
    """A bare `M110 N5` works on Marlin 2."""
    assert board.send("M110 N5") == ["ok"]
    assert board.feed(numbered(6, "G1 X1")) == ["ok"]


def test_m110_with_its_own_number_only(board: Board) -> None:
    """`N40 M110` makes 40 the last line."""
    assert board.feed(numbered(40, "M110")) == ["ok"]
    assert board.feed(numbered(41, "G1 X1")) == ["ok"]


def test_printrun_counts_from_minus_one(board: Board) -> None:
    """`N-1 M110 N-1` makes 0 the first line."""
    assert board.feed(numbered(-1, "M110 N-1")) == ["ok"]
    assert board.feed(numbered(0, "G1 X1")) == ["ok"]


def test_probe_far_ahead_tells_the_last_line(board: Board) -> None:
    """A harmless line with a number far ahead is refused with the last accepted number."""
    board.send_numbered("G1 X1", "G1 X2")
    assert board.feed(numbered(900_000, "M105"))[0].endswith("Last Line: 3")


def test_numbers_beyond_a_million(board: Board) -> None:
    """The count does not end (serial 12/#68)."""
    board.feed(numbered(0, "M110 N999999"))
    assert board.feed(numbered(1_000_000, "G1 X1")) == ["ok"]
    assert board.feed(b"N1000001 G1*1\n")[1] == "Resend: 1000001"


def test_merged_lines_are_refused(board: Board) -> None:
    """Two lines whose newline was lost do not pass (serial 12/#12)."""
    merged = numbered(2, "G1 X1").rstrip(b"\n") + numbered(3, "G1 X2")
    assert board.feed(merged)[1] == "Resend: 2"


def test_lines_may_arrive_byte_by_byte(board: Board) -> None:
    """How the stream is cut into reads does not matter."""
    said = [line for byte in numbered(2, "G1 X1") for line in board.feed(bytes([byte]))]
    assert said == ["ok"]


def test_n_without_digits_counts_as_zero(board: Board) -> None:
    """Like strtol, a missing number is 0; here that is a repeat, so it is silent."""
    assert board.feed(b"Nonsense\n") == []


def test_room_shrinks_while_the_queue_is_full() -> None:
    """Behind a blocking command four lines are queued, more stay in the ring."""
    board = Board(profile=Profile(rx_bytes=128))
    board.send("G4 S10", "M17", "M17", "M17")
    assert board.firmware.room() == 128
    board.send("M17", "M18")
    assert board.firmware.room() == 120
    assert board.wait(11).count("ok") == 6
    assert board.firmware.room() == 128
