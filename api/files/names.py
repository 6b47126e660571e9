"""Names of files and folders as printers know them (OctoPrint 6; safety S32, S33).

A name is a label: bytes are stored by content, so it never becomes a path on this machine. It is
kept as people wrote it, apart from what could mislead a person, a shell or another program.
"""

import re
import unicodedata

from api.errors import Invalid

MAX_NAME = 255
MAX_PATH = 500

#: Control characters, and those that turn the direction of text or are invisible.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_SHELL = re.compile(r"[;|&?$*<>]")


def clean_name(text: str) -> str:
    """*text* as the name of one file or folder: NFC, no leading dots, no shell characters.

    Spaces and accents stay. Raises `Invalid` for separators, `..`, control characters, for what
    has nothing left, and for more than 255 bytes.
    """
    if "/" in text or "\\" in text:
        raise Invalid("A file name has no slash or backslash.")
    if _CONTROL.search(text) or any(unicodedata.category(char) == "Cs" for char in text):
        raise Invalid("A file name has no line breaks or other control characters.")
    if text.strip() == "..":
        raise Invalid("A file name cannot lead out of its folder.")
    name = _SHELL.sub("", unicodedata.normalize("NFC", text)).lstrip(". ").rstrip(" .")
    if not name:
        raise Invalid("The file name is empty.")
    if len(name.encode()) > MAX_NAME:
        raise Invalid(f"The file name is longer than {MAX_NAME} bytes.")
    return name


def clean_path(text: str) -> str:
    """*text* as a slash-separated path from the top; empty for the top itself.

    Raises `Invalid` like `clean_name`, for every part.
    """
    if "\\" in text:
        raise Invalid("Folders are separated by a slash, not by a backslash.")
    parts = [part for part in text.split("/") if part not in ("", ".")]
    path = "/".join(clean_name(part) for part in parts)
    if len(path) > MAX_PATH:
        raise Invalid(f"The path is longer than {MAX_PATH} characters.")
    return path


def join(folder: str, name: str) -> str:
    """The path of *name* in *folder*, both already clean. Raises `Invalid` when it is too long."""
    path = f"{folder}/{name}" if folder else name
    if len(path) > MAX_PATH:
        raise Invalid(f"The path is longer than {MAX_PATH} characters.")
    return path


def parents(path: str) -> list[str]:
    """The folders above *path*, outermost first."""
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


def extension(name: str) -> str:
    """The extension of *name* in lower case, with its dot; empty without one."""
    stem, dot, last = name.rpartition(".")
    return f".{last.lower()}" if dot and stem else ""
