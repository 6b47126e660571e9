"""The channel over PostgreSQL's LISTEN/NOTIFY: its own connection, and no further service."""

import asyncio
from collections.abc import Callable
from typing import Any

import asyncpg

from api.bus.shared import ChannelLost, Received

CHANNEL = "gantry"
MAX_BYTES = 7999  # of a NOTIFY's payload
PROBE_EVERY_S = 5.0  # a connection that is silently dead is found out
PROBE_S = 3.0

_TROUBLE = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)


class PostgresChannel:
    """LISTEN and NOTIFY on one connection to *dsn*."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: Any = None

    @property
    def max_bytes(self) -> int:
        """What NOTIFY carries."""
        return MAX_BYTES

    async def serve(self, received: Received, opened: Callable[[], None]) -> None:
        """Listen until the connection is lost. Raises `ChannelLost`."""

        def on_notify(connection: object, pid: int, channel: str, payload: object) -> None:
            received(str(payload))

        connection: Any = None
        try:
            connection = await asyncpg.connect(
                self._dsn,
                timeout=PROBE_S,
                command_timeout=PROBE_S,
                server_settings={"application_name": "gantry bus"},
            )
            ended = asyncio.Event()
            connection.add_termination_listener(lambda _: ended.set())
            await connection.add_listener(CHANNEL, on_notify)
            self._connection = connection
            opened()
            await _until(ended, connection)
        except _TROUBLE as error:
            raise ChannelLost(
                f"the bus (NOTIFY of GANTRY_DATABASE_URL) is away: {error}"
            ) from error
        finally:
            self._connection = None
            if connection is not None:
                connection.terminate()

    async def publish(self, message: bytes) -> None:
        """NOTIFY everybody. Raises `ChannelLost`."""
        connection = self._connection
        if connection is None:
            raise ChannelLost("the bus (NOTIFY of GANTRY_DATABASE_URL) is away")
        try:
            await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, message.decode())
        except _TROUBLE as error:
            raise ChannelLost(
                f"the bus (NOTIFY of GANTRY_DATABASE_URL) takes nothing: {error}"
            ) from error

    async def close(self) -> None:
        """The connection ends with `serve`."""


async def _until(ended: asyncio.Event, connection: Any) -> None:
    """Return when the connection has *ended*; raises when it does not answer any more."""
    while not ended.is_set():
        try:
            async with asyncio.timeout(PROBE_EVERY_S):
                await ended.wait()
        except TimeoutError:
            await connection.execute("SELECT 1")
    raise ConnectionError("the server ended the connection")
