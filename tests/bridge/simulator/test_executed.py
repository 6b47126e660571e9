"""The log of executed commands."""

from pathlib import Path

from bridge.simulator.executed import Executed, ExecutedLog, read


def test_log_tells_numbered_from_unnumbered(tmp_path: Path) -> None:
    """What is written is read back, in order, by kind."""
    path = tmp_path / "executed.log"
    log = ExecutedLog(path)
    log.append([b"\t;PowerUp", b"\tM105", b"G1 X1", b"\tM105", b"\t>G1 X9", b"G1 X2"], 0.0)
    log.close()
    assert read(path) == Executed(["G1 X1", "G1 X2"], ["M105", "M105"], ["PowerUp"], ["G1 X9"])


def test_log_is_flushed_within_its_period(tmp_path: Path) -> None:
    """Nothing is written at once, all of it by the deadline."""
    path = tmp_path / "executed.log"
    log = ExecutedLog(path)
    log.append([b"G1 X1"], 10.0)
    assert path.read_bytes() == b""
    assert log.deadline == 10.2
    log.append([b"G1 X2"], 10.2)
    assert path.read_bytes() == b"G1 X1\nG1 X2\n"
    log.close()


def test_many_commands_are_flushed_at_once(tmp_path: Path) -> None:
    """A free-running printer does not fill the memory."""
    path = tmp_path / "executed.log"
    log = ExecutedLog(path)
    log.append([b"G1"] * 2000, 0.0)
    assert path.stat().st_size == 6000
    log.close()


def test_log_is_appended_to(tmp_path: Path) -> None:
    """A second simulator goes on in the same file."""
    path = tmp_path / "executed.log"
    for command in (b"G1 X1", b"G1 X2"):
        log = ExecutedLog(path)
        log.append([command], 0.0)
        log.close()
    assert read(path).numbered == ["G1 X1", "G1 X2"]


def test_half_written_line_is_left_out(tmp_path: Path) -> None:
    """Reading beside a running simulator gives whole commands only."""
    path = tmp_path / "executed.log"
    path.write_bytes(b"G1 X1\nG1 X")
    assert read(path).numbered == ["G1 X1"]
    path.write_bytes(b"")
    assert read(path) == Executed([], [], [])
