"""A bundle for who helps: what runs here, how it is set up and how it does, without secrets.

Pure: everything is passed in. Settings whose names say that they are secret are told as set or
not; of URLs the user and password are left out; log lines were blanked when they were written.
"""

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import orjson

from api.config import Settings

_SECRET = ("secret", "token", "password", "key")
_README = (
    "What is in here was made to be sent to who helps. It holds no keys, passwords or tokens, no\n"
    "people and no files; names of printers and addresses may be in the log.\n"
)


def bundle(
    facts: Mapping[str, Any], settings: Settings, log: Sequence[str], now: datetime
) -> bytes:
    """The bundle as a zip file. *facts*: a JSON file each, by name."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (
            ("README.txt", _README.encode()),
            ("settings.json", _pretty(shown_settings(settings))),
            *((f"{name}.json", _pretty(fact)) for name, fact in facts.items()),
            ("log.jsonl", "".join(f"{line}\n" for line in log).encode()),
        ):
            entry = zipfile.ZipInfo(f"support/{name}", now.timetuple()[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return made.getvalue()


def shown_settings(settings: Settings) -> dict[str, Any]:
    """Every setting by its name, secrets as set or not."""
    return {
        field.name: _shown(field.name, getattr(settings, field.name)) for field in fields(Settings)
    }


def _shown(name: str, value: object) -> Any:
    if any(word in name for word in _SECRET):
        return "(set)" if value else "(not set)"
    if isinstance(value, bool | int | float):
        return value
    return _without_user(str(value))


def _without_user(text: str) -> str:
    """*text*, which may be a URL, without whatever could let somebody in there."""
    if "://" not in text:
        return text
    parts = urlsplit(text)
    host = parts.netloc.rpartition("@")[2]
    hidden = "(hidden)" if parts.query else ""
    return urlunsplit((parts.scheme, host, parts.path, hidden, ""))


def _pretty(fact: Any) -> bytes:
    return orjson.dumps(fact, option=orjson.OPT_INDENT_2, default=str)
