"""What a host writes to the simulated card, as Marlin takes it (serial 6; Marlin `queue.cpp`)."""

import pytest

from bridge.simulator.profile import Profile
from tests.fakes.board import Board


@pytest.fixture
def board() -> Board:
    """A board with a card in its slot."""
    return Board(profile=Profile(card={"OLD.GCO": 12}))


def written(board: Board, name: str = "NEW.GCO") -> bytes:
    """What is in the file *name*."""
    return bytes(board.firmware.storage.written[name])


def test_what_is_sent_between_m28_and_m29_is_in_the_file(board: Board) -> None:
    """Text without number and checksum; nothing of it is executed."""
    assert board.send_numbered("M28 NEW.GCO") == [
        "echo:Now fresh file: NEW.GCO",
        "Writing to file: NEW.GCO",
        "ok",
    ]
    board.executed()
    assert board.send_numbered("G28", "M104 S200", "M105") == ["ok", "ok", "ok"]
    assert board.send_numbered("M29") == ["Done saving file.", "ok"]
    assert written(board) == b"G28\r\nM104 S200\r\nM105\r\n"
    assert board.executed() == ["\t>G28", "\t>M104 S200", "\t>M105", "M29"]
    assert board.send_numbered("M20")[1:3] == ["OLD.GCO 12", "NEW.GCO 22"]


def test_a_line_without_number_is_refused_while_it_saves(board: Board) -> None:
    """Marlin asks for the line behind the last good one; a bare M29 it takes."""
    board.send_numbered("M28 NEW.GCO", "G1 X1")
    assert board.send("M105") == [
        "Error:No Checksum with line number, Last Line: 2",
        "Resend: 3",
        "ok",
    ]
    assert board.send("M112")[0].startswith("Error:No Checksum"), "no emergency parser while saving"
    assert board.send("M29") == ["Done saving file.", "ok"]
    assert written(board) == b"G1 X1\r\n"
    assert board.send("M29") == ["ok"], "harmless when nothing is saved"


def test_a_damaged_line_is_asked_for_again(board: Board) -> None:
    """Numbers and checksums are looked at as in a print."""
    board.send_numbered("M28 NEW.GCO")
    assert board.feed(b"N2 G1 X1*98\n")[1] == "Resend: 2"
    board.send_numbered("G1 X1", "M29")
    assert written(board) == b"G1 X1\r\n"


@pytest.mark.parametrize("name", ["much_too_long.gcode", "a/b.gco", ""])
def test_a_name_that_is_none_cannot_be_opened(board: Board, name: str) -> None:
    """Eight and three characters."""
    assert f"open failed, File: {name}." in board.send_numbered(f"M28 {name}")
    assert board.send_numbered("M105")[0].startswith("ok T:")


def test_without_a_card_nothing_is_said() -> None:
    """Marlin returns from M28 without a word when no card is mounted."""
    board = Board()
    assert board.send_numbered("M28 NEW.GCO") == ["ok"]
    assert board.send_numbered("M105")[0].startswith("ok T:")


def test_a_full_card_is_told_line_by_line() -> None:
    """Each line that does not fit has its error and its ok."""
    board = Board(profile=Profile(card={"OLD.GCO": 1}, card_room=10))
    board.send_numbered("M28 NEW.GCO")
    assert board.send_numbered("G1 X1") == ["ok"]
    assert board.send_numbered("G1 X2") == ["Error:error writing to file", "ok"]
    board.send_numbered("M29")
    assert written(board) == b"G1 X1\r\n"


def test_a_reset_ends_the_saving_and_keeps_the_file(board: Board) -> None:
    """The card is no memory of the board's."""
    board.send_numbered("M28 NEW.GCO", "G1 X1")
    board.firmware.power_on(board.now)
    board.wait(1.0)
    assert board.send("M105")[0].startswith("ok T:")
    assert written(board) == b"G1 X1\r\n"


def test_a_file_that_was_written_can_be_deleted(board: Board) -> None:
    """M30."""
    board.send_numbered("M28 NEW.GCO", "G1 X1", "M29")
    assert board.send_numbered("M30 NEW.GCO") == ["File deleted:NEW.GCO", "ok"]
    assert board.send_numbered("M20")[1:-2] == ["OLD.GCO 12"]


def test_behind_m524_the_queue_is_emptied_unheard(board: Board) -> None:
    """Marlin's `abortSDPrinting`: what was taken behind it is neither run nor answered."""
    board.send_numbered("M104 S200", "M23 OLD.GCO", "M24")
    board.executed()
    assert board.send_numbered("M524", "G91", "M105") == ["ok"]
    assert board.executed() == ["M524"]
    said = board.send_numbered("M105")
    assert said[0].startswith("ok T:"), "the numbers go on"
    assert " /0.00 B:" in said[0], "and it has let its heaters cool"
    assert board.send_numbered("M524", "M17") == ["ok", "ok"], "nothing is printed: only closed"
