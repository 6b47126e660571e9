"""Logs of a container: one JSON object a line on stderr, without secrets.

Nothing in the API logs credentials on purpose; what looks like one is blanked out all the same,
because texts of exceptions come from everywhere.
"""

import logging
import re
import sys
from datetime import UTC, datetime
from typing import IO

import orjson

from api.clock import iso

_SECRETS = (
    re.compile(r"\b(?:odin|gantry_enrol)_[A-Za-z0-9_-]{8,}"),
    re.compile(r"(?i)\bbearer\s+[^\s\"',]+"),
    re.compile(r'(?<=signature=")[^"]*'),
    re.compile(r"(?i)(?<=api-key: )\S+"),
    re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"),  # user:password in a URL
)


def blanked(text: str) -> str:
    """*text* without what looks like a secret."""
    for pattern in _SECRETS:
        text = pattern.sub("[secret]", text)
    return text


class JsonLines(logging.Formatter):
    """A record as one line: time, level, where from, what, and the traceback if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line = {
            "at": iso(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname.lower(),
            "from": record.name,
            "message": blanked(record.getMessage()),
        }
        if record.exc_info:
            line["traceback"] = blanked(self.formatException(record.exc_info))
        return orjson.dumps(line).decode()


def log_json(stream: IO[str] | None = None) -> None:
    """Send every log of this process to *stream* (stderr) as JSON lines, from level info on."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)
