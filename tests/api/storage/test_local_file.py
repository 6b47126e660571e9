"""A file that is written once: whole blocks past the page cache, and the same bytes without it."""

import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.storage import local_file
from api.storage.local_file import BLOCK_BYTES, DurableFile, buffer

BATCH_BYTES = 16 * BLOCK_BYTES


@pytest.fixture
def file(tmp_path: Path) -> Iterator[DurableFile]:
    """A new file."""
    made = DurableFile(tmp_path / "new")
    yield made
    made.close()


def write(file: DurableFile, data: bytes) -> None:
    """Write *data* as a draft does: from the beginning of one buffer, batch by batch."""
    memory = buffer(BATCH_BYTES)
    for start in range(0, len(data), BATCH_BYTES):
        batch = data[start : start + BATCH_BYTES]
        memory[: len(batch)] = batch
        file.write(memory[: len(batch)])
    file.sync()


@pytest.mark.parametrize(
    "size_bytes",
    [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BATCH_BYTES, 3 * BATCH_BYTES, 3 * BATCH_BYTES + 777],
)
def test_what_is_written_is_in_the_file(file: DurableFile, size_bytes: int) -> None:
    """Whole blocks and a rest that is none end up in the file as they came."""
    data = os.urandom(size_bytes)
    write(file, data)
    assert file.path.read_bytes() == data


def test_file_system_without_direct_writes_gets_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is no such flag, everything goes the usual way."""
    monkeypatch.setattr(local_file, "_DIRECT", 0)
    file = DurableFile(tmp_path / "plain")
    data = os.urandom(2 * BATCH_BYTES + 5)
    write(file, data)
    file.settle()
    file.close()
    assert not file.is_direct
    assert file.path.read_bytes() == data


def test_file_system_that_refuses_a_direct_write_gets_the_same(
    file: DurableFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that takes the flag and then wants larger blocks is written the usual way."""
    whole = os.write

    def picky(handle: int, data: memoryview) -> int:
        if fcntl.fcntl(handle, fcntl.F_GETFL) & os.O_DIRECT:
            raise OSError(errno.EINVAL, "Invalid argument")
        return whole(handle, data)

    monkeypatch.setattr(os, "write", picky)
    data = os.urandom(BATCH_BYTES)
    write(file, data)
    assert not file.is_direct
    assert file.path.read_bytes() == data


def test_full_disk_is_told(file: DurableFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that is not about the way of writing is the caller's."""

    def full(handle: int, data: memoryview) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match="No space"):
        write(file, b"G1 X1\n")


def test_file_is_new_and_closes_twice(file: DurableFile) -> None:
    """A name that is taken is no new file; closing again does nothing."""
    with pytest.raises(FileExistsError):
        DurableFile(file.path)
    file.close()
    file.close()
    assert file.path.exists()
