"""Files in an object store that speaks S3: `s3://bucket/prefix?region=…&endpoint=…&direct=yes`.

A file's bytes go up in parts while they come, under `drafts/`, and are copied to their content's
name only when all of them are there and hashed; a small one is put there at once. What a broken
upload leaves behind is swept within the hour. boto3 is imported with the first use; its calls run
in threads.
"""

import asyncio
import base64
import functools
import hashlib
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from api.errors import NotFound, Unavailable
from api.storage.protocol import Offer, Watch, Written
from api.storage.s3_errors import StoreTrouble, told
from api.storage.s3_place import Place

PART_BYTES = 8 * 1024 * 1024  # S3 takes no smaller ones, but for the last
READ_BYTES = 256 * 1024
CONNECT_S = 5
SILENCE_S = 20
TRIES = 3
DENIED_S = 15.0  # so long after a refusal for want of rights the store counts as out of use
ABANDONED = timedelta(hours=1)
_PASSING = ("drafts/", "uploads/")

_log = logging.getLogger("gantry.storage")

T = TypeVar("T")


class S3Storage:
    """The storage at *place*. Credentials are AWS's usual ones: environment, file or role."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._made: Any = None
        self._denied: StoreTrouble | None = None
        self._denied_until = 0.0

    @asynccontextmanager
    async def draft(self, watch: Watch | None = None) -> AsyncIterator["S3Draft"]:
        """A new draft; every trace of it is removed on the way out unless it was kept."""
        draft = S3Draft(self, watch)
        try:
            yield draft
        finally:
            await draft.discard()

    async def exists(self, key: str) -> bool:
        """Whether there are bytes under *key*."""
        try:
            await self.call("head_object", key)
        except NotFound:
            return False
        return True

    async def read(
        self, key: str, start: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        """The bytes under *key* from *start*, at most *length*. Raises `Unavailable`."""
        if length == 0:
            return
        last = "" if length is None else str(start + length - 1)
        try:
            answer = await self.call("get_object", key, Range=f"bytes={start}-{last}")
        except NotFound as missing:
            raise Unavailable("The file's bytes are gone.", code="storage_unavailable") from missing
        except PastTheEnd:
            return
        body = answer["Body"]
        try:
            while chunk := await self.guarded(lambda: body.read(READ_BYTES)):
                yield chunk
        finally:
            body.close()

    async def keys(self, before: datetime) -> AsyncIterator[str]:
        """The keys of what was kept and not touched since *before*, a thousand at a question."""
        place, more = self.place, {"StartAfter": ""}
        while more:
            where = {"Bucket": place.bucket, "Prefix": place.prefix, **more}
            page = await self.guarded(functools.partial(self._list, where))
            for each in page.get("Contents", ()):
                key = each["Key"].removeprefix(place.prefix)
                if each["LastModified"] < before and not key.startswith(_PASSING):
                    yield key
            following = page.get("NextContinuationToken")
            more = {"ContinuationToken": following} if following else {}

    async def delete(self, key: str) -> None:
        """Remove what is under *key*; nothing there is no error."""
        await self.call("delete_object", key)

    def local_path(self, key: str) -> Path | None:
        """They lie elsewhere."""
        return None

    async def link(self, key: str, life_s: int) -> str | None:
        """A URL that gives the bytes under *key* to anybody who has it, as an attachment."""
        if not self.place.is_direct:
            return None
        parameters = {
            "Bucket": self.place.bucket,
            "Key": self.place.key(key),
            "ResponseContentDisposition": "attachment",
            "ResponseContentType": "application/octet-stream",
        }
        return await self.guarded(
            lambda: str(
                self._client().generate_presigned_url("get_object", parameters, ExpiresIn=life_s)
            )
        )

    async def offer(self, key: str, size_bytes: int, sha256: str, life_s: int) -> Offer | None:
        """How a client puts exactly these bytes under *key* without us."""
        if not self.place.is_direct:
            return None
        checksum = base64.b64encode(bytes.fromhex(sha256)).decode()
        parameters = {
            "Bucket": self.place.bucket,
            "Key": self.place.key(key),
            "ContentLength": size_bytes,
            "ChecksumSHA256": checksum,
        }
        url = await self.guarded(
            lambda: str(
                self._client().generate_presigned_url("put_object", parameters, ExpiresIn=life_s)
            )
        )
        headers = {"Content-Length": str(size_bytes), "x-amz-checksum-sha256": checksum}
        return Offer(method="PUT", url=url, headers=headers)

    async def check(self) -> None:
        """Raises `StoreTrouble`: the bucket cannot be used; the text names the setting and why.

        Rights to look are asked for; that others are missing is known once somebody needed them.
        """
        if self._denied is not None and time.monotonic() < self._denied_until:
            raise self._denied
        try:
            await asyncio.to_thread(
                lambda: self._client().list_objects_v2(
                    Bucket=self.place.bucket, Prefix=self.place.prefix, MaxKeys=1
                )
            )
        except told() as error:
            raise StoreTrouble(self.place, error) from error

    async def sweep(self, now: datetime) -> int:
        """Remove what uploads left behind that broke off an hour ago; how many there were."""
        return await self.guarded(lambda: self._sweep(now - ABANDONED))

    async def call(self, method: str, key: str, **parameters: Any) -> Any:
        """boto3's *method* for *key*, in a thread. Raises `NotFound` or `Unavailable`."""
        parameters |= {"Bucket": self.place.bucket, "Key": self.place.key(key)}
        return await self.guarded(lambda: getattr(self._client(), method)(**parameters))

    async def guarded(self, work: Callable[[], T]) -> T:
        """*work* in a thread; what the store says, in our words."""
        try:
            return await asyncio.to_thread(work)
        except told() as error:
            trouble = StoreTrouble(self.place, error)
            if trouble.is_missing:
                raise NotFound("File not found", code="file_not_found") from error
            if trouble.is_past_the_end:
                raise PastTheEnd from error
            if trouble.is_denied:
                self._denied, self._denied_until = trouble, time.monotonic() + DENIED_S
            _log.error("%s", trouble)
            raise Unavailable(
                "The file storage cannot be used at the moment; ask again soon.",
                code="storage_unavailable",
            ) from error

    def _client(self) -> Any:
        if self._made is None:
            import boto3
            from botocore.config import Config

            self._made = boto3.session.Session().client(
                "s3",
                region_name=self.place.region,
                endpoint_url=self.place.endpoint,
                config=Config(
                    signature_version="s3v4",
                    connect_timeout=CONNECT_S,
                    read_timeout=SILENCE_S,
                    retries={"mode": "standard", "total_max_attempts": TRIES},
                    s3={"addressing_style": "path" if self.place.endpoint else "auto"},
                    request_checksum_calculation="when_required",
                    response_checksum_validation="when_required",
                ),
            )
        return self._made

    def _list(self, where: dict[str, str]) -> Any:
        return self._client().list_objects_v2(**where)

    def _sweep(self, before: datetime) -> int:
        client, bucket = self._client(), self.place.bucket
        found = 0
        for folder in _PASSING:
            prefix = self.place.key(folder)
            for page in client.get_paginator("list_multipart_uploads").paginate(
                Bucket=bucket, Prefix=prefix
            ):
                for each in page.get("Uploads", ()):
                    if each["Initiated"] < before:
                        client.abort_multipart_upload(
                            Bucket=bucket, Key=each["Key"], UploadId=each["UploadId"]
                        )
                        found += 1
            for page in client.get_paginator("list_objects_v2").paginate(
                Bucket=bucket, Prefix=prefix
            ):
                for each in page.get("Contents", ()):
                    if each["LastModified"] < before:
                        client.delete_object(Bucket=bucket, Key=each["Key"])
                        found += 1
        return found


class PastTheEnd(Exception):
    """A range that begins behind the last byte."""


class S3Draft:
    """A file on its way up, hashed and looked at on the way."""

    look_back = None  # parts of an upload cannot be read

    def __init__(self, storage: S3Storage, watch: Watch | None) -> None:
        self._storage = storage
        self._watch = watch
        self._key = f"drafts/{secrets.token_hex(16)}"
        self._gathered = bytearray()
        self._uploading: asyncio.Task[None] | None = None
        self._upload_id: str | None = None
        self._parts: list[dict[str, Any]] = []
        self._is_complete = False
        self._small = b""
        self._size_bytes = 0
        self._sha256 = hashlib.sha256()

    async def write(self, chunk: bytes) -> None:
        """Add *chunk*; one part goes up while the next is gathered. Raises `Unavailable`."""
        self._gathered += chunk
        if len(self._gathered) >= PART_BYTES:
            await self._hand_over()

    async def finish(self) -> Written:
        """Every byte is in the store, or in memory when there are few. Raises `Unavailable`."""
        if self._uploading is None and self._upload_id is None:
            self._small = bytes(self._gathered)
            self._gathered.clear()
            await asyncio.to_thread(self._digest, self._small)
        else:
            if self._gathered:
                await self._hand_over()
            await self._handed_over()
            parts = {"Parts": self._parts}
            await self._storage.call(
                "complete_multipart_upload",
                self._key,
                UploadId=self._upload_id,
                MultipartUpload=parts,
            )
            self._is_complete = True
        return Written(size_bytes=self._size_bytes, sha256=self._sha256.hexdigest())

    async def keep(self, folder: str) -> str:
        """Put it under its content's name; the key. Raises `Unavailable`."""
        sha256 = self._sha256.hexdigest()
        key = f"{folder}/{sha256[:2]}/{sha256}"
        if self._is_complete:
            source = {
                "Bucket": self._storage.place.bucket,
                "Key": self._storage.place.key(self._key),
            }
            await self._storage.call("copy_object", key, CopySource=source)
        else:
            checksum = base64.b64encode(self._sha256.digest()).decode()
            await self._storage.call("put_object", key, Body=self._small, ChecksumSHA256=checksum)
        return key

    async def discard(self) -> None:
        """Remove what lies under `drafts/`; what cannot be removed is swept later."""
        if self._uploading is not None:
            await asyncio.wait([self._uploading])
        try:
            if self._is_complete:
                await self._storage.delete(self._key)
            elif self._upload_id is not None:
                await self._storage.call(
                    "abort_multipart_upload", self._key, UploadId=self._upload_id
                )
        except (NotFound, Unavailable) as error:
            _log.warning("%s is left to the sweep: %s", self._key, error)

    async def _hand_over(self) -> None:
        await self._handed_over()
        part = bytes(self._gathered)
        self._gathered.clear()
        self._uploading = asyncio.create_task(self._upload(part))

    async def _handed_over(self) -> None:
        if self._uploading is not None:
            await asyncio.shield(self._uploading)

    async def _upload(self, part: bytes) -> None:
        await asyncio.to_thread(self._digest, part)
        if self._upload_id is None:
            begun = await self._storage.call("create_multipart_upload", self._key)
            self._upload_id = begun["UploadId"]
        number = len(self._parts) + 1
        done = await self._storage.call(
            "upload_part", self._key, UploadId=self._upload_id, PartNumber=number, Body=part
        )
        self._parts.append({"PartNumber": number, "ETag": done["ETag"]})

    def _digest(self, part: bytes) -> None:
        self._sha256.update(part)
        self._size_bytes += len(part)
        if self._watch is not None:
            self._watch(part)
