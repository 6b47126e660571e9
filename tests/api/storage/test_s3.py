"""Files in an object store, over real HTTP to moto's server."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError, NoCredentialsError

from api.config import SettingError, Settings
from api.errors import NotFound, Unavailable
from api.storage import open_storage
from api.storage.s3 import PART_BYTES, S3Storage
from api.storage.s3_errors import StoreTrouble
from api.storage.s3_place import Place, place_of
from tests.api.storage.conftest import BUCKET, keys

FOLDER = "1"


def uploads(store: Any) -> list[Any]:
    return list(store.list_multipart_uploads(Bucket=BUCKET).get("Uploads", ()))


async def put(storage: S3Storage, content: bytes, step: int = 1_000_000) -> str:
    async with storage.draft() as draft:
        for start in range(0, len(content), step):
            await draft.write(content[start : start + step])
        written = await draft.finish()
        assert written.sha256 == hashlib.sha256(content).hexdigest()
        assert written.size_bytes == len(content)
        return await draft.keep(FOLDER)


async def whole(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


@pytest.mark.parametrize("size", [0, 5, PART_BYTES, PART_BYTES * 2 + 77])
async def test_bytes_come_back_and_nothing_else_lies_there(
    storage: S3Storage, store: Any, size: int
) -> None:
    """Small ones and those in parts: hashed on the way, found by content, no draft left."""
    content = hashlib.sha256(b"seed").digest() * (size // 32 + 1)
    content = content[:size]
    key = await put(storage, content)
    assert await storage.exists(key)
    assert await whole(storage.read(key)) == content
    assert keys(store) == [f"farm/{key}"]
    assert uploads(store) == []
    await storage.delete(key)
    assert not await storage.exists(key)
    await storage.delete(key)


async def test_parts_of_a_file_are_read(storage: S3Storage) -> None:
    """From where a transfer broke off, and as much as was asked for (safety R27)."""
    key = await put(storage, b"0123456789")
    assert await whole(storage.read(key, 4)) == b"456789"
    assert await whole(storage.read(key, 4, 3)) == b"456"
    assert await whole(storage.read(key, 4, 0)) == b""
    assert await whole(storage.read(key, 10)) == b""


async def test_what_watches_sees_every_byte_in_order(storage: S3Storage) -> None:
    """The analysis of the file happens while it comes."""
    seen = hashlib.sha256()
    content = b"G1 X1\n" * (PART_BYTES // 3)
    async with storage.draft(seen.update) as draft:
        for start in range(0, len(content), 700_000):
            await draft.write(content[start : start + 700_000])
        assert (await draft.finish()).sha256 == seen.hexdigest()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
async def test_an_upload_that_breaks_off_leaves_nothing(
    storage: S3Storage, store: Any, share: float
) -> None:
    """No half file, no part that costs money (safety R29)."""
    content = bytes(int(PART_BYTES * 2.5 * share))
    with pytest.raises(ConnectionResetError):
        async with storage.draft() as draft:
            await draft.write(content)
            raise ConnectionResetError
    assert keys(store) == []
    assert uploads(store) == []


async def test_what_a_dead_process_left_is_swept(storage: S3Storage, store: Any) -> None:
    """After an hour; what is just coming is left alone (safety R29)."""
    store.put_object(Bucket=BUCKET, Key="farm/drafts/old", Body=b"x")
    store.put_object(Bucket=BUCKET, Key="farm/uploads/1/old", Body=b"x")
    key = await put(storage, b"kept")
    now = datetime.now(UTC)
    assert await storage.sweep(now) == 0
    store.create_multipart_upload(Bucket=BUCKET, Key="farm/drafts/dead")
    assert await storage.sweep(now + timedelta(hours=2)) == 3
    assert keys(store) == [f"farm/{key}"]
    assert uploads(store) == []


async def test_a_store_that_fails_midway_refuses_the_upload(storage: S3Storage, store: Any) -> None:
    """It is 503, never a file that is not there (safety R26)."""
    with pytest.raises(Unavailable):
        async with storage.draft() as draft:
            await draft.write(bytes(PART_BYTES + 1))
            for each in keys(store):
                store.delete_object(Bucket=BUCKET, Key=each)
            await asyncio.sleep(0.2)
            for each in uploads(store):
                store.abort_multipart_upload(
                    Bucket=BUCKET, Key=each["Key"], UploadId=each["UploadId"]
                )
            store.delete_bucket(Bucket=BUCKET)
            await draft.finish()


async def test_missing_bytes_are_said_so(storage: S3Storage) -> None:
    """A file whose bytes somebody has removed is not an empty file (safety R28)."""
    with pytest.raises(Unavailable):
        await whole(storage.read("1/ab/abcdef"))


async def test_a_link_gives_an_attachment_and_takes_ranges(storage: S3Storage) -> None:
    """For agents: whoever has it, for a quarter of an hour (safety S65)."""
    key = await put(storage, b"0123456789")
    url = await storage.link(key, 900)
    assert url is not None and "X-Amz-Expires=900" in url
    async with httpx.AsyncClient() as http:
        answer = await http.get(url, headers={"Range": "bytes=3-"})
    assert (answer.status_code, answer.content) == (206, b"3456789")
    assert answer.headers["content-disposition"] == "attachment"
    assert answer.headers["content-type"] == "application/octet-stream"


async def test_an_offer_is_for_these_bytes(storage: S3Storage) -> None:
    """Length and checksum are part of what is signed (safety S65)."""
    content = b"G28\n"
    offer = await storage.offer("uploads/1/ab", 4, hashlib.sha256(content).hexdigest(), 900)
    assert offer is not None and offer.method == "PUT"
    signed = httpx.URL(offer.url).params["X-Amz-SignedHeaders"].split(";")
    assert {"content-length", "host", "x-amz-checksum-sha256"} <= set(signed)
    async with httpx.AsyncClient() as http:
        answer = await http.request(offer.method, offer.url, headers=offer.headers, content=content)
    assert answer.status_code == 200
    assert await whole(storage.read("uploads/1/ab")) == content


async def test_trouble_names_the_setting_and_what_to_do(
    storage: S3Storage, store: Any, endpoint: str
) -> None:
    """A bucket that is not there, and a store that does not answer."""
    await storage.check()
    missing = S3Storage(Place("no-such-bucket", "", "us-east-1", endpoint))
    with pytest.raises(StoreTrouble, match=r"no bucket no-such-bucket.*GANTRY_STORAGE_URL"):
        await missing.check()
    silent = S3Storage(Place(BUCKET, "", "us-east-1", "http://127.0.0.1:1"))
    with pytest.raises(StoreTrouble, match=r"GANTRY_STORAGE_URL.*127\.0\.0\.1:1"):
        await silent.check()
    with pytest.raises(Unavailable, match="cannot be used at the moment") as raised:
        await silent.exists("1/ab")
    assert "127.0.0.1" not in raised.value.detail


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("AccessDenied", "s3:PutObject"),
        ("PermanentRedirect", r"\?region=eu-west-1"),
        ("AuthorizationHeaderMalformed", r"\?region=eu-west-1"),
        ("InvalidAccessKeyId", "AWS_ACCESS_KEY_ID"),
        ("SlowDown", "SlowDown"),
    ],
)
def test_what_the_store_refuses_is_explained(code: str, words: str) -> None:
    """Rights, region, credentials: what to set, without a secret."""
    answer: Any = {"Error": {"Code": code, "Message": "no", "Region": "eu-west-1"}}
    trouble = StoreTrouble(Place("b-1", "x/"), ClientError(answer, "ListObjectsV2"))
    with pytest.raises(StoreTrouble, match=words):
        raise trouble


def test_credentials_that_are_not_there_are_named() -> None:
    """What to set, where boto3 says only that it found none."""
    with pytest.raises(StoreTrouble, match=r"GANTRY_STORAGE_URL.*AWS_SECRET_ACCESS_KEY, or"):
        raise StoreTrouble(Place("b-1", "x/"), NoCredentialsError())


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3://UPPER",
        "s3://key:secret@bucket/x",
        "s3://bucket?colour=red",
        "s3://bucket?endpoint=ftp://x",
        "s3://bucket?direct=maybe",
    ],
)
def test_a_wrong_url_is_refused(url: str) -> None:
    """With the setting's name and what it takes; a secret in it is not repeated."""
    with pytest.raises(SettingError, match="GANTRY_STORAGE_URL") as raised:
        open_storage(Settings(storage_url=url))
    assert "secret" not in str(raised.value)


def test_a_place_is_a_bucket_and_a_prefix() -> None:
    """Slashes around the prefix do not matter; keys cannot leave it."""
    assert place_of("s3://bucket/a/b/") == Place("bucket", "a/b/")
    assert place_of("s3://bucket").is_direct
    assert not place_of("s3://bucket?endpoint=http://minio:9000").is_direct
    assert place_of("s3://bucket") == Place("bucket", "")
    assert place_of("s3://bucket/a").key("1/ab") == "a/1/ab"
    for key in ("../x", "/x", "1/../2", "1/A"):
        with pytest.raises(ValueError, match="storage key"):
            place_of("s3://bucket/a").key(key)


async def test_nothing_there_is_found_by_nobody(storage: S3Storage) -> None:
    """A look for what is not there is an answer, not a trouble."""
    assert not await storage.exists("1/ab/abcdef")
    with pytest.raises(NotFound):
        await storage.call("head_object", "1/ab/abcdef")


async def test_a_store_that_rooms_cannot_reach_is_not_shown_to_them(endpoint: str) -> None:
    """Its bytes go through the API then."""
    storage = S3Storage(place_of(f"s3://{BUCKET}?endpoint={endpoint}"))
    assert await storage.link("1/ab", 900) is None
    assert await storage.offer("1/ab", 1, "00" * 32, 900) is None


async def test_what_was_kept_is_listed_by_age(storage: S3Storage, store: Any) -> None:
    """For the search for bytes without a row; drafts and uploads have their own sweep."""
    key = await put(storage, b"G28\n")
    store.put_object(Bucket=BUCKET, Key="farm/drafts/x", Body=b"x")
    store.put_object(Bucket=BUCKET, Key="elsewhere", Body=b"x")
    now = datetime.now(UTC)
    assert [each async for each in storage.keys(now + timedelta(minutes=1))] == [key]
    assert [each async for each in storage.keys(now - timedelta(hours=1))] == []
