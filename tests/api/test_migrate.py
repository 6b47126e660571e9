"""The migration command."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from api.config import Settings
from api.db import DatabaseUnusable
from api.migrate import EXIT_DATABASE, main, migrate, pending, place
from tests.fakes.databases import Server


async def test_an_empty_database_gets_its_tables_once(settings: Settings) -> None:
    """What is missing is applied, and a second run finds nothing to do."""
    missing = await pending(settings)
    assert missing[0] == "0001_initial"
    assert await migrate(settings) == missing
    assert await pending(settings) == []
    assert await migrate(settings) == []


def test_the_command_says_what_it_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line for each migration, one with the place; the database is for its owner alone."""
    assert main(["--data", str(tmp_path / "farm")]) == 0
    first = capsys.readouterr().out.splitlines()
    assert first[0] == "applied 0001_initial"
    assert first[-1] == f"{tmp_path}/farm/gantry.sqlite3 is up to date"
    assert (tmp_path / "farm/gantry.sqlite3").stat().st_mode & 0o077 == 0
    assert main(["--data", str(tmp_path / "farm")]) == 0
    assert capsys.readouterr().out.splitlines() == first[-1:]


def test_a_place_that_cannot_be_written_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 5 and one line with what to do."""
    (tmp_path / "file").write_text("not a directory")
    assert main(["--data", str(tmp_path / "file")]) == 5
    error = capsys.readouterr().err
    assert "cannot write in" in error and "--data" in error and error.count("\n") == 1


def test_a_file_that_is_no_database_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 5 as well."""
    (tmp_path / "gantry.sqlite3").write_bytes(b"this is no database" * 100)
    assert main(["--data", str(tmp_path)]) == 5
    assert "gantry.sqlite3" in capsys.readouterr().err


def test_a_database_file_that_cannot_be_written_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Wherever the URL says it is: exit status 5 and the setting."""
    (tmp_path / "farm.sqlite3").mkdir()
    url = f"sqlite://{tmp_path}/farm.sqlite3"
    assert main(["--data", str(tmp_path / "data"), "--database-url", url]) == 5
    error = capsys.readouterr().err
    assert "cannot write the database" in error and "GANTRY_DATABASE_URL" in error
    assert error.count("\n") == 1


def test_a_wrong_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 2 and the setting."""
    monkeypatch.setenv("GANTRY_PORT", "many")
    assert main([]) == 2
    assert "GANTRY_PORT" in capsys.readouterr().err


def test_a_place_shows_no_password(tmp_path: Path) -> None:
    """A database URL is shown without its user and password."""
    assert place(Settings(data_dir=tmp_path)) == f"{tmp_path}/gantry.sqlite3"
    url = "asyncpg://gantry:secret@db.example:5432/farm"
    assert place(Settings(database_url=url)) == "asyncpg://db.example/farm"


async def test_a_database_that_cannot_be_reached_is_unusable(tmp_path: Path) -> None:
    """A refused connection is one error with the place in it."""
    url = "asyncpg://gantry:secret@127.0.0.1:1/farm"
    with pytest.raises(DatabaseUnusable, match=r"127\.0\.0\.1") as unusable:
        await pending(Settings(data_dir=tmp_path, database_url=url))
    assert "secret" not in str(unusable.value)


@pytest.mark.flow
@pytest.mark.parametrize("url", ["sqlite:///none/such/x.db", "postgres://u:secret@127.0.0.1:1/x"])
def test_an_unreachable_database_is_one_line(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 5, before any lock is looked for, without the password."""
    assert main(["--data", str(tmp_path), "--database-url", url]) == EXIT_DATABASE
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "cannot use the database" in said
    assert "secret" not in said


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_three_runs_at_once_are_safe(
    engine: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A lock (of a file, or PostgreSQL's own): the others wait, and each migration runs once."""
    place = ["--data", str(tmp_path)]
    if engine == "postgres":
        server: Server = request.getfixturevalue("postgres")
        place += ["--database-url", server.url(asyncio.run(server.new_database()))]
    runs = [
        subprocess.Popen(
            [sys.executable, "-m", "api.migrate", *place],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    outputs = [run.communicate(timeout=60) for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0], outputs
    told = "".join(out for out, _ in outputs)
    assert told.count("applied 0001_initial") == told.count("applied 0005_") == 1
