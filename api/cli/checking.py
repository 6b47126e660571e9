"""Is everything there, and whole: the database, its tables, and the files that its rows name."""

import hashlib
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from tortoise.connection import get_connection

from api.config import Settings
from api.db import PATIENT, open_database
from api.errors import Unavailable
from api.migrate import pending
from api.storage import Storage, open_storage

_FILES = "SELECT id, storage_key, sha256, size_bytes FROM blob ORDER BY id"
#: What no row may be, and how many there are of it.
_RULES = (
    (
        "jobs name a file that no row has",
        "SELECT COUNT(*) FROM job WHERE blob_id IS NOT NULL "
        "AND blob_id NOT IN (SELECT id FROM blob)",
    ),
    (
        "names of files lead nowhere",
        "SELECT COUNT(*) FROM tree_name WHERE blob_id IS NOT NULL "
        "AND blob_id NOT IN (SELECT id FROM blob)",
    ),
    (
        "printers are held by an attempt that does not exist",
        "SELECT COUNT(*) FROM printer WHERE active_grant IS NOT NULL "
        'AND active_grant NOT IN (SELECT "grant" FROM attempt)',
    ),
    (
        "attempts belong to a job that does not exist",
        "SELECT COUNT(*) FROM attempt WHERE job_id NOT IN (SELECT id FROM job)",
    ),
)


@dataclass(slots=True)
class Report:
    """What was found. *problems*: sentences; none: all is well."""

    files: int = 0
    files_bytes: int = 0
    problems: list[str] = field(default_factory=list)


async def check(
    settings: Settings, *, contents: bool, stage: Callable[[str, int], Callable[[int], None]]
) -> Report:
    """Look at everything; with *contents* every byte of every file.

    Raises `DatabaseUnusable` when there is nothing to look at.
    """
    report = Report()
    if (missing := await pending(settings)) != []:
        report.problems.append(
            f"the tables are not those of this version, {', '.join(missing)} are missing: run "
            "`python -m api migrate`"
        )
        return report
    if not settings.uses_postgres:
        report.problems += _database(Path(settings.data_dir.absolute()), settings)
    context = await open_database(settings, PATIENT)
    try:
        with context:
            await _rows(report)
            _, files = await get_connection("default").execute_query(_FILES)
    finally:
        await context.close_connections()
    progress = stage("files", sum(row["size_bytes"] for row in files))
    storage = open_storage(settings)
    for row in files:
        report.files += 1
        report.files_bytes += row["size_bytes"]
        problem = await _file(storage, dict(row), contents=contents)
        if problem is not None:
            report.problems.append(f"file {row['id']} ({row['storage_key']}) {problem}")
        progress(row["size_bytes"])
    return report


def _database(data_dir: Path, settings: Settings) -> list[str]:
    path = settings.database.removeprefix("sqlite://").partition("?")[0]
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as rows:
        said = [str(row[0]) for row in rows.execute("PRAGMA integrity_check(20)")]
    return [] if said == ["ok"] else [f"the database in {data_dir}: {each}" for each in said]


async def _rows(report: Report) -> None:
    for what, query in _RULES:
        _, rows = await get_connection("default").execute_query(query)
        if (count := next(iter(dict(rows[0]).values()))) > 0:
            report.problems.append(f"{count} {what}")


async def _file(storage: Storage, row: dict[str, object], *, contents: bool) -> str | None:
    """What is wrong with one file, None: nothing."""
    key, wanted_bytes = str(row["storage_key"]), row["size_bytes"]
    path = storage.local_path(key)
    try:
        if path is not None and path.is_file() and path.stat().st_size != wanted_bytes:
            return f"has {path.stat().st_size} bytes, its row says {wanted_bytes}"
        if not await storage.exists(key):
            return "is not there: upload it again"
        if contents and await _sha256(storage, key) != row["sha256"]:
            return "is damaged: its content is not what was uploaded"
    except Unavailable as error:
        return f"cannot be read: {error.detail}"
    return None


async def _sha256(storage: Storage, key: str) -> str:
    found = hashlib.sha256()
    async for chunk in storage.read(key):
        found.update(chunk)
    return found.hexdigest()
