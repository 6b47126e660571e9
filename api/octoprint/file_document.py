"""Files and folders as OctoPrint lists them (OctoPrint contract, section 5, File entry). Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from api.jobs.outcomes import Outcome
from api.octoprint.file_facts import (
    analysis_document,
    folder_prints,
    prints_document,
    statistics_document,
    thumbnail_fields,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """One name in a printer's tree. A folder has no size of its own.

    *facts* is what reading the file told, *moves* what following its moves did; *sha1* "" until
    that is known; *outcome* how its prints here went, None when there were none.
    """

    path: str
    display: str
    is_folder: bool
    uploaded_at: datetime
    size_bytes: int = 0
    sha1: str = ""
    user: str | None = None
    userdata: Any = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    moves: Mapping[str, Any] = field(default_factory=dict)
    outcome: Outcome | None = None

    @property
    def name(self) -> str:
        """The last piece of the path."""
        return self.path.rpartition("/")[2]

    @property
    def parent(self) -> str:
        """The folder it lies in; "" at the top."""
        return self.path.rpartition("/")[0]


def resource_url(base: str, path: str) -> str:
    """Where the API serves the entry *path* of the OctoPrint at *base*."""
    return f"{base}/api/files/local/{quote(path)}"


def download_url(base: str, path: str) -> str:
    """Where its bytes are."""
    return f"{base}/downloads/files/local/{quote(path)}"


def refs(base: str, path: str, *, is_folder: bool) -> dict[str, str]:
    """Links to an entry; a folder has no download."""
    found = {"resource": resource_url(base, path)}
    if not is_folder:
        found["download"] = download_url(base, path)
    return found


def listing(
    names: Iterable[Named], base: str, *, folder: str = "", recursive: bool = False
) -> list[dict[str, Any]]:
    """What lies directly in *folder*, sorted by path; with everything below when *recursive*."""
    tree = _Tree(names, base)
    return tree.children(folder, recursive=recursive)


def entry(named: Named, names: Iterable[Named], base: str, *, recursive: bool) -> dict[str, Any]:
    """One file or folder; a folder shows its direct children even without *recursive*."""
    if not named.is_folder:
        return file_entry(named, base)
    tree = _Tree(names, base)
    shown = tree.folder(named, recursive=recursive)
    shown["children"] = tree.children(named.path, recursive=recursive)
    return shown


def file_entry(named: Named, base: str) -> dict[str, Any]:
    """A machine-code file; what is not known is absent, not null."""
    found: dict[str, Any] = {
        **_common(named, base),
        "type": "machinecode",
        "typePath": ["machinecode", "gcode"],
        "size": named.size_bytes,
    }
    if named.sha1:
        found["hash"] = named.sha1
    if named.user is not None:
        found["user"] = named.user
    if named.userdata is not None:
        found["userdata"] = named.userdata
    analysis = analysis_document(named.facts, named.moves)
    if analysis:
        found["gcodeAnalysis"] = analysis
    if named.outcome is not None:
        found["prints"] = prints_document(named.outcome)
        found["statistics"] = statistics_document(named.outcome)
    found.update(thumbnail_fields(named.path, named.facts, int(named.uploaded_at.timestamp())))
    return found


def _common(named: Named, base: str) -> dict[str, Any]:
    return {
        "name": named.name,
        "display": named.display,
        "path": named.path,
        "origin": "local",
        "date": int(named.uploaded_at.timestamp()),
        "refs": refs(base, named.path, is_folder=named.is_folder),
    }


class _Tree:
    """The names by the folder they lie in."""

    def __init__(self, names: Iterable[Named], base: str) -> None:
        self._base = base
        self._below: dict[str, list[Named]] = {}
        self._sizes: dict[str, int] = {}
        self._outcomes: dict[str, list[Outcome]] = {}
        for named in sorted(names, key=lambda each: each.path):
            self._below.setdefault(named.parent, []).append(named)
            self._count(named)

    def _count(self, named: Named) -> None:
        folder = named.parent
        while folder:
            self._sizes[folder] = self._sizes.get(folder, 0) + named.size_bytes
            if named.outcome is not None:
                self._outcomes.setdefault(folder, []).append(named.outcome)
            folder = folder.rpartition("/")[0]

    def children(self, folder: str, *, recursive: bool) -> list[dict[str, Any]]:
        return [
            self.folder(named, recursive=recursive)
            if named.is_folder
            else file_entry(named, self._base)
            for named in self._below.get(folder, [])
        ]

    def folder(self, named: Named, *, recursive: bool) -> dict[str, Any]:
        return {
            **_common(named, self._base),
            "type": "folder",
            "typePath": ["folder"],
            "size": self._sizes.get(named.path, 0),
            "prints": folder_prints(self._outcomes.get(named.path, ())),
            "children": self.children(named.path, recursive=True) if recursive else [],
        }
