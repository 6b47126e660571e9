"""The commands of the server's shell, each as a person would run it."""

import hashlib
import io
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from api.cli.app import EXIT_DATABASE, EXIT_REFUSED, EXIT_USAGE, EXIT_WRONG, main
from api.running import InUse, alone, using

PASSWORD = "Correct-horse-7"
CONTENT = b"G28\nG1 X1\n" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
KEY = f"1/{SHA256[:2]}/{SHA256}"


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A farm with one file."""
    folder = tmp_path_factory.mktemp("farm")
    assert main(["migrate", "--data", str(folder)]) == 0
    with closing(sqlite3.connect(folder / "gantry.sqlite3")) as rows:
        rows.execute(
            "INSERT INTO blob (organization_id, sha256, sha1, size_bytes, storage_key, facts,"
            " created_at) VALUES (1, ?, '', ?, ?, '{}', '2026-01-01')",
            (SHA256, len(CONTENT), KEY),
        )
        rows.commit()
    (folder / "files" / KEY).parent.mkdir(parents=True)
    (folder / "files" / KEY).write_bytes(CONTENT)
    (folder / "session.key").write_bytes(b"k" * 32)
    return folder


@pytest.fixture
def data(farm: Path, tmp_path: Path) -> Path:
    """That farm, for one test alone."""
    return shutil.copytree(farm, tmp_path / "farm")


def run(*arguments: str | Path) -> int:
    return main([str(each) for each in arguments])


def typed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_an_admin_is_made_once_and_gets_another_password(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The password comes by stdin, never by argv; only its hash is kept; the audit log says who."""
    typed(monkeypatch, PASSWORD + "\n")
    command = ("create-admin", "ada", "--password-stdin", "--data", data)
    assert run(*command, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"user_id": 1, "username": "ada"}
    typed(monkeypatch, PASSWORD + "\n")
    assert run(*command) == EXIT_REFUSED
    assert "already" in capsys.readouterr().err
    typed(monkeypatch, "Battery-staple-9\n")
    assert run("reset-password", "ada", "--password-stdin", "--data", data) == 0
    with closing(sqlite3.connect(data / "gantry.sqlite3")) as rows:
        [(kept, is_superadmin)] = rows.execute("SELECT password_hash, is_superadmin FROM user")
        actions = [row[0] for row in rows.execute("SELECT action FROM audit_entry ORDER BY id")]
    assert kept.startswith("$argon2id$") and is_superadmin == 1
    assert actions == ["user.created", "user.password_changed"]


def test_who_is_locked_out_opens_the_door(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The networks stay listed, the list is off, and the audit log says who did it."""
    kept = '{"enabled": true, "cidrs": ["10.0.0.0/8"], "mode": "api_and_ui"}'
    with closing(sqlite3.connect(data / "gantry.sqlite3")) as rows, rows:
        rows.execute("INSERT INTO farm_setting VALUES ('ip_allowlist', ?, '2026-01-01')", [kept])
    assert run("allow-all", "--data", data, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"enabled": False}
    with closing(sqlite3.connect(data / "gantry.sqlite3")) as rows:
        [(value,)] = rows.execute("SELECT value FROM farm_setting")
        [(username, action)] = rows.execute("SELECT username, action FROM audit_entry")
    assert json.loads(value) == {**json.loads(kept), "enabled": False}
    assert (username, action) == ("console", "config.ip_allowlist_updated")


@pytest.mark.parametrize("password", ["short", "password1234"])
def test_a_bad_password_is_refused_with_the_rule(
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    password: str,
) -> None:
    """The rule is that of every other door."""
    typed(monkeypatch, password)
    assert run("create-admin", "ada", "--password-stdin", "--data", data) == EXIT_USAGE
    assert "password" in capsys.readouterr().err.lower()


def test_nobody_has_no_password_to_reset(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line says that there is nobody of that name."""
    typed(monkeypatch, PASSWORD)
    assert run("reset-password", "eve", "--password-stdin", "--data", data) == EXIT_USAGE
    assert "nobody called eve" in capsys.readouterr().err


def test_a_backup_is_put_back_whole(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows, keys and files come back as they were; what was there is kept aside."""
    target = tmp_path / "backup"
    assert run("backup", target, "--data", data, "--json") == 0
    assert json.loads(capsys.readouterr().out)["missing"] == []
    assert run("backup", target, "--data", data) == EXIT_REFUSED
    (data / "files" / KEY).unlink()
    (data / "session.key").write_bytes(b"other")
    assert run("restore", target, "--data", data) == EXIT_REFUSED
    assert not (data / "files" / KEY).exists()
    capsys.readouterr()
    assert run("restore", target, "--data", data, "--replace", "--json") == 0
    kept = Path(json.loads(capsys.readouterr().out)["kept"])
    assert (data / "files" / KEY).read_bytes() == CONTENT
    assert (data / "session.key").read_bytes() == b"k" * 32
    assert (kept / "session.key").read_bytes() == b"other"
    assert run("check", "--contents", "--data", data) == 0
    assert (data / "gantry.sqlite3").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("damaged", [f"files/{KEY}", "gantry.sqlite3", "manifest.json"])
def test_a_damaged_backup_changes_nothing(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], damaged: str
) -> None:
    """Everything is compared before anything is touched; the text names what is damaged."""
    target = tmp_path / "backup"
    assert run("backup", target, "--data", data) == 0
    content = bytearray((target / damaged).read_bytes())
    content[len(content) // 2] ^= 1
    content[0] ^= 1
    (target / damaged).write_bytes(content)
    before = sorted(path.name for path in data.iterdir())
    assert run("restore", target, "--data", data, "--replace") == EXIT_WRONG
    assert damaged in capsys.readouterr().err
    assert sorted(path.name for path in data.iterdir()) == before


def test_a_manifest_does_not_lead_out_of_its_folder(data: Path, tmp_path: Path) -> None:
    """A path with .. in it is refused before it is read."""
    target = tmp_path / "backup"
    assert run("backup", target, "--data", data) == 0
    manifest = json.loads((target / "manifest.json").read_bytes())
    manifest["items"][0]["path"] = "../farm/session.key"
    (target / "manifest.json").write_text(json.dumps(manifest))
    assert run("restore", target, "--data", tmp_path / "other") == EXIT_WRONG
    assert not (tmp_path / "other" / "gantry.sqlite3").exists()


def test_a_running_farm_is_not_overwritten(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The farm holds its directory; backups are made beside it, restores are refused."""
    target = tmp_path / "backup"
    with using(data):
        assert run("backup", target, "--data", data) == 0
        assert run("restore", target, "--data", data, "--replace") == EXIT_REFUSED
        assert "stop that first" in capsys.readouterr().err
    with alone(data), pytest.raises(InUse, match="a restore is at work"), using(data):
        pytest.fail("a farm started in the middle of a restore")


def test_what_is_gone_or_damaged_is_found(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bit rot is found with --contents, loss and wrong sizes at once; a backup says it too."""
    path = data / "files" / KEY
    path.write_bytes(CONTENT[:-1] + b"X")
    assert run("check", "--data", data) == 0
    assert run("check", "--contents", "--data", data) == EXIT_WRONG
    assert "is damaged" in capsys.readouterr().out
    path.write_bytes(CONTENT[:-1])
    assert run("check", "--data", data, "--json") == EXIT_WRONG
    [problem] = json.loads(capsys.readouterr().out)["problems"]
    assert "has 9999 bytes, its row says 10000" in problem
    path.unlink()
    assert run("check", "--data", data) == EXIT_WRONG
    assert "is not there" in capsys.readouterr().out
    assert run("backup", tmp_path / "backup", "--data", data) == EXIT_WRONG


def test_rows_that_lead_nowhere_are_found(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A printer that is held by an attempt that does not exist would never print again."""
    with closing(sqlite3.connect(data / "gantry.sqlite3")) as rows:
        rows.execute(
            "INSERT INTO printer (organization_id, name, slug, active_grant, created_at,"
            " updated_at, is_active, shared, slot_count, tags, slots, baud, dialect, profile,"
            " scripts, plate_policy, plate_state, plate_claim, queue_hold, state, state_reason,"
            " firmware, print_seconds, print_count, sort_order) VALUES (1, 'A', 'a', 'G', '', '',"
            " 1, 0, 4, '[]', '[]', 0, 'auto', '{}', '{}', '', '', '', '', '', '', '{}', 0, 0, 0)"
        )
        rows.commit()
    assert run("check", "--data", data) == EXIT_WRONG
    assert "held by an attempt that does not exist" in capsys.readouterr().out


def test_a_farm_on_postgres_is_told_what_to_use(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A backup that would not hold the rows is not made."""
    monkeypatch.setenv("GANTRY_DATABASE_URL", "postgresql://u@h/d")
    assert run("backup", tmp_path / "b", "--data", data) == EXIT_USAGE
    assert "pg_dump" in capsys.readouterr().err


def test_wrong_settings_and_places_have_their_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """2 for what was said, 5 for what cannot be opened; one line each, never a traceback."""
    (tmp_path / "file").write_text("no folder")
    assert run("check", "--data", tmp_path / "file") == EXIT_DATABASE
    assert run("backup", tmp_path / "b", "--data", tmp_path / "empty") == EXIT_USAGE
    assert run("nonsense") == EXIT_USAGE
    monkeypatch.setenv("GANTRY_BEAT_S", "x")
    assert run("migrate", "--data", tmp_path) == EXIT_USAGE
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", [["check"], ["allow-all"], ["create-admin", "ada"], ["reset-password", "ada"]]
)
def test_a_mistyped_folder_stays_what_it_was(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No empty farm is made by who only wanted to look, and the way to make one is named."""
    nowhere = tmp_path / "gantri"
    assert run(*command, "--data", nowhere) == EXIT_USAGE
    said = capsys.readouterr().err
    assert "there is no farm in" in said
    assert "python -m api migrate" in said
    assert not nowhere.exists()


def test_a_backup_says_what_it_cannot_hold_or_write(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A database without tables is no farm; a folder that cannot be made is named."""
    (tmp_path / "bare").mkdir()
    sqlite3.connect(tmp_path / "bare" / "gantry.sqlite3").close()
    (tmp_path / "bare" / "gantry.sqlite3").touch()
    assert run("backup", tmp_path / "b", "--data", tmp_path / "bare") == EXIT_USAGE
    assert "is no farm's" in capsys.readouterr().err
    assert not (tmp_path / "b").exists()
    assert run("backup", "/proc/backup", "--data", data) == EXIT_DATABASE
    assert "cannot make /proc/backup" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    ["create-admin", "reset-password", "allow-all", "migrate", "backup", "restore", "check"],
)
def test_every_command_has_help_with_an_example(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """--help says how it is used, and shows it."""
    assert run(command, "--help") == 0
    assert "Example: " in capsys.readouterr().out


@pytest.mark.flow
def test_a_backup_of_a_running_farm_starts_another(data: Path, tmp_path: Path) -> None:
    """Real processes: the farm serves, its directory is held, its backup is restored elsewhere."""
    reading, writing = os.pipe()
    container = (sys.executable, "-m", "api.container", "--port", "0", "--data", str(data))
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(
            [*container, "--ready-fd", str(writing)], pass_fds=[writing], stderr=log, stdout=log
        ) as farm,
    ):
        os.close(writing)
        with os.fdopen(reading) as ready:
            assert json.loads(ready.readline())["url"]
        try:
            shell = (sys.executable, "-m", "api")
            backup = [*shell, "backup", str(tmp_path / "backup"), "--data", str(data)]
            assert subprocess.run(backup, check=False).returncode == 0
            restore = [*shell, "restore", str(tmp_path / "backup"), "--replace", "--data"]
            assert subprocess.run([*restore, str(data)], check=False).returncode == EXIT_REFUSED
        finally:
            farm.terminate()
        assert farm.wait(30) == 0
    assert subprocess.run([*restore, str(tmp_path / "other")], check=False).returncode == 0
    check = [*shell, "check", "--contents", "--data", str(tmp_path / "other")]
    assert subprocess.run(check, check=False).returncode == 0
