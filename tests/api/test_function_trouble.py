"""Cloud functions on a database that is away, or whose tables are of another version."""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from api.config import Settings
from api.errors import Unavailable
from api.function import Process
from api.gateway.models import GatewaySocket
from api.gateway.post import GatewayPoster, GatewayUnreachable
from api.migrate import migrate
from api.readiness import DATABASE
from tests.api.conftest import FakeClock
from tests.fakes.rooms import printer_row

NOWHERE = "asyncpg://gantry:canary-of-the-database@127.0.0.1:1/farm"

Start = Callable[..., Process]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Processes with settings of their own; they end with the test."""
    running: list[Process] = []

    def started(**given: Any) -> Process:
        running.append(Process(Settings(data_dir=tmp_path, **given)))
        return running[-1]

    yield started
    for process in running:
        process.loop.run_until_complete(process.application.shutdown())
        process.loop.close()
    asyncio.set_event_loop(None)


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Sockets that the gateway was told to close."""
    found: list[str] = []

    async def close(poster: GatewayPoster, connection_id: str) -> None:
        found.append(f"{poster._setting} {connection_id}")

    monkeypatch.setattr(GatewayPoster, "close", close)
    return found


def asked(process: Process, path: str) -> tuple[int, Any]:
    """What a GET is answered."""
    context = {"method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.7"}
    event = {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "farm.example"},
        "requestContext": {"http": context, "stage": "$default"},
        "isBase64Encoded": False,
    }
    answer = process.http(event, None)
    return answer["statusCode"], json.loads(answer["body"])


def frame(kind: str, **more: Any) -> dict[str, Any]:
    return {"requestContext": {"eventType": kind, "connectionId": "c1"}, "body": "{}", **more}


def test_a_database_that_is_away_is_503_and_said_and_no_failure_of_the_function(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """Both dialects, readiness with the setting, the process alive; the log never has the
    password (R19, R20).
    """
    process = start(database_url=NOWHERE)
    assert asked(process, "/health/ready") == (503, {**_RED, "problems": [DATABASE]})
    status, health = asked(process, "/api/v1/health")
    assert (status, health["database"]) == (200, "unavailable")
    status, told = asked(process, "/api/v1/printers")
    assert (status, told["error"]["code"]) == (503, "storage_unavailable")
    status, told = asked(process, "/octoprint/one/api/printer")
    assert (status, list(told)) == (503, ["error"])
    assert DATABASE in caplog.text and "canary" not in caplog.text


_RED = {"ready": False, "version": "1.9.3", "warnings": []}


def test_sockets_come_later_and_a_frame_that_finds_no_database_ends_its_socket(
    start: Start, closed: list[str]
) -> None:
    """Its owner greets again and says once more what nobody acknowledged: nothing is lost (R53)."""
    process = start(database_url=NOWHERE)
    for kind in ("CONNECT", "DISCONNECT", "MESSAGE"):
        answer = process.run(process.socket(frame(kind)))
        assert (answer["statusCode"], answer["headers"]["Retry-After"]) == (503, "2")
    process.run(process.socket(frame("MESSAGE", stageVariables={"socket": "feed"})))
    assert closed == ["GATEWAY_URL c1", "FEED_GATEWAY_URL c1"]


def test_a_gateway_that_takes_no_pictures_ends_no_link(
    start: Start,
    tmp_path: Path,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The way to dashboards is wrong: a room's frame was taken all the same, and answered so."""
    asyncio.run(migrate(Settings(data_dir=tmp_path)))

    async def post(poster: GatewayPoster, connection_id: str, text: str) -> bool:
        raise GatewayUnreachable(f"GANTRY_{poster._setting}: nobody takes {connection_id}'s frame")

    monkeypatch.setattr(GatewayPoster, "post", post)
    process = start()
    answer = process.run(_a_picture_comes(process, clock))
    assert answer == {"statusCode": 200}
    assert "GANTRY_FEED_GATEWAY_URL: nobody takes d1's frame" in caplog.text


async def _a_picture_comes(process: Process, clock: FakeClock) -> Any:
    """A frame of a room in an invocation with a new picture, while somebody watches."""
    rooms = process.application.rooms
    by = (await rooms.accounts.setup("admin", "a@example.org", "Correct-horse-7", "x")).principal
    printer = await printer_row(clock, None)
    await GatewaySocket.create(
        connection_id="d1",
        kind="feed",
        organization_id=1,
        credential_id=by.credential_id,
        greeted=True,
        opened_at=clock.now(),
    )
    process._changed.add((1, printer.id))
    return await process.socket(frame("MESSAGE"))


def test_a_tick_without_a_database_fails_with_the_setting_in_its_log(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """An alarm on failed invocations hears of it."""
    process = start(database_url=NOWHERE)
    with pytest.raises(Exception, match="connection to the database was lost"):
        process.run(process.tick())
    assert DATABASE in caplog.text


@pytest.mark.parametrize(
    ("changed", "back", "words"),
    [
        ("SET app = 'x' WHERE name LIKE '0005%'", "SET app = 'farm'", "of an earlier version"),
        ("SET name = '9' || name", "SET name = substr(name, 2)", "of a later version (9000"),
        ("RENAME TO elsewhere", "RENAME TO tortoise_migrations", "invoke the migrate function"),
    ],
)
def test_on_tables_of_another_version_nothing_is_done_until_they_fit(
    start: Start, tmp_path: Path, changed: str, back: str, words: str
) -> None:
    """Readiness is red and says what to do; when it is done, the same process goes on."""
    process = start()
    asyncio.run(migrate(Settings(data_dir=tmp_path)))
    asyncio.set_event_loop(process.loop)
    tables(tmp_path, changed)
    status, told = asked(process, "/health/ready")
    assert status == 503 and words in told["problems"][0]
    assert "GANTRY_DATABASE_URL" in told["problems"][0]
    assert asked(process, "/api/v1/printers")[0] == 503
    with pytest.raises(Unavailable, match="GANTRY_DATABASE_URL"):
        process.run(process.tick())
    tables(tmp_path, back)
    assert asked(process, "/health/ready")[0] == 200
    assert asked(process, "/api/v1/printers")[0] == 401


def tables(directory: Path, change: str) -> None:
    """Change the list of what was applied to the farm's tables."""
    name = "elsewhere" if change == "RENAME TO tortoise_migrations" else "tortoise_migrations"
    verb = "ALTER TABLE" if change.startswith("RENAME") else "UPDATE"
    with closing(sqlite3.connect(directory / "gantry.sqlite3")) as database, database:
        database.execute(f"{verb} {name} {change}")
