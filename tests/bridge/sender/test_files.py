"""Job files, black boxes and the memory between two lives."""

import hashlib
import os
import resource
from pathlib import Path

import pytest

from bridge.control.messages import Event, StateChanged
from bridge.errors import GateRefusal, JobFileError
from bridge.gcode.prepare import Run
from bridge.sender import memory
from bridge.sender.jobfile import CHECK_BYTES, JobFile
from bridge.sender.memory import Memory, Running
from schemas.printer import PrinterState, Profile

PROFILE = Profile(max_nozzle_c=275)


def write(path: Path, data: bytes) -> str:
    """A file; its path as text."""
    path.write_bytes(data)
    return str(path)


def lines_of(file: JobFile) -> list[bytes]:
    """Everything that is left to print."""
    texts = []
    while (batch := file.next_lines()) is not None:
        texts += [text for run in batch if isinstance(run, Run) for text in run.texts]
    return texts


def test_a_file_is_checked_whole_and_then_read(tmp_path: Path) -> None:
    """safety M17: hash and gate before the first byte."""
    data = b"G1 X1\n" * (CHECK_BYTES // 3)
    path = write(tmp_path / "a", data)
    file = JobFile(path, hashlib.sha256(data).hexdigest(), PROFILE)
    checks = 1
    while not file.check():
        checks += 1
    assert (checks, file.checked) == (2, True)
    assert len(lines_of(file)) == CHECK_BYTES // 3
    file.close()


def test_another_file_than_promised_is_refused(tmp_path: Path) -> None:
    """safety M17: nothing is heated for it."""
    file = JobFile(write(tmp_path / "a", b"G28\n"), "0" * 64, PROFILE)
    with pytest.raises(JobFileError, match="sha256"):
        file.check()
    file.close()


def test_a_line_above_the_limit_is_found_before_the_first_byte(tmp_path: Path) -> None:
    """safety M19: the number of the line is told."""
    file = JobFile(write(tmp_path / "a", b"G28\nM104 S400\n"), None, PROFILE)
    with pytest.raises(GateRefusal, match="line 2: M104 asks for 400"):
        file.check()
    file.close()


@pytest.mark.parametrize("problem", ["missing", "directory", "empty"])
def test_what_is_no_file_to_print_is_refused(tmp_path: Path, problem: str) -> None:
    """Each with its reason and its path."""
    path = {"missing": tmp_path / "no", "directory": tmp_path, "empty": tmp_path / "e"}[problem]
    if problem == "empty":
        path.touch()
    with pytest.raises(JobFileError, match=str(path)):
        JobFile(str(path), None, PROFILE)


def test_a_deleted_file_prints_on_and_a_shortened_one_stops(tmp_path: Path) -> None:
    """serial 12/#63: the descriptor is kept; what is missing is an error, not an end."""
    path = tmp_path / "a"
    file = JobFile(write(path, b"G1 X1\n" * 9000), None, PROFILE)
    assert file.check()
    path.unlink()
    assert len(lines_of(file)) == 9000
    file.close()
    file = JobFile(write(path, b"G1 X1\n" * 9000), None, PROFILE)
    assert file.check()
    path.write_bytes(b"G1 X1\n")
    with pytest.raises(JobFileError, match="written to"):
        lines_of(file)
    file.close()


def test_a_file_that_is_written_to_is_not_printed_on(tmp_path: Path) -> None:
    """Bytes that nobody has checked never reach the printer; the message names the line."""
    path = tmp_path / "a"
    file = JobFile(write(path, b"G1 X1\n" * 9000), None, PROFILE)
    assert file.check()
    assert file.next_lines()
    with path.open("r+b") as changed:
        changed.seek(-6, os.SEEK_END)
        changed.write(b"M112\n\n")
    os.utime(path, ns=(1, 1))
    with pytest.raises(JobFileError, match=r"behind line 2730 "):
        lines_of(file)
    file.close()


def test_the_memory_survives_and_damage_is_an_empty_one(tmp_path: Path) -> None:
    """What one life leaves the next one reads."""
    path = tmp_path / "7.state"
    moved = StateChanged(state=PrinterState.OFFLINE, previous=PrinterState.ERROR)
    kept = Memory(
        halted="stopped",
        running=Running("G", 3),
        events=[Event(boot="a", seq=1, at_ms=5, body=moved)],
    )
    assert memory.load(path) == Memory(clean=True)
    memory.save(path, kept)
    assert memory.load(path) == kept
    path.write_bytes(path.read_bytes()[:-3])
    assert memory.load(path) == Memory()


def test_a_disk_that_takes_a_part_of_the_memory_leaves_the_old_one(tmp_path: Path) -> None:
    """A write near the end of a disk is short and no error: half a memory forgets the latch."""
    path = tmp_path / "7.state"
    halted = Memory(halted="stopped")
    memory.save(path, halted)
    moved = StateChanged(state=PrinterState.OFFLINE, previous=PrinterState.ERROR)
    events = [Event(boot="a", seq=number, at_ms=5, body=moved) for number in range(100)]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            memory.save(path, Memory(halted="stopped", events=events))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert memory.load(path) == halted
