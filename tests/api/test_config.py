"""Settings: from the environment, files and the caller; a wrong one is one clear line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from api.config import SettingError, Settings, load
from api.storage import open_storage

WRONG = {
    "GANTRY_PORT": ("abc", ""),
    "GANTRY_MAX_UPLOAD_BYTES": ("-5", "0", "1e9"),
    "GANTRY_SESSION_HOURS": ("0", "-3"),
    "GANTRY_BEAT_S": ("nan", "inf", "0"),
    "GANTRY_LIVE_INTERVAL_S": ("inf", "-1"),
    "GANTRY_DEAD_S": ("15", "nan"),
    "GANTRY_PUBLIC_URL": ("farm.example.org", "ftp://farm", "http://", "http://[x", "http://a:b"),
    "GANTRY_LINK_URL": ("https://rooms.example", "rooms.example", "wss://"),
    "GANTRY_GATEWAY_URL": ("rooms", "wss://rooms.example/farm", "https://"),
    "GANTRY_FEED_GATEWAY_URL": ("dashboards/farm", "http://d:p"),
    "GANTRY_SECRET_KEY": ("too-short-secret",),
    "GANTRY_SMTP_PORT": ("0", "mail"),
    "GANTRY_BUS_URL": ("redis://localhost", "nonsense"),
    "GANTRY_DATABASE_URL": (
        *("nonsense", "mysql://u:secret@h/x", "sqlite://", "postgres://u:secret@h:p/x"),
        *("postgres://[secret", "postgres:///x", "postgres://u:secret@h"),
        "postgres://u:secret@h/x?ssl=require",
    ),
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in WRONG.items() for value in values]
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    """The refusal names the variable, says what it takes, and never shows a password."""
    with pytest.raises(SettingError, match=name) as refused:
        load({name: value})
    assert "secret" not in str(refused.value)


def test_right_settings_are_taken(tmp_path: Path) -> None:
    """From the environment, from a file, and the caller's own word over both."""
    (tmp_path / "url").write_text("postgres://u:secret@db:5432/farm\n")
    environ = {
        "GANTRY_DATABASE_URL_FILE": str(tmp_path / "url"),
        "GANTRY_PUBLIC_URL": "https://farm.example.org/gantry",
        "GANTRY_BEAT_S": "0.5",
        "GANTRY_DEAD_S": "2",
    }
    settings = load(environ, port=0, host=None)
    assert (settings.port, settings.host, settings.beat_s) == (0, "127.0.0.1", 0.5)
    assert settings.database == "asyncpg://u:secret@db:5432/farm"


MAIL = {
    "GANTRY_SMTP_HOST": "mail.example.org",
    "GANTRY_SMTP_FROM": "farm@example.org",
    "GANTRY_SMTP_PASSWORD": "secret",
    "GANTRY_PUBLIC_URL": "https://farm.example.org",
}


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("GANTRY_SMTP_SECURITY", {"GANTRY_SMTP_SECURITY": "ssl3"}),
        ("GANTRY_SMTP_SECURITY", {"GANTRY_SMTP_SECURITY": "none"}),  # with a password, far away
        ("GANTRY_SMTP_FROM", {"GANTRY_SMTP_FROM": ""}),
        ("GANTRY_SMTP_FROM", {"GANTRY_SMTP_FROM": "a@b.example\r\nBcc: c@d.example"}),
        ("GANTRY_PUBLIC_URL", {"GANTRY_PUBLIC_URL": ""}),
    ],
)
def test_a_mail_server_that_cannot_be_used_is_refused(name: str, other: dict[str, str]) -> None:
    """Links need the server's own name (S06), and a password a line that nobody reads along."""
    assert load(MAIL).smtp_port == 587
    with pytest.raises(SettingError, match=name) as refused:
        load(MAIL | other)
    assert "secret" not in str(refused.value)


POSTGRES = {"GANTRY_DATABASE_URL": "postgresql://u:secret@db/farm"}


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"GANTRY_DATABASE_URL": "sqlite:////srv/farm.sqlite3"},
        {**POSTGRES, "GANTRY_BUS_URL": "local"},
    ],
)
def test_several_processes_that_cannot_hear_each_other_are_refused(environ: dict[str, str]) -> None:
    """SQLite, or a bus that ends at the process: what one decides the others would not know."""
    assert load(environ | {"GANTRY_WORKERS": "1"}).workers == 1
    with pytest.raises(SettingError, match=r"GANTRY_WORKERS.*DATABASE_URL.*GANTRY_BUS_URL"):
        load(environ | {"GANTRY_WORKERS": "2"})


@pytest.mark.parametrize("bus", ["", "postgres", "redis://:secret@bus:6379/0"])
def test_several_processes_that_share_a_bus_are_taken(bus: str) -> None:
    """PostgreSQL's own, or Redis."""
    settings = load(POSTGRES | {"GANTRY_WORKERS": "3", "GANTRY_BUS_URL": bus})
    assert (settings.workers, settings.bus_url) == (3, bus)


@pytest.mark.parametrize("number", ["0", "-1", "65", "two"])
def test_a_number_of_processes_that_is_none_is_refused(number: str) -> None:
    """Whatever else is right."""
    with pytest.raises(SettingError, match="GANTRY_WORKERS"):
        load(POSTGRES | {"GANTRY_WORKERS": number})


def test_a_secret_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Missing, or no text."""
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "none", tmp_path / "binary"):
        with pytest.raises(SettingError, match="GANTRY_DATABASE_URL_FILE"):
            load({"GANTRY_DATABASE_URL_FILE": str(path)})


def test_a_storage_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """At the start, not at the first upload."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SettingError, match="GANTRY_STORAGE_URL"):
        open_storage(Settings(storage_url=f"file://{tmp_path}/file"))
    open_storage(Settings(storage_url=f"file://{tmp_path}/new/folder"))
    assert (tmp_path / "new/folder").is_dir()


@pytest.mark.parametrize("module", ["api.container", "api.migrate"])
def test_a_process_with_a_wrong_setting_says_one_line(module: str, tmp_path: Path) -> None:
    """Exit status 2 and no traceback, although modules are imported before settings are read."""
    wrong = {"GANTRY_SESSION_HOURS": "x", "GANTRY_DATA_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", module],
        env={**os.environ, **wrong},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "GANTRY_SESSION_HOURS" in done.stderr


@pytest.mark.parametrize(
    "url", ["postgresql://u:p@db/farm", "postgres://u:p@db/farm", "asyncpg://u:p@db/farm"]
)
def test_postgresql_goes_by_all_its_names(url: str) -> None:
    """Whatever another program calls it, the driver is ours."""
    assert load({"GANTRY_DATABASE_URL": url}).database == "asyncpg://u:p@db/farm"


def test_a_database_behind_a_socket_is_a_database() -> None:
    """The folder of the socket stands in the query."""
    url = "postgresql://u@/farm?host=/run/postgresql"
    assert load({"GANTRY_DATABASE_URL": url}).database == "asyncpg" + url.removeprefix("postgresql")
