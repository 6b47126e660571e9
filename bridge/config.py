"""Settings of a bridge: the state directory, `bridge.toml` in it, and the flags over both.

[[simulate]]
url = "virtual://sim1?speed=20"

[[path]]
device = "/dev/ttyACM0"       # a port that the listing cannot find
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CONFIG_FILE = "bridge.toml"
STATE_DIR_VARIABLE = "GANTRY_STATE_DIR"
_TABLES = {"simulate": "url", "path": "device"}


class ConfigError(ValueError):
    """A setting that cannot be used; the text names file and setting."""


@dataclass(frozen=True, slots=True)
class Config:
    """What `bridge.toml` says: addresses of simulated printers, devices that no listing finds."""

    simulate: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()


def state_dir(flag: str | None, environment: Mapping[str, str]) -> Path:
    """Where this bridge keeps its state: flag, then GANTRY_STATE_DIR, then the XDG default."""
    chosen = flag or environment.get(STATE_DIR_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    base = environment.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "gantry-bridge"


def load(directory: Path) -> Config:
    """The settings in *directory*; a missing file has none. Raises `ConfigError`."""
    path = directory / CONFIG_FILE
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return Config()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}") from error
    unknown = sorted(tables.keys() - _TABLES.keys())
    if unknown:
        raise ConfigError(
            f"{path}: unknown table [[{unknown[0]}]]; known are [[simulate]], [[path]]"
        )
    return Config(
        simulate=_values(path, tables, "simulate"),
        paths=_values(path, tables, "path"),
    )


def merged(config: Config, simulate: list[str], paths: list[str]) -> Config:
    """*config* and the flags; what is given twice counts once. Raises `ConfigError`."""
    for device in paths:
        _check_device("--path", device)
    return Config(
        simulate=tuple(dict.fromkeys((*config.simulate, *simulate))),
        paths=tuple(dict.fromkeys((*config.paths, *paths))),
    )


def _values(path: Path, tables: Mapping[str, object], name: str) -> tuple[str, ...]:
    key = _TABLES[name]
    entries = tables.get(name, [])
    if not isinstance(entries, list):
        raise ConfigError(f"{path}: write [[{name}]] with two brackets")
    values = []
    for number, entry in enumerate(entries, 1):
        where = f"{path}: [[{name}]] number {number}"
        value = entry.get(key) if isinstance(entry, dict) else None
        if not isinstance(value, str) or entry.keys() != {key}:
            raise ConfigError(f'{where} must have exactly one setting: {key} = "..."')
        if name == "path":
            _check_device(where, value)
        values.append(value)
    return tuple(values)


def _check_device(where: str, device: str) -> None:
    if not os.path.isabs(device):  # noqa: PTH117 - a text, not yet a path
        raise ConfigError(f"{where}: {device!r} is no absolute path, such as /dev/ttyACM0")
