"""The local farm's own credentials: one 0600 file in the data directory, to show them again."""

import json
import os
import secrets
from dataclasses import asdict, dataclass, field
from pathlib import Path

FILE_NAME = "credentials.json"
_LETTERS = "abcdefghjkmnpqrstuvwxyz"
_DIGITS = "23456789"


@dataclass(slots=True)
class Credentials:
    """What a newcomer needs to get in. *octoprint_keys* is keyed by the printer's slug."""

    username: str = "admin"
    password: str = ""
    token: str = ""
    octoprint_keys: dict[str, str] = field(default_factory=dict)


def new_password() -> str:
    """A password that can be typed: about 75 random bits, letters of both cases and digits."""
    alphabet = _LETTERS + _DIGITS
    return "G" + "".join(secrets.choice(alphabet) for _ in range(14)) + secrets.choice(_DIGITS)


def load(data: Path) -> Credentials | None:
    """The kept credentials; None when there are none yet or the file is not readable JSON."""
    try:
        return Credentials(**json.loads((data / FILE_NAME).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def save(data: Path, credentials: Credentials) -> None:
    """Keep them, readable by this user alone."""
    write_private(data / FILE_NAME, json.dumps(asdict(credentials), indent=2) + "\n")


def write_private(path: Path, text: str) -> None:
    """Write *text* to *path* atomically with mode 0600."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
