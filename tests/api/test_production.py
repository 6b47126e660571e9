"""What is refused where people depend on it (safety S73)."""

from dataclasses import replace
from pathlib import Path

import pytest

from api.config import Settings
from api.container import main
from api.production import insecurities

SAFE = Settings(
    production=True,
    public_url="https://farm.example",
    database_url="postgresql://gantry:kd83hf0s83hfks@db/gantry",
    setup_token="0123456789abcdef-random",
    secret_key="k83hf0s83hfks9f8h3kfh38fh38fh3kf8",
)


@pytest.fixture
def safe(tmp_path: Path) -> Settings:
    (tmp_path / "data").mkdir(mode=0o700)
    return replace(SAFE, data_dir=tmp_path / "data")


def test_safe_settings_are_taken(safe: Settings) -> None:
    """Nothing to complain about."""
    assert insecurities(safe, {}) == []


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"public_url": ""}, "GANTRY_PUBLIC_URL"),
        ({"public_url": "http://farm.example"}, "GANTRY_PUBLIC_URL"),
        ({"database_url": "postgresql://gantry:gantry@db/x"}, "GANTRY_DATABASE_URL"),
        ({"database_url": "postgresql://gantry:Password@db/x"}, "GANTRY_DATABASE_URL"),
        ({"database_url": "postgresql://gantry@db/x"}, "GANTRY_DATABASE_URL"),
        ({"setup_token": "changeme"}, "GANTRY_SETUP_TOKEN"),
        ({"bus_url": "redis://bus/0"}, "GANTRY_BUS_URL"),
        ({"secret_key": ""}, "GANTRY_SECRET_KEY"),
    ],
)
def test_what_is_insecure_is_named(safe: Settings, changes: dict[str, str], name: str) -> None:
    """One line, with the setting and without the secret (safety S04, S73)."""
    settings = Settings(**{**{f: getattr(safe, f) for f in safe.__slots__}, **changes})
    (line,) = insecurities(settings, {})
    assert line.startswith(name)
    assert "Password" not in line and "changeme" not in line


def test_one_process_alone_may_keep_its_key_in_its_directory(safe: Settings) -> None:
    """Nobody else has to know it: with a local bus, or with SQLite."""
    assert insecurities(replace(safe, bus_url="local", secret_key=""), {}) == []
    assert insecurities(replace(safe, database_url="", secret_key=""), {}) == []


def test_a_closed_network_may_take_the_risk(safe: Settings) -> None:
    """Said explicitly."""
    settings = replace(safe, public_url="http://farm.local", allow_http=True)
    assert insecurities(settings, {}) == []


def test_files_that_everybody_can_read_are_named(safe: Settings, tmp_path: Path) -> None:
    """Secrets and the data directory."""
    secret = tmp_path / "url"
    secret.write_text("x")
    secret.chmod(0o644)
    (line,) = insecurities(safe, {"GANTRY_DATABASE_URL_FILE": str(secret)})
    assert line.startswith("GANTRY_DATABASE_URL_FILE")
    safe.data_dir.chmod(0o755)
    assert insecurities(safe, {})[0].startswith("GANTRY_DATA_DIR")


def test_keys_of_a_demo_store_are_named(safe: Settings) -> None:
    """The ones that every example uses."""
    settings = replace(safe, storage_url="s3://bucket")
    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "minioadmin"}
    assert insecurities(settings, keys)[0].startswith("AWS_SECRET_ACCESS_KEY")
    assert insecurities(settings, {}) == []


def test_the_container_refuses_to_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit status 2, before anything listens (safety S04, S73)."""
    monkeypatch.setenv("GANTRY_PRODUCTION", "yes")
    assert main(["--port", "0", "--data", str(tmp_path)]) == 2
    assert "GANTRY_PUBLIC_URL" in capsys.readouterr().err
