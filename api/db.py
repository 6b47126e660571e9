"""The database: Tortoise's context, its configuration and its migrations.

The context that `Tortoise.init()` returns is entered around the app for every request and task
(tortoise's own Quart integration answers 500 on every request).
"""

import sqlite3
import sys
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from tortoise import Tortoise
from tortoise.context import TortoiseContext
from tortoise.exceptions import OperationalError
from tortoise.transactions import in_transaction

from api.config import Settings, load

MODELS = [
    "api.accounts.models",
    "api.bridges.models",
    "api.pairing.models",
    "api.printers.models",
    "api.pools.models",
    "api.files.models",
    "api.models_library.models",
    "api.commands.models",
    "api.jobs.models",
    "api.telemetry.models",
    "api.events.models",
]


class DatabaseUnusable(RuntimeError):
    """The database cannot be opened or written; the text says where it is and what to do."""


def tortoise_config(url: str) -> dict[str, Any]:
    """The configuration for *url*; times are UTC and aware."""
    return {
        "connections": {"default": url},
        "apps": {
            "farm": {
                "models": MODELS,
                "migrations": "api.migrations",
                "default_connection": "default",
            }
        },
        "use_tz": True,
        "timezone": "UTC",
    }


def __getattr__(name: str) -> dict[str, Any]:
    """`TORTOISE_ORM`, for `tortoise -c api.db.TORTOISE_ORM makemigrations`.

    Made when it is asked for: a wrong setting must not end the import of this module.
    """
    if name == "TORTOISE_ORM":
        return tortoise_config(load().database)
    raise AttributeError(name)


class Transaction:
    """Tortoise's transaction, safe against being cancelled while it begins.

    Tortoise takes its lock (or a connection from the pool) before BEGIN and gives it back only
    after a whole entry: a request whose client goes away in between would lock everybody out.
    """

    def __init__(self) -> None:
        self._context = in_transaction()

    async def __aenter__(self) -> None:
        begun = False
        try:
            await self._context.__aenter__()
            begun = True
        finally:
            if not begun and hasattr(self._context, "token"):  # it holds the connection
                await self._context.__aexit__(*sys.exc_info())

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self._context.__aexit__(kind, error, trace)
        except sqlite3.OperationalError as failed:  # Tortoise does not translate a failed commit
            raise OperationalError(failed) from failed


async def open_database(settings: Settings) -> TortoiseContext:
    """The opened context. Raises `DatabaseUnusable`."""
    check_writable(settings)
    return await Tortoise.init(config=tortoise_config(settings.database))


def check_writable(settings: Settings) -> None:
    """Make the data directory. Raises `DatabaseUnusable` when it cannot be written."""
    directory = settings.data_dir.absolute()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        probe = directory / ".writable"
        probe.write_bytes(b"")
        probe.unlink()
        _check_file(directory / "gantry.sqlite3")
    except OSError as error:
        raise DatabaseUnusable(
            f"cannot write in {directory}: {error.strerror}. "
            "Choose another place with --data, or give this user the right to write there."
        ) from None
    _check_folder(settings)


def _check_folder(settings: Settings) -> None:
    """A database elsewhere: SQLite makes its file, but no folder. Raises `DatabaseUnusable`."""
    url = urlsplit(settings.database)
    folder = Path(url.netloc + url.path).parent
    if url.scheme == "sqlite" and not folder.is_dir():
        raise DatabaseUnusable(
            f"cannot use the database {url.netloc}{url.path}: there is no folder {folder}. "
            "Make it, or name another place with --database-url (GANTRY_DATABASE_URL)."
        )


def _check_file(path: Path) -> None:
    if path.exists():
        with path.open("r+b"):
            pass
