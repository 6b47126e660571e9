"""A support bundle: what is needed to help, and nothing that lets somebody in (v1 2.2)."""

import io
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson

from api.config import Settings
from api.upkeep.bundle import bundle, shown_settings

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
CANARY = "canary-5f2e"
SETTINGS = replace(
    Settings(),
    secret_key=CANARY,
    setup_token=CANARY,
    smtp_password=CANARY,
    database_url=f"postgres://farm:{CANARY}@db.example:5432/farm?password={CANARY}",
    bus_url=f"redis://:{CANARY}@bus.example/0",
    storage_url=f"s3://{CANARY}:{CANARY}@s3.example/bucket",
    smtp_host="mail.example",
)


def opened(raw: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_settings_are_told_without_secrets() -> None:
    """Whether one is set, where things are, and how many; never what opens them."""
    told: dict[str, Any] = shown_settings(SETTINGS)
    assert told["secret_key"] == "(set)"
    assert told["gateway_url"] == ""
    assert told["database_url"] == "postgres://db.example:5432/farm?(hidden)"
    assert told["smtp_host"] == "mail.example"
    assert told["smtp_port"] == 587
    assert CANARY not in str(told)


def test_the_bundle_holds_what_is_promised() -> None:
    """Versions, health, sizes, settings and the log; dated, and free of the canary."""
    facts = {"versions": {"gantry": "1"}, "health": {"problems": []}, "rows": {"job": 7}}
    files = opened(bundle(facts, SETTINGS, ['{"message": "one"}', '{"message": "two"}'], NOW))
    assert set(files) == {
        f"support/{name}"
        for name in (
            *("README.txt", "settings.json", "versions.json"),
            *("health.json", "rows.json", "log.jsonl"),
        )
    }
    assert orjson.loads(files["support/rows.json"]) == {"job": 7}
    assert files["support/log.jsonl"].count(b"\n") == 2
    assert all(CANARY.encode() not in content for content in files.values())
