"""The database: Tortoise's context, its configuration and its migrations.

The context that `Tortoise.init()` returns is entered around the app for every request and task
(tortoise's own Quart integration answers 500 on every request).
"""

from pathlib import Path
from typing import Any

from tortoise import Tortoise
from tortoise.context import TortoiseContext

from api.config import Settings, load

MODELS = [
    "api.accounts.models",
    "api.bridges.models",
    "api.pairing.models",
    "api.printers.models",
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


#: For `tortoise -c api.db.TORTOISE_ORM makemigrations`.
TORTOISE_ORM = tortoise_config(load().database)


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


def _check_file(path: Path) -> None:
    if path.exists():
        with path.open("r+b"):
            pass
