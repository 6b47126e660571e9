"""Bytes without a row go after a day; bytes of another farm never do (safety R29)."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.clock import SystemClock
from api.files import orphans
from api.files.models import Blob
from api.files.orphans import Orphans, brooms
from api.storage import LocalStorage
from api.storage.sweeping import sweep

DAY_S = 24 * 3600


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "files"


async def _bytes(root: Path, content: bytes, *, age_s: float, row: bool) -> str:
    storage = LocalStorage(root)
    async with storage.draft() as draft:
        await draft.write(content)
        written = await draft.finish()
        key = await draft.keep("1")
    moment = time.time() - age_s
    os.utime(root / key, (moment, moment))
    if row:
        await Blob.create(
            organization_id=1,
            sha256=written.sha256,
            size_bytes=written.size_bytes,
            storage_key=key,
            created_at=datetime.now(UTC),
        )
    return key


async def _left(storage: LocalStorage) -> set[str]:
    return {key async for key in storage.keys(datetime.max.replace(tzinfo=UTC))}


async def test_old_bytes_without_a_row_go(
    root: Path, database: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has a row stays, and so does what may still get one."""
    monkeypatch.setattr(orphans, "STEP", 2)
    kept = {
        await _bytes(root, b"file %d" % number, age_s=2 * DAY_S, row=True) for number in range(3)
    }
    for number in range(3):
        await _bytes(root, b"lost %d" % number, age_s=2 * DAY_S, row=False)
    young = await _bytes(root, b"on its way", age_s=DAY_S / 2, row=False)
    storage = LocalStorage(root)
    assert await Orphans(storage, SystemClock()).collect() == 3
    assert await _left(storage) == {*kept, young}
    assert await Orphans(storage, SystemClock()).collect() == 0


async def test_the_files_of_another_farm_stay(
    root: Path, database: None, caplog: pytest.LogCaptureFixture
) -> None:
    """A wrong database URL must cost no file: the log names both settings."""
    await _bytes(root, b"ours", age_s=2 * DAY_S, row=True)
    for number in range(2):
        await _bytes(root, b"theirs %d" % number, age_s=2 * DAY_S, row=False)
    assert await Orphans(LocalStorage(root), SystemClock()).collect() == 0
    assert len(await _left(LocalStorage(root))) == 3
    assert "GANTRY_DATABASE_URL" in caplog.text


async def test_an_empty_storage_is_swept_without_a_word(
    root: Path, database: None, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is made, nothing is said."""
    await sweep(brooms(LocalStorage(root), SystemClock()))
    assert not root.exists()
    assert caplog.records == []


async def test_what_cannot_be_swept_now_is_left_to_the_next_time(
    root: Path, database: None, caplog: pytest.LogCaptureFixture
) -> None:
    """One broom that fails does not stop the others."""
    swept: list[str] = []

    async def fails() -> int:
        raise OSError("away")

    async def works() -> int:
        swept.append("x")
        return 1

    await sweep({"first": fails, "second": works})
    assert swept == ["x"]
    assert "first: swept later: away" in caplog.text
