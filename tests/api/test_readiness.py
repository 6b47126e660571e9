"""Whom load balancers are told to leave alone, and which setting people are told to look at."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from quart import Quart

from api.accounts.service import Accounts
from api.bus.redis import RedisChannel
from api.bus.shared import ChannelLost, Received, SharedBus
from api.clock import Clock
from api.config import Settings
from api.errors import Unavailable
from api.events.service import Ledger
from api.readiness import BUS, NO_BUS, STORAGE, Readiness
from api.status import StatusRoutes
from api.storage import open_storage
from api.v1 import V1
from tests.api.accounts.conftest import cheap_passwords


class Refusing(ThreadingHTTPServer):
    """An object store that refuses everything, or all but looks, with one status and code."""

    def __init__(self, status: int, code: str, region: str, *, shows: bool = False) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if not shows:
                    self.do_PUT()
                    return
                self.send_response(200)
                self.send_header("Content-Length", "19")
                self.end_headers()
                self.wfile.write(b"<ListBucketResult/>")

            def do_PUT(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", "0")))
                body = f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode()
                self.send_response(status)
                self.send_header("x-amz-bucket-region", region)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_HEAD(self) -> None:
                self.send_response(404 if shows else status)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Nobody reads it."""

        super().__init__(("127.0.0.1", 0), Handler)
        self.thread = Thread(target=self.serve_forever, args=(0.01,))
        self.thread.start()


REFUSALS = {
    "no rights": (403, "AccessDenied", "the role needs s3:ListBucket"),
    "wrong region": (301, "PermanentRedirect", "?region=eu-north-1"),
    "wrong region of a signature": (400, "AuthorizationHeaderMalformed", "?region=eu-north-1"),
    "no bucket": (404, "NoSuchBucket", "there is no bucket farm-files"),
    "unknown key": (403, "InvalidAccessKeyId", "AWS_ACCESS_KEY_ID"),
    "wrong secret": (403, "SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"),
}


@pytest.fixture(params=REFUSALS)
def refusal(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """Where such a store is, and the words that help."""
    status, code, words = REFUSALS[request.param]
    server = Refusing(status, code, "eu-north-1")
    yield f"http://127.0.0.1:{server.server_port}", words
    server.shutdown()
    server.thread.join()
    server.server_close()


async def test_a_store_that_refuses_makes_readiness_red_and_the_log_says_what_to_do(
    refusal: tuple[str, str],
    database: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No rights, the wrong region, no bucket, wrong keys: the setting, and no secret (R26, S53)."""
    monkeypatch.setattr("api.readiness.ANSWER_S", 60.0)  # a busy machine imports boto3 slowly
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDCANARY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret-canary")
    endpoint, words = refusal
    url = f"s3://farm-files/farm?region=us-east-1&endpoint={endpoint}"
    readiness = Readiness(open_storage(Settings(storage_url=url)).check)
    with caplog.at_level(logging.WARNING, "gantry.readiness"):
        assert await readiness.problems() == [STORAGE]
    assert "GANTRY_STORAGE_URL" in STORAGE
    assert words in caplog.text and "GANTRY_STORAGE_URL" in caplog.text
    assert "canary" not in caplog.text.lower()


@pytest.fixture
def read_only() -> Iterator[str]:
    """Where a store is that shows its bucket and takes nothing."""
    server = Refusing(403, "AccessDenied", "us-east-1", shows=True)
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.thread.join()
    server.server_close()


async def test_a_bucket_that_may_be_read_alone_is_found_out_by_the_first_upload(
    read_only: str,
    database: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """503 for the upload, then red for a while, with the right that is missing in the log (R26)."""
    monkeypatch.setattr("api.readiness.ANSWER_S", 60.0)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDCANARY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret-canary")
    url = f"s3://farm-files/farm?region=us-east-1&endpoint={read_only}"
    storage = open_storage(Settings(storage_url=url))
    readiness = Readiness(storage.check)
    assert await readiness.problems() == []
    for lasts_s, problems in ((60.0, [STORAGE]), (0.0, [])):
        monkeypatch.setattr("api.storage.s3.DENIED_S", lasts_s)
        with pytest.raises(Unavailable):
            async with storage.draft() as draft:
                await draft.write(b"G28\n")
                await draft.finish()
                await draft.keep("1")
        assert await readiness.problems() == problems
    assert "s3:PutObject" in caplog.text and "canary" not in caplog.text.lower()


class Flaky:
    """A channel that is opened, and lost, when the test says so."""

    max_bytes = 8000

    def __init__(self) -> None:
        self.opens, self.breaks = asyncio.Event(), asyncio.Event()

    async def serve(self, received: Received, opened: Callable[[], None]) -> None:
        await self.opens.wait()
        opened()
        await self.breaks.wait()
        raise ChannelLost("redis://nowhere: it went away")

    async def publish(self, messages: Sequence[bytes]) -> None:
        """Nobody hears."""

    async def close(self) -> None:
        """Nothing is held."""


async def until(bus: SharedBus, *, is_open: bool) -> None:
    async with asyncio.timeout(30):
        while bus.is_open is not is_open:
            await asyncio.sleep(0)


async def test_a_bus_that_is_away_is_said_and_sends_nobody_elsewhere(
    ledger: Ledger, clock: Clock, settings: Settings
) -> None:
    """200 with a warning that names the setting: every process would say the same (R30)."""
    channel = Flaky()
    bus = SharedBus(channel)
    await bus.start()
    channel.opens.set()
    await until(bus, is_open=True)
    channel.opens.clear()
    channel.breaks.set()
    await until(bus, is_open=False)
    quart = Quart("test", static_folder=None)
    accounts = Accounts(ledger, clock, settings, cheap_passwords())
    StatusRoutes(quart, Readiness(bus=bus)).register(V1(quart, accounts))
    answer = await quart.test_client().get("/health/ready")
    told = await answer.get_json()
    assert (answer.status_code, told["problems"], told["warnings"]) == (200, [], [BUS])
    assert "GANTRY_BUS_URL" in BUS
    await bus.stop()


async def test_a_bus_that_was_never_reached_makes_readiness_red(
    database: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong address is found out by who starts with it; a moment to reach it is given."""
    bus = SharedBus(RedisChannel("redis://127.0.0.1:1/0"))
    await bus.start()
    readiness = Readiness(bus=bus)
    assert await readiness.problems() == []
    monkeypatch.setattr("api.readiness.BUS_S", 0.0)
    assert await readiness.problems() == [NO_BUS]
    assert "GANTRY_BUS_URL" in NO_BUS
    await bus.stop()
