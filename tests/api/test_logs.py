"""Logs: JSON lines, no secrets."""

import io
import json
import logging
import subprocess
import sys

import pytest
import structlog

from api.logs import JsonLines, blanked, hush, log_json


def test_a_record_is_one_line_of_json() -> None:
    """Time, level, origin and text; a traceback stays inside the line."""
    try:
        raise RuntimeError("a\nb")
    except RuntimeError:
        record = logging.LogRecord(
            "gantry.link", logging.ERROR, "x", 1, "bridge %d", (7,), sys.exc_info()
        )
    line = JsonLines().format(record)
    assert "\n" not in line
    fields = json.loads(line)
    assert (fields["level"], fields["from"], fields["message"]) == (
        "error",
        "gantry.link",
        "bridge 7",
    )
    assert fields["at"].endswith("Z")
    assert "RuntimeError: a" in fields["traceback"]


@pytest.mark.parametrize(
    "text",
    [
        "token odin_AAAAAAAAsecretAAAA",
        "Authorization: Bearer secret",
        'Gantry-Ed25519 bridge="01X", nonce="n", signature="secret"',
        "X-Api-Key: secret",
        "cannot open postgres://gantry:secret@db/farm",
    ],
)
def test_what_looks_like_a_secret_is_blanked_out(text: str) -> None:
    """Tokens, keys, signatures and passwords in URLs never reach a log."""
    assert "secret" not in blanked(text).replace("[secret]", "")


def test_libraries_do_not_log_what_they_are_handed() -> None:
    """S44: statements with their values, requests with their headers: at no level of the root."""
    hush()
    for name in ("tortoise.db_client", "aiosqlite", "botocore.auth", "websockets.client"):
        assert not logging.getLogger(name).isEnabledFor(logging.DEBUG), name
        assert logging.getLogger(name).isEnabledFor(logging.WARNING), name


def test_all_logs_of_the_process_take_this_form() -> None:
    """Libraries' logs and warnings too, and what is logged with structlog itself."""
    stream = io.StringIO()
    root = logging.getLogger()
    before = root.handlers[:], root.level
    try:
        log_json(stream)
        logging.getLogger("somebody").info("hello")
        logging.getLogger("somebody").debug("not this")
        log = structlog.get_logger("gantry.else")
        log.info("token odin_AAAAAAAAsecretAAAA", command="01COMMAND", colour="red")
    finally:
        structlog.reset_defaults()
        logging.captureWarnings(False)
        root.handlers[:], level = before
        root.setLevel(level)
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert (first["message"], first["from"]) == ("hello", "somebody")
    assert second["message"] == "token [secret]"
    assert {*second} == {"at", "level", "from", "message", "command"}


def test_what_structlog_would_print_in_colours_is_not_loaded() -> None:
    """It is most of what importing structlog costs, and a function pays it at every cold start."""
    code = "import sys, api.logs; sys.exit('rich' in sys.modules or 'structlog' not in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
