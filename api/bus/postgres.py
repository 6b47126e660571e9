"""The channel over PostgreSQL's LISTEN/NOTIFY: its own connection, and no further service.

One task (`PostgresChannel.serve`) owns the connection and nobody else asks it anything, because a
connection does one thing at a time. Who publishes hands over a batch and waits for its outcome;
batches that wait go together in one round trip. What waits is bounded by whoever publishes: the
bus (`api.bus.shared`) hands over one batch at a time and merges what comes meanwhile.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from api.bus.shared import ChannelLost, Received

CHANNEL = "gantry"
MAX_BYTES = 7999  # of a NOTIFY's payload
MAX_TOGETHER = 256  # notifications of one round trip, unless a single batch is larger
PROBE_EVERY_S = 5.0  # a connection that is silently dead is found out
PROBE_S = 3.0

_NOTIFY = "SELECT count(pg_notify($1, message)) FROM unnest($2::text[]) AS message"
_TROUBLE = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)


@dataclass(frozen=True, slots=True)
class _Batch:
    """Messages that wait to be told, and who waits for them."""

    messages: Sequence[bytes]
    outcome: asyncio.Future[None]

    def end(self, lost: ChannelLost | None) -> None:
        """It was told, or was not; who asked may have gone meanwhile."""
        if self.outcome.done():
            return
        if lost is None:
            self.outcome.set_result(None)
        else:
            self.outcome.set_exception(lost)


class PostgresChannel:
    """LISTEN and NOTIFY on one connection to *dsn*."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        # A standby listens to nobody; after a failover it may be the first that the URL names.
        is_said = "target_session_attrs" in urlsplit(dsn).query
        self._where = {} if is_said else {"target_session_attrs": "primary"}
        self._is_open = False
        self._waiting: list[_Batch] = []
        self._ready = asyncio.Event()  # a batch waits, or the connection has ended

    @property
    def max_bytes(self) -> int:
        """What NOTIFY carries."""
        return MAX_BYTES

    async def serve(self, received: Received, opened: Callable[[], None]) -> None:
        """Listen and tell until the connection is lost. Raises `ChannelLost`."""

        def on_notify(connection: object, pid: int, channel: str, payload: object) -> None:
            received(str(payload))

        connection: Any = None
        try:
            connection = await asyncpg.connect(
                self._dsn,
                timeout=PROBE_S,
                command_timeout=PROBE_S,
                server_settings={"application_name": "gantry bus"},
                **self._where,
            )
            connection.add_termination_listener(lambda _: self._ready.set())
            await connection.add_listener(CHANNEL, on_notify)
            self._is_open = True
            opened()
            await self._own(connection)
        except _TROUBLE as error:
            raise _away(error) from error
        finally:
            self._is_open = False
            for batch in self._waiting:
                batch.end(_away("its connection ended"))
            self._waiting.clear()
            if connection is not None:
                connection.terminate()

    async def publish(self, messages: Sequence[bytes]) -> None:
        """NOTIFY everybody of *messages*, in order. Raises `ChannelLost`."""
        if not self._is_open:
            raise _away("there is no connection")
        batch = _Batch(messages, asyncio.get_running_loop().create_future())
        self._waiting.append(batch)
        self._ready.set()
        await batch.outcome

    async def close(self) -> None:
        """The connection ends with `serve`."""

    async def _own(self, connection: Any) -> None:
        """Tell what waits and see that the server still answers. Raises when it does not."""
        while not connection.is_closed():
            if await self._has_work() and await self._tell(connection):
                continue
            if not connection.is_closed():
                await connection.execute("SELECT 1")
        raise ConnectionError("the server ended the connection")

    async def _has_work(self) -> bool:
        """Whether a batch waits, as soon as one does; False when it is time to ask the server."""
        if not self._waiting:
            self._ready.clear()
            try:
                async with asyncio.timeout(PROBE_EVERY_S):
                    await self._ready.wait()
            except TimeoutError:
                return False
        return bool(self._waiting)

    async def _tell(self, connection: Any) -> bool:
        """One round trip for the batches that have waited longest; False when it failed."""
        count = messages = 0
        for batch in self._waiting:
            messages += len(batch.messages)
            if count and messages > MAX_TOGETHER:
                break
            count += 1
        batches, self._waiting = self._waiting[:count], self._waiting[count:]
        texts = [message.decode() for batch in batches for message in batch.messages]
        lost: ChannelLost | None = _away("its connection ended")
        try:
            await connection.execute(_NOTIFY, CHANNEL, texts)
            lost = None
        except _TROUBLE as error:  # of these batches; the next question shows if of the connection
            lost = ChannelLost(f"the bus (NOTIFY of GANTRY_DATABASE_URL) takes nothing: {error!r}")
        finally:
            for batch in batches:
                batch.end(lost)
        return lost is None


def _away(why: object) -> ChannelLost:
    return ChannelLost(f"the bus (NOTIFY of GANTRY_DATABASE_URL) is away: {why}")
