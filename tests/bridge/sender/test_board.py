"""A board that answers where another one was is a stranger until a person says otherwise."""

from pathlib import Path

import pytest

from bridge.sender.board import KnownBoard


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where it is kept; the directory is not there yet."""
    return tmp_path / "boards" / "printer-7.json"


def test_the_first_board_is_the_printers_own_and_stays_it(path: Path) -> None:
    """safety M18: also for the next life of the sender."""
    assert KnownBoard(path).stranger("path:x", "A", asked=False) is None
    assert KnownBoard(path).stranger("path:x", "A", asked=False) is None
    told = KnownBoard(path).stranger("path:x", "B", asked=False)
    assert told is not None
    assert "UUID B, and it was A" in told


def test_a_person_takes_a_stranger_only_once_it_was_told_of(path: Path) -> None:
    """A connect that nobody meant that way takes nobody."""
    board = KnownBoard(path)
    assert board.stranger("path:x", "A", asked=True) is None
    assert board.stranger("path:x", "B", asked=True) is not None
    assert board.stranger("path:x", "C", asked=True) is not None
    assert board.stranger("path:x", "C", asked=False) is not None
    assert board.stranger("path:x", "C", asked=True) is None
    assert board.stranger("path:x", "C", asked=False) is None


def test_a_printer_moved_to_another_port_and_one_without_uuid_are_no_strangers(path: Path) -> None:
    """Who configures another port means another board; a firmware need not say who it is."""
    board = KnownBoard(path)
    assert board.stranger("path:x", None, asked=False) is None
    assert board.stranger("path:x", "A", asked=False) is None
    assert board.stranger("path:x", None, asked=False) is None
    assert board.stranger("path:y", "B", asked=False) is None


@pytest.mark.parametrize("content", ["", "[]", "{}", "null", "\u00e4", '{"port": 1}'])
def test_a_damaged_record_is_no_record(path: Path, content: str) -> None:
    """It is written anew."""
    path.parent.mkdir()
    path.write_text(content, "utf-8")
    assert KnownBoard(path).stranger("path:x", "A", asked=False) is None
    assert KnownBoard(path).stranger("path:x", "B", asked=False) is not None
