"""Logs of a container: one JSON object a line on stderr, without secrets.

Nothing in the API logs credentials on purpose; what looks like one is blanked out all the same,
because texts of exceptions come from everywhere. Every line that a request causes carries its id,
which the answer carries too (`X-Request-ID`); lines about a command carry the command's.

Who logs uses the standard library; structlog makes a line of each record, its own loggers' too.
"""

import logging
import re
import sys
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import IO, Any

import orjson
from ulid import ULID

from api.clock import iso


@contextmanager
def _hidden(name: str) -> Iterator[None]:
    """In this block package *name* is not found, unless it is loaded already."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]


# structlog prints for people with rich where it finds it: ten times its own cost, at every cold
# start of a function, for what is never used here.
with _hidden("rich"):
    import structlog
    from structlog.typing import EventDict

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]

#: Facts that a line may carry, given as `extra` when it is logged.
FACTS = ("command", "printer", "bridge", "job")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")

_SECRETS = (
    re.compile(r"\b(?:odin|gantry_enrol)_[A-Za-z0-9_-]{8,}"),
    re.compile(r"(?i)\bbearer\s+[^\s\"',]+"),
    re.compile(r'(?<=signature=")[^"]*'),
    re.compile(r"(?i)(?<=api-key: )\S+"),
    re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"),  # user:password in a URL
    re.compile(r"(?i)(?<=[?&]apikey=)[^&\s\"']+"),
    re.compile(r"(?i)(?<=[?&]token=)[^&\s\"']+"),
    re.compile(r"(?i)(?<=x-amz-signature=)[0-9a-f]+"),
    re.compile(r"(?i)(?<=x-amz-security-token=)[^&\s\"']+"),
    re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]+"),  # a JWT
)


def blanked(text: str) -> str:
    """*text* without what looks like a secret."""
    for pattern in _SECRETS:
        text = pattern.sub("[secret]", text)
    return text


def _named(logger: object, level: str, event: EventDict) -> EventDict:
    """When, how bad, where from and what; then the facts that a line may carry, and no others."""
    record: logging.LogRecord = event["_record"]
    line: EventDict = {
        "at": iso(datetime.fromtimestamp(record.created, UTC)),
        "level": record.levelname.lower(),
        "from": record.name,
        "message": blanked(str(event["event"])),
    }
    for fact in ("request", *FACTS):
        if event.get(fact) is not None:
            line[fact] = str(event[fact])
    if "exception" in event:
        line["traceback"] = blanked(event["exception"])
    return line


def _encoded(logger: object, level: str, line: EventDict) -> str:
    return orjson.dumps(line).decode()


_ALWAYS: tuple[structlog.typing.Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.ExtraAdder(FACTS),
    structlog.processors.format_exc_info,
)


class JsonLines(structlog.stdlib.ProcessorFormatter):
    """A record as one line: time, level, where from, what, and the traceback if there is one."""

    def __init__(self) -> None:
        super().__init__(processors=(*_ALWAYS, _named, _encoded))


def identified(scope: Any, send: Send) -> Send:
    """Give the request of *scope* its id: that of a proxy or client, if it is a plain one.

    Returns *send*, which tells the id with the answer.
    """
    given = [value for name, value in scope["headers"] if name.lower() == b"x-request-id"]
    usable = len(given) == 1 and _REQUEST_ID.fullmatch(given[0])
    known = given[0] if usable else str(ULID()).encode()
    structlog.contextvars.bind_contextvars(request=known.decode())

    async def telling(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), (b"x-request-id", known)]
        await send(message)

    return telling


#: Libraries that say at level debug what they are handed: rows, requests, mails, frames.
_TELLTALES = (
    *("aiosqlite", "asyncpg", "tortoise"),
    *("botocore", "boto3", "s3transfer", "urllib3", "httpcore"),
    *("mail.log", "aiosmtplib", "redis", "websockets"),
)


def hush() -> None:
    """Whatever level somebody asks for: no library logs the values that pass through it."""
    for name in _TELLTALES:
        logging.getLogger(name).setLevel(logging.INFO)


def log_json(stream: IO[str] | None = None) -> None:
    """Send every log of this process to *stream* (stderr) as JSON lines, from level info on."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)
