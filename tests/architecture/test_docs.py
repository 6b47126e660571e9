"""What users can set or meet is written down where they look."""

import re
from collections import Counter
from dataclasses import fields
from pathlib import Path

from api.config import Settings
from infra.bench.__main__ import AREAS

ROOT = Path(__file__).parents[2]


#: How the table says a default that is no number or word of the code.
IN_WORDS = {
    "database_url": "SQLite in the data directory",
    "storage_url": "a folder in the data directory",
    "bus_url": "PostgreSQL's own where that is the database, else in-process",
    "public_url": "from the request",
    "max_upload_bytes": "1 GiB",
    "secret_key": "made at start, in `session.key` in the data directory",
    "setup_token": "made at start, in `setup.token` in the data directory",
    "smtp_host": "no mail",
    "webhook_networks": "none: only public ones",
    "link_url": "the API",
    "trusted_proxies": "nobody",
}


def table() -> list[tuple[list[str], str, str]]:
    """(settings, meaning, default) of each row of the README's table."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`GANTRY_.*?) \| (.*) \| (.*?) \|$", readme, re.MULTILINE)
    return [(re.findall(r"`GANTRY_([A-Z0-9_]+)`", names), *rest) for names, *rest in rows]


def test_the_table_of_settings_is_that_of_the_code() -> None:
    """Each setting has one row, no row speaks of another one, and every row says what it is for."""
    rows = table()
    said = Counter(name for names, _, _ in rows for name in names)
    assert said == Counter(field.name.upper() for field in fields(Settings))
    assert [names for names, meaning, _ in rows if len(meaning) < 10] == []


def test_the_defaults_in_the_table_are_those_of_the_code() -> None:
    """One after the other where a row is about several."""
    defaults = {field.name: field.default for field in fields(Settings)}
    for names, _, shown in table():
        words = [_shown(name.lower(), defaults[name.lower()]) for name in names]
        assert shown == ", ".join(dict.fromkeys(words)), names


def _shown(name: str, default: object) -> str:
    """*default* as a person reads it."""
    if name in IN_WORDS:
        return IN_WORDS[name]
    if isinstance(default, bool):
        return "yes" if default else "no"
    if isinstance(default, float):
        return f"{default:g}"
    if default == "":
        return "nothing" if name in ("smtp_username", "smtp_password") else "none"
    text = str(default)
    return f"`{text}`" if name in ("data_dir", "smtp_security") else text


def test_files_named_in_the_readme_exist() -> None:
    """The flows can be followed file by file."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    named = {
        word.strip("`,.:;()")
        for word in readme.split()
        if word.strip("`,.:;()").startswith(("api/", "bridge/", "schemas/", "infra/"))
    }
    named = {word.split("`")[0] for word in named}
    assert [word for word in sorted(named) if not (ROOT / word).exists()] == []


def test_every_benchmark_is_a_module() -> None:
    """`make bench` names nothing that is not there."""
    named = {name for names in AREAS.values() for name in names}
    assert {name for name in named if not (ROOT / f"infra/bench/{name}.py").exists()} == set()


def test_changelog_speaks_of_unreleased_changes() -> None:
    """Users read what changed in their words."""
    assert "## Unreleased" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
