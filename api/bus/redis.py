"""The channel over Redis or Valkey, for farms with so many replicas that NOTIFY is too slow."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from api.bus.shared import ChannelLost, Received

CHANNEL = "gantry"
MAX_BYTES = 64 * 1024
ANSWER_S = 3.0
PROBE_EVERY_S = 5.0

_TROUBLE = (RedisError, OSError, TimeoutError)


class RedisChannel:
    """Publish and subscribe at *url* (``redis://`` or ``rediss://``)."""

    def __init__(self, url: str) -> None:
        # It must not try again by itself: what was said meanwhile is lost, so whoever listens here
        # has to know, and whoever speaks must not wait.
        self._redis: Any = Redis.from_url(
            url,
            socket_timeout=ANSWER_S,
            socket_connect_timeout=ANSWER_S,
            retry=Retry(NoBackoff(), 0),
        )

    @property
    def max_bytes(self) -> int:
        """Redis would take more; so much is handled at once."""
        return MAX_BYTES

    async def serve(self, received: Received, opened: Callable[[], None]) -> None:
        """Subscribe until the connection is lost. Raises `ChannelLost`."""
        pubsub = self._redis.pubsub(ignore_subscribe_messages=True)
        try:
            await pubsub.subscribe(CHANNEL)
            opened()
            while True:
                message = await pubsub.get_message(timeout=PROBE_EVERY_S)
                if message is None:
                    await pubsub.ping()
                elif message["type"] == "message":  # and not the answer to a ping
                    received(message["data"])
        except _TROUBLE as error:
            raise ChannelLost(f"the bus (GANTRY_BUS_URL) is away: {error}") from error
        finally:
            await asyncio.shield(pubsub.aclose())

    async def publish(self, messages: Sequence[bytes]) -> None:
        """Tell everybody, in order and in one round trip. Raises `ChannelLost`."""
        try:
            async with self._redis.pipeline(transaction=False) as pipeline:
                for message in messages:
                    pipeline.publish(CHANNEL, message)
                await pipeline.execute()
        except _TROUBLE as error:
            raise ChannelLost(f"the bus (GANTRY_BUS_URL) takes nothing: {error}") from error

    async def close(self) -> None:
        """End the connections."""
        await self._redis.aclose()
