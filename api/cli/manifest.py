"""What a backup holds: a folder with a manifest, a database, keys and files, each with its digest.

::

    manifest.json     what is here, and what it was made of
    gantry.sqlite3    the rows, as they were at one moment
    keys/…            what signs sessions and seals secrets
    files/…           the bytes of every file that a row names
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

FORMAT = 1
MANIFEST = "manifest.json"
DATABASE = "gantry.sqlite3"
KEYS = "keys"
FILES = "files"
READ_BYTES = 1024 * 1024

#: Told how many bytes more are done.
Progress = Callable[[int], None]


class BrokenBackup(RuntimeError):
    """A backup is not what its manifest says; the text names what."""


class Item(msgspec.Struct, frozen=True):
    """A file of a backup; *path* is relative to its folder."""

    path: str
    size_bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """*made_at*: ISO 8601, UTC. *migrations*: those that the database has. *missing*: files that
    rows name and that were not there any more.
    """

    format: int = FORMAT
    product: str = "gantry"
    version: str
    made_at: str
    migrations: list[str]
    items: list[Item]
    missing: list[str] = []

    @property
    def size_bytes(self) -> int:
        """Of everything."""
        return sum(item.size_bytes for item in self.items)


def read(folder: Path) -> Manifest:
    """The manifest of the backup in *folder*. Raises `BrokenBackup`."""
    path = folder / MANIFEST
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise BrokenBackup(f"{folder} is no backup: it has no {MANIFEST}") from None
    except (OSError, msgspec.DecodeError) as error:
        raise BrokenBackup(f"{path} cannot be read: {error}") from None
    if manifest.product != "gantry" or manifest.format != FORMAT:
        raise BrokenBackup(f"{path} is of another product or a later version (format)")
    return manifest


def verify(folder: Path, manifest: Manifest, progress: Progress) -> None:
    """Read everything and compare. Raises `BrokenBackup` for the first that differs."""
    for item in manifest.items:
        path = folder / item.path
        if ".." in Path(item.path).parts or Path(item.path).is_absolute():
            raise BrokenBackup(f"{MANIFEST} names {item.path!r}, which is outside of the backup")
        try:
            found = digest(path, progress)
        except OSError as error:
            raise BrokenBackup(f"{item.path} cannot be read: {error.strerror}") from None
        if found != item.sha256:
            raise BrokenBackup(f"{item.path} is damaged: its SHA-256 is not that of the manifest")


def digest(path: Path, progress: Progress) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    found = hashlib.sha256()
    for chunk in _chunks(path):
        found.update(chunk)
        progress(len(chunk))
    return found.hexdigest()


def copied(source: Path, target: Path, progress: Progress) -> str:
    """Copy a file durably; its SHA-256. Raises `OSError`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    found = hashlib.sha256()
    with target.open("xb") as file:
        for chunk in _chunks(source):
            found.update(chunk)
            file.write(chunk)
            progress(len(chunk))
        file.flush()
        os.fsync(file.fileno())
    return found.hexdigest()


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(READ_BYTES):
            yield chunk
