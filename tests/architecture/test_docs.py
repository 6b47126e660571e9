"""What users can set or meet is written down where they look."""

from dataclasses import fields
from pathlib import Path

from api.config import Settings
from infra.bench.__main__ import AREAS

ROOT = Path(__file__).parents[2]


def test_every_setting_is_in_the_readme() -> None:
    """A setting that is not documented does not exist for its user."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    missing = [
        field.name for field in fields(Settings) if f"GANTRY_{field.name.upper()}" not in readme
    ]
    assert missing == []


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
