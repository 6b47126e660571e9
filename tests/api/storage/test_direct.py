"""Files that go to the object store, and to agents, without the API in between."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from api.clock import Clock
from api.config import Settings
from api.errors import Conflict, Invalid, NotFound
from api.events.service import Ledger
from api.files.direct import OFFER_S, Announced, DirectUploads
from api.files.models import Blob
from api.files.service import Files
from api.principal import Principal
from api.storage import LocalStorage
from api.storage.s3 import S3Storage
from tests.api.storage.conftest import keys

GCODE = b"G28\nM104 S200\nG1 X10 F600\nG1 X20\nM84\n"
ANNOUNCED = Announced(len(GCODE), hashlib.sha256(GCODE).hexdigest())


@pytest.fixture
def files(storage: S3Storage, ledger: Ledger, clock: Clock, settings: Settings) -> Files:
    return Files(storage, ledger, clock, settings)


@pytest.fixture
def direct(storage: S3Storage, files: Files, settings: Settings) -> DirectUploads:
    return DirectUploads(storage, files, settings)


async def send(direct: DirectUploads, by: Principal, content: bytes = GCODE) -> None:
    offer = await direct.offer(by, ANNOUNCED)
    async with httpx.AsyncClient() as http:
        sent = await http.request(offer.method, offer.url, headers=offer.headers, content=content)
    sent.raise_for_status()


async def test_a_direct_upload_becomes_a_file_once(
    direct: DirectUploads, files: Files, admin: Principal, store: Any
) -> None:
    """Verified, analysed, kept by content; completing it again is the same file."""
    await send(direct, admin)
    blob = await direct.complete(admin, ANNOUNCED, "part.gcode")
    assert (blob.sha256, blob.size_bytes) == (ANNOUNCED.sha256, len(GCODE))
    assert blob.facts["looks_like_gcode"]
    assert keys(store) == [f"farm/{blob.storage_key}"]
    assert (await direct.complete(admin, ANNOUNCED, "part.gcode")).id == blob.id
    link = await files.link(blob)
    assert link is not None
    assert httpx.get(link).content == GCODE


@pytest.mark.parametrize("lies", [b"G28\n", GCODE.replace(b"200", b"300"), GCODE + b"G1\n"])
async def test_other_bytes_than_announced_become_no_file(
    direct: DirectUploads, storage: S3Storage, admin: Principal, store: Any, lies: bytes
) -> None:
    """Truncated, changed or longer: refused and removed (safety R28)."""
    await storage.call("put_object", ANNOUNCED.key(admin), Body=lies)
    with pytest.raises(Invalid, match="announced"):
        await direct.complete(admin, ANNOUNCED, "part.gcode")
    assert not await storage.exists(ANNOUNCED.key(admin))
    assert await Blob.filter(sha256=ANNOUNCED.sha256).count() == 0


async def test_nothing_sent_is_nothing_found(direct: DirectUploads, admin: Principal) -> None:
    """Another organization's upload is not there, either."""
    with pytest.raises(NotFound, match="send them first"):
        await direct.complete(admin, ANNOUNCED, "part.gcode")


async def test_an_upload_whose_link_expired_is_asked_for_anew(
    direct: DirectUploads, files: Files, admin: Principal, store: Any
) -> None:
    """The store took nothing by the old one: what to do is said, and a new link works."""
    expired = await direct.offer(admin, ANNOUNCED)
    assert f"X-Amz-Expires={OFFER_S}" in expired.url
    with pytest.raises(NotFound, match="ask for an upload"):
        await direct.complete(admin, ANNOUNCED, "part.gcode")
    assert keys(store) == []
    await send(direct, admin)
    assert (await direct.complete(admin, ANNOUNCED, "part.gcode")).sha256 == ANNOUNCED.sha256


async def test_too_much_is_refused_before_it_is_sent(
    direct: DirectUploads, admin: Principal, settings: Settings
) -> None:
    """The limit is told before hundreds of megabytes are."""
    with pytest.raises(Invalid, match="GANTRY_MAX_UPLOAD_BYTES"):
        await direct.offer(admin, Announced(settings.max_upload_bytes + 1, "00" * 32))


async def test_a_folder_takes_no_direct_uploads(
    files: Files, admin: Principal, settings: Settings
) -> None:
    """The answer says where files go instead."""
    local = DirectUploads(LocalStorage(settings.blobs_dir), files, settings)
    with pytest.raises(Conflict, match="print-files/upload"):
        await local.offer(admin, ANNOUNCED)


async def test_bytes_that_somebody_changed_are_not_reused(
    files: Files, storage: S3Storage, admin: Principal
) -> None:
    """Bytes that are gone from the store come again with the next upload (safety R28)."""

    async def content() -> AsyncIterator[bytes]:
        yield GCODE

    first = await files.ingest(admin, content(), "a.gcode")
    await storage.delete(first.storage_key)
    second = await files.ingest(admin, content(), "a.gcode")
    assert second.id == first.id
    assert await storage.exists(second.storage_key)
