"""What a support bundle tells of this deployment: versions, health and sizes, nobody's data."""

import platform
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol

from tortoise import Tortoise
from tortoise.exceptions import BaseORMException

from api import VERSION

_PACKAGES = ("quart", "hypercorn", "tortoise-orm", "asyncpg", "aiosqlite", "pydantic", "authlib")


class Health(Protocol):
    """Who knows how this process does."""

    async def problems(self) -> list[str]:
        """What keeps it from working."""

    def warnings(self) -> list[str]:
        """What somebody should look at."""


class Facts:
    """Gathers them."""

    def __init__(self, health: Health) -> None:
        self._health = health

    async def told(self) -> Mapping[str, Any]:
        """By the name of the file that they go into."""
        problems = await self._health.problems()
        health = {"problems": problems, "warnings": self._health.warnings()}
        return {"versions": versions(), "health": health, "rows": await rows()}


def versions() -> dict[str, str | None]:
    """Of Gantry, of what it runs on, and of the libraries that matter."""
    return {
        "gantry": VERSION,
        "python": sys.version.split()[0],
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        **{name: _version(name) for name in _PACKAGES},
    }


async def rows() -> dict[str, int | None]:
    """How many rows each table has; None: it could not be counted."""
    found: dict[str, int | None] = {}
    for models in (Tortoise.apps or {}).values():
        for model in models.values():
            try:
                found[model._meta.db_table] = await model.all().count()
            except BaseORMException:
                found[model._meta.db_table] = None
    return dict(sorted(found.items()))


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
