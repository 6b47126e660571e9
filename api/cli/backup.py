"""Making a backup, while the farm runs, and putting one back, while it does not.

The rows are copied first, by SQLite's own backup: one consistent moment, whoever writes meanwhile.
Files are never changed once they are there, so those that these rows name are copied afterwards.
"""

import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from api.cli import manifest
from api.cli.manifest import DATABASE, FILES, KEYS, MANIFEST, BrokenBackup, Item, Manifest
from api.clock import iso
from api.config import Settings
from api.running import alone

PAGES = 1000  # of the database at a time; writers get their turn in between
_PAUSE_S = 0.01
_ROWS = "SELECT storage_key, sha256, size_bytes FROM blob ORDER BY id"

#: Told what comes next and how many bytes it has.
Stage = Callable[[str, int], manifest.Progress]


class Unfit(RuntimeError):
    """This farm cannot be backed up or restored like this; the text says what to use instead."""


class Occupied(RuntimeError):
    """Something is there already; nothing was touched."""


def make(settings: Settings, target: Path, version: str, stage: Stage) -> Manifest:
    """Back up everything into the new folder *target*; what it holds.

    Raises `Unfit`, `Occupied`, `OSError`, `sqlite3.Error`.
    """
    database, _ = places(settings)
    if not database.exists():
        raise Unfit(f"there is no farm in {settings.data_dir}: {database} does not exist")
    draft = target.with_name(f".{target.name}.partial")
    if target.exists() or draft.exists():
        raise Occupied(f"{target} (or {draft.name} beside it) exists; name a new folder")
    try:
        draft.mkdir(parents=True)
    except OSError as error:
        raise OSError(f"cannot make {target}: {error.strerror}") from None
    try:
        found = _fill(draft, settings, version, stage)
        (draft / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(found)))
        draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)  # what is whole has its name by now
    return found


def places(settings: Settings) -> tuple[Path, Path]:
    """The database file and the folder of files. Raises `Unfit` for a farm that has neither."""
    if settings.database_url:
        raise Unfit(
            "this farm keeps its rows in a database of its own (GANTRY_DATABASE_URL). Use that "
            "database's tools, for PostgreSQL `pg_dump --format=custom` and `pg_restore`, and copy "
            "the file storage AFTER the rows: files are never changed once they are there."
        )
    if settings.storage_url:
        raise Unfit(
            "this farm keeps its files elsewhere (GANTRY_STORAGE_URL). Copy that storage with its "
            "own tools, and the rows with `sqlite3 gantry.sqlite3 '.backup …'` before."
        )
    return settings.data_dir.absolute() / DATABASE, settings.blobs_dir


def _fill(draft: Path, settings: Settings, version: str, stage: Stage) -> Manifest:
    database, files = places(settings)
    made_at = datetime.now(UTC)
    copy = draft / DATABASE
    _copy_rows(database, copy, stage("rows", database.stat().st_size))
    items = [Item(DATABASE, copy.stat().st_size, manifest.digest(copy, _nothing))]
    for key in sorted(settings.data_dir.glob("*.key")):
        name = f"{KEYS}/{key.name}"
        items.append(Item(name, key.stat().st_size, manifest.copied(key, draft / name, _nothing)))
    with closing(sqlite3.connect(copy)) as rows:
        try:
            migrations, named = _migrations(rows), rows.execute(_ROWS).fetchall()
        except sqlite3.OperationalError as error:
            raise Unfit(
                f"{database} is no farm's: {error}. `python -m api check` says what is wrong."
            ) from None
    progress = stage("files", sum(size_bytes for _, _, size_bytes in named))
    copied, missing = _copy_files(files, draft / FILES, named, progress)
    return Manifest(
        version=version,
        made_at=iso(made_at) or "",
        migrations=migrations,
        items=items + copied,
        missing=missing,
    )


def _copy_files(
    files: Path, target: Path, named: Sequence[tuple[str, str, int]], progress: manifest.Progress
) -> tuple[list[Item], list[str]]:
    """(what was copied, what is gone or is not any more what was uploaded)."""
    copied: dict[str, Item] = {}
    missing = []
    for key, sha256, size_bytes in named:
        name = f"{FILES}/{key}"
        if name in copied:
            continue
        source = files / key
        if source.is_file() and manifest.copied(source, target / key, progress) == sha256:
            copied[name] = Item(name, size_bytes, sha256)
        else:
            missing.append(name)
            (target / key).unlink(missing_ok=True)
    return [*copied.values()], missing


def _copy_rows(database: Path, copy: Path, progress: manifest.Progress) -> None:
    with (
        closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        page_bytes = int(source.execute("PRAGMA page_size").fetchone()[0])
        done_pages = 0

        def told(status: int, remaining: int, total: int) -> None:
            nonlocal done_pages
            del status
            progress(max(0, total - remaining - done_pages) * page_bytes)
            done_pages = max(done_pages, total - remaining)

        source.backup(target, pages=PAGES, progress=told, sleep=_PAUSE_S)
        target.execute("PRAGMA journal_mode=DELETE")  # one file, without others beside it


def _migrations(rows: sqlite3.Connection) -> list[str]:
    names = "SELECT name FROM tortoise_migrations ORDER BY id"
    return [str(name) for (name,) in rows.execute(names)]


def restore(
    settings: Settings, source: Path, *, replace: bool, stage: Stage
) -> tuple[Manifest, Path | None]:
    """Put the backup in *source* back, whole or not at all; (what it holds, where what was there
    before is kept: None, there was nothing).

    Everything is read and compared before anything is touched. Raises `BrokenBackup`, `Occupied`
    (a farm is there, without *replace*), `InUse` (it runs), `Unfit`, `OSError`.
    """
    database, files = places(settings)
    found = manifest.read(source)
    manifest.verify(source, found, stage("verify", found.size_bytes))
    _check_rows(source / DATABASE)
    data_dir = settings.data_dir.absolute()
    with alone(data_dir):
        if database.exists() and not replace:
            raise Occupied(
                f"{data_dir} has a farm already. With --replace it is put aside, not deleted."
            )
        with _staged(data_dir) as staging:
            progress = stage("restore", found.size_bytes)
            for item in found.items:
                manifest.copied(source / item.path, staging / item.path, progress)
            kept = _put_aside(data_dir, database, files)
            _put_in_place(staging, data_dir, files)
    return found, kept


@contextmanager
def _staged(data_dir: Path) -> Iterator[Path]:
    staging = data_dir / ".restoring"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir()
    try:
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _check_rows(copy: Path) -> None:
    try:
        with closing(sqlite3.connect(f"file:{copy}?mode=ro&immutable=1", uri=True)) as rows:
            [(said,)] = rows.execute("PRAGMA quick_check(1)").fetchall()
    except sqlite3.Error as error:
        raise BrokenBackup(f"{DATABASE} is no usable database: {error}") from None
    if said != "ok":
        raise BrokenBackup(f"{DATABASE} is damaged: {said}")


def _put_aside(data_dir: Path, database: Path, files: Path) -> Path | None:
    old = [*data_dir.glob(f"{database.name}*"), *data_dir.glob("*.key"), files]
    there = [path for path in old if path.exists()]
    if not there:
        return None
    kept = data_dir / f"before-restore-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    kept.mkdir()
    for path in there:
        path.rename(kept / path.name)
    return kept


def _put_in_place(staging: Path, data_dir: Path, files: Path) -> None:
    """The rows last: without them there is no farm, and a restore is simply done again."""
    if (staging / FILES).exists():
        (staging / FILES).rename(files)
    if (staging / KEYS).exists():
        for key in (staging / KEYS).iterdir():
            key.rename(data_dir / key.name)
    (staging / DATABASE).rename(data_dir / DATABASE)


def _nothing(more_bytes: int) -> None:
    del more_bytes
