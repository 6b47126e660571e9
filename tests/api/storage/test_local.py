"""The folder storage: whole files or none, found by content, read in parts."""

import asyncio
import errno
import hashlib
import os
import resource
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from api.config import SettingError, Settings
from api.errors import Unavailable
from api.storage import LocalStorage, open_storage
from api.storage.local import ABANDONED_S, BATCH_BYTES
from api.storage.local_file import DurableFile

CONTENT = os.urandom(BATCH_BYTES + 12345)


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "files")


@pytest.fixture
def small_disk() -> Iterator[None]:
    """Files of this process end at 1.5 MB, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, ignored)


async def store(storage: LocalStorage, content: bytes, step: int = 60_000) -> str:
    async with storage.draft() as draft:
        for at in range(0, len(content), step):
            await draft.write(content[at : at + step])
        written = await draft.finish()
        assert written.size_bytes == len(content)
        assert written.sha256 == hashlib.sha256(content).hexdigest()
        return await draft.keep("1")


async def read(storage: LocalStorage, key: str, start: int = 0, length: int | None = None) -> bytes:
    return b"".join([chunk async for chunk in storage.read(key, start, length)])


def leftovers(storage_root: Path) -> list[Path]:
    return [path for path in storage_root.rglob("drafts/*")]


async def test_what_was_kept_is_read_back_whole_and_in_parts(
    storage: LocalStorage, tmp_path: Path
) -> None:
    """Digests are made on the way; ranges start and end where they are asked to."""
    key = await store(storage, CONTENT)
    assert (
        key == f"1/{hashlib.sha256(CONTENT).hexdigest()[:2]}/{hashlib.sha256(CONTENT).hexdigest()}"
    )
    assert await storage.exists(key)
    assert await read(storage, key) == CONTENT
    assert await read(storage, key, 1_000_000, 5) == CONTENT[1_000_000:1_000_005]
    assert await read(storage, key, len(CONTENT)) == b""
    assert leftovers(tmp_path) == []


async def test_empty_file_is_a_file(storage: LocalStorage) -> None:
    """Nothing at all has a digest too."""
    key = await store(storage, b"")
    assert await read(storage, key) == b""


async def test_same_content_twice_is_stored_once(storage: LocalStorage, tmp_path: Path) -> None:
    """Also when both arrive at the same time."""
    keys = await asyncio.gather(*(store(storage, CONTENT) for _ in range(4)))
    assert len(set(keys)) == 1
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 1


async def test_draft_that_is_not_kept_leaves_nothing(storage: LocalStorage, tmp_path: Path) -> None:
    """An upload that ends half way leaves no file behind (safety S46)."""

    async def abandoned() -> None:
        async with storage.draft() as draft:
            await draft.write(CONTENT)
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await abandoned()
    assert leftovers(tmp_path) == []


async def test_full_disk_is_said_and_leaves_nothing(
    storage: LocalStorage, tmp_path: Path, small_disk: None
) -> None:
    """The slicer's user learns that the storage is full, and what helps; the draft is gone."""
    with pytest.raises(Unavailable) as caught:
        await store(storage, CONTENT * 2)
    assert caught.value.code == "storage_unavailable"
    assert "full. Delete files" in caught.value.detail
    assert leftovers(tmp_path) == []


async def test_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    """A file where the folder should be is an answer, not a crash."""
    (tmp_path / "files").write_bytes(b"")
    with pytest.raises(Unavailable):
        await store(LocalStorage(tmp_path / "files"), b"G28\n")


async def test_missing_blob_is_unavailable(storage: LocalStorage) -> None:
    """A row whose file is lost says so when it is read; deleting it again is fine."""
    key = await store(storage, b"G28\n")
    await storage.delete(key)
    await storage.delete(key)
    assert not await storage.exists(key)
    with pytest.raises(Unavailable):
        await read(storage, key)


@pytest.mark.parametrize("key", ["../secret", "/etc/passwd", "1/../../x", "", "1//2", "1/A.gcode"])
async def test_odd_keys_are_no_keys(storage: LocalStorage, key: str) -> None:
    """Keys are ours; anything that could leave the folder is a programming error (safety S33)."""
    with pytest.raises(ValueError, match="no storage key"):
        await storage.exists(key)


async def test_drafts_of_a_dead_process_are_swept(storage: LocalStorage, tmp_path: Path) -> None:
    """Old drafts go, young ones belong to somebody."""
    await store(storage, b"G28\n")
    old, young = (tmp_path / "files" / "drafts" / name for name in ("aa", "bb"))
    for path in (old, young):
        path.write_bytes(b"half")
    long_ago = time.time() - ABANDONED_S - 60
    os.utime(old, (long_ago, long_ago))
    await store(storage, b"G29\n")
    assert leftovers(tmp_path) == [young]


def test_storage_url_names_a_folder(settings: Settings, tmp_path: Path) -> None:
    """Empty is the data directory; file:// is any folder; others are refused by name."""
    assert open_storage(settings).local_path("1/ab") == settings.blobs_dir / "1/ab"
    other = replace(settings, storage_url=f"file://{tmp_path}/my%20files")
    assert open_storage(other).local_path("1/ab") == tmp_path / "my files" / "1/ab"
    for url in ("ftp://bucket", "file://", "file://host/path", "nonsense"):
        with pytest.raises(SettingError, match="GANTRY_STORAGE_URL"):
            open_storage(replace(settings, storage_url=url))


async def test_what_cannot_be_flushed_is_not_kept(
    storage: LocalStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fails at the very end: `keep` says so, no name is given, nothing is left."""

    def fail(self: DurableFile) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(DurableFile, "sync", fail)
    with pytest.raises(Unavailable, match="Input/output error"):
        await store(storage, b"G28\n")
    async with storage.draft() as draft:  # one that nobody wants to keep is nobody's trouble
        await draft.write(b"G28\n")
        await draft.finish()
    assert not [path for path in (tmp_path / "files").rglob("*") if path.is_file()]


async def test_a_folder_that_went_away_is_made_again(storage: LocalStorage, tmp_path: Path) -> None:
    """Somebody tidied up: the next file makes its folders, and has them on the disk, again."""
    key = await store(storage, b"G28\n")
    shutil.rmtree(tmp_path / "files" / "1")
    assert await store(storage, b"G28\n") == key
    assert await storage.exists(key)
