"""Projects written out with the files that were printed, and taken in again (v1 contract, 2.10).

What is taken in is a new project, and its files as print files of the library, so that they can be
printed here; the prints themselves are the history of the farm that wrote it, and stay there.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import IO, Any

import orjson

from api.archives.service import Record
from api.archives.shown import ShownArchives
from api.errors import Invalid
from api.files.incoming import text_name
from api.files.names import clean_name, extension
from api.files.service import Blob, Files
from api.models_library.naming import PRINTABLE
from api.models_library.service import Library, PrintFile
from api.principal import Principal
from api.projects.service import MAX_PRINTS, Project, Projects
from api.projects.view import project_fields
from api.projects.zips import ABOUT, FOLDER, Entry, Parcel, zipped

__all__ = ["Parcels", "TakenIn"]

FORMAT = 1
_PAGE = 500


@dataclass(frozen=True, slots=True)
class TakenIn:
    """A project that came in. *skipped*: names of files that cannot be printed."""

    project: Project
    files: Sequence[PrintFile]
    skipped: Sequence[str]


class Parcels:
    """Writes projects out, and takes them in."""

    def __init__(
        self, projects: Projects, shown: ShownArchives, files: Files, library: Library
    ) -> None:
        self._projects = projects
        self._shown = shown
        self._files = files
        self._library = library

    async def export(self, by: Principal, project_id: int) -> tuple[Project, AsyncIterator[bytes]]:
        """(the project, a zip file of it as it is written). Raises `NotFound`."""
        by.require("projects.export")
        row = await self._projects.get(by, project_id)
        records: list[Record] = []
        while len(records) < MAX_PRINTS:
            page, total = await self._projects.prints(by, row.id, len(records), _PAGE)
            records += page
            if not page or len(records) >= total:
                break
        files = await self._named(records)
        shown = await self._shown.many(by, records)
        about = _about(row, shown, {blob.sha256: name for name, blob in files.items()})
        return row, zipped(self._entries(about, files))

    async def _named(self, records: Sequence[Record]) -> dict[str, Blob]:
        """The files that were printed and are still stored, once each, by the name they get."""
        found: dict[str, Blob] = {}
        known = set()
        for record in records:
            blob, job = record.blob, record.run.job
            if blob is None or job is None or blob.id in known:
                continue
            known.add(blob.id)
            if await self._files.has_bytes(blob):
                found[_free_name(_file_name(job.file_name), found)] = blob
        return found

    async def _entries(
        self, about: bytes, files: Mapping[str, Blob]
    ) -> AsyncGenerator[Entry, None]:
        yield Entry(ABOUT, len(about), _once(about))
        for name, blob in files.items():
            yield Entry(FOLDER + name, blob.size_bytes, _all_of(self._files.read(blob)))

    async def take_in(self, by: Principal, parcel: Parcel, values: Mapping[str, Any]) -> TakenIn:
        """A new project with *values* and the files of *parcel*. All files are read before anything
        is made of them, so a bad one leaves nothing that anybody sees. Raises as an upload does.
        """
        by.require("projects.write")
        printable = [name for name in parcel.files if _is_printable(name)]
        if printable:
            by.require("files.write")
        blobs: list[tuple[str, Blob]] = []
        for name in printable:
            cleaned = clean_name(name)
            async with aclosing(parcel.read(name)) as chunks:
                blob = await self._files.ingest(by, chunks, cleaned, must_be_gcode=True)
            blobs.append((cleaned, blob))
        project = await self._projects.create(by, values, "project.imported")
        files = [(await self._library.add_upload(by, blob, name))[0] for name, blob in blobs]
        skipped = [name for name in parcel.files if name not in printable]
        return TakenIn(project, files, skipped)


async def opened(file: IO[bytes], max_bytes: int) -> tuple[Parcel, bytes]:
    """(what somebody sent, its ``project.json``). Raises `Invalid`."""
    parcel = await asyncio.to_thread(Parcel, file, max_bytes)
    return parcel, await asyncio.to_thread(parcel.about)


def _about(row: Project, shown: Sequence[Mapping[str, Any]], names: Mapping[str, str]) -> bytes:
    """``project.json``: the project, its prints, and in which file each of them is."""
    prints = [
        {**each, "file": FOLDER + names[each["file_hash"]] if each["file_hash"] in names else None}
        for each in shown
    ]
    return orjson.dumps({"format": FORMAT, **project_fields(row, len(prints)), "archives": prints})


def _file_name(name: str) -> str:
    try:
        return clean_name(name)
    except Invalid:
        return "part.gcode"


def _free_name(name: str, taken: Mapping[str, object]) -> str:
    """*name*, or the first one like it that is not *taken*, in any case."""
    kept = {each.casefold() for each in taken}
    stem, dot, kind = name.rpartition(".")
    if not stem:
        stem, dot, kind = name, "", ""
    found, number = name, 1
    while found.casefold() in kept:
        number += 1
        found = f"{stem}-{number}{dot}{kind}"
    return found


def _is_printable(name: str) -> bool:
    return extension(text_name(name)) in PRINTABLE


async def _once(data: bytes) -> AsyncGenerator[bytes, None]:
    yield data


async def _all_of(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    async for chunk in chunks:
        yield chunk
