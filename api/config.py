"""Settings of one API process: from the environment (`GANTRY_…`, `GANTRY_…_FILE`) or the caller.

Every setting has a default that works on one machine with nothing else installed.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any


class SettingError(ValueError):
    """A setting cannot be used; the text names it and says what it takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How this process runs. Paths are absolute; an empty URL means the embedded default."""

    host: str = "127.0.0.1"
    port: int = 8000
    data_dir: Path = Path("data")
    database_url: str = ""
    storage_url: str = ""
    bus_url: str = ""
    public_url: str = ""  # base of generated links; empty: from the request
    max_upload_bytes: int = 1024 * 1024 * 1024
    session_hours: int = 24
    live_interval_s: float = 1.0
    beat_s: float = 15.0
    dead_s: float = 40.0
    bridge_grace_s: float = 5.0  # a room away for less than this is not shown as offline

    @property
    def database(self) -> str:
        """The database URL; the embedded SQLite file in the data directory by default.

        synchronous=FULL: what was acknowledged survives a power cut.
        """
        if self.database_url:
            return self.database_url
        path = self.data_dir.absolute() / "gantry.sqlite3"
        return f"sqlite://{path}?busy_timeout=5000&synchronous=FULL"

    @property
    def blobs_dir(self) -> Path:
        """Where the local storage keeps its files."""
        return self.data_dir.absolute() / "files"


def load(environ: Mapping[str, str] | None = None, **given: Any) -> Settings:
    """Settings from *environ*; *given* values that are not None win. Raises `SettingError`."""
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    for field in fields(Settings):
        text = _from_environment(environ, f"GANTRY_{field.name.upper()}")
        if given.get(field.name) is not None:
            values[field.name] = given[field.name]
        elif text is not None:
            values[field.name] = _parse(field.name, text, field.default)
    return Settings(**values)


def _from_environment(environ: Mapping[str, str], name: str) -> str | None:
    if file_name := environ.get(f"{name}_FILE"):
        try:
            return Path(file_name).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise SettingError(f"{name}_FILE: cannot read {file_name}: {error.strerror}") from None
    return environ.get(name)


def _parse(name: str, text: str, default: object) -> Any:
    kind = type(default)
    try:
        return Path(text) if isinstance(default, Path) else kind(text)  # type: ignore[call-arg]
    except ValueError:
        wanted = "a whole number" if kind is int else "a number"
        raise SettingError(f"GANTRY_{name.upper()}={text!r}: this takes {wanted}") from None
