"""Writing to a socket that the gateway holds: API Gateway's management API, through boto3.

boto3 is imported when the first frame leaves. Calls block, so they run in threads.
"""

import asyncio
from typing import Any, Protocol


class Poster(Protocol):
    """Who carries frames to sockets."""

    async def post(self, connection_id: str, text: str) -> bool:
        """Deliver *text*; False when the socket is gone. Raises `GatewayUnreachable`."""

    async def close(self, connection_id: str) -> None:
        """End the socket; one that is gone already is fine. Raises `GatewayUnreachable`."""


class GatewayUnreachable(RuntimeError):
    """The gateway does not take calls; the text says why and which setting to look at."""


class GatewayPoster:
    """The management API at *endpoint*: what the WebSocket API calls its callback URL."""

    def __init__(self, endpoint: str, setting: str) -> None:
        """*setting*: the name, behind ``GANTRY_``, of the setting that *endpoint* comes from."""
        self._endpoint = endpoint
        self._setting = setting
        self._client: Any = None

    async def post(self, connection_id: str, text: str) -> bool:
        """See `Poster`."""
        return await self._call(
            "post_to_connection", ConnectionId=connection_id, Data=text.encode()
        )

    async def close(self, connection_id: str) -> None:
        """See `Poster`."""
        await self._call("delete_connection", ConnectionId=connection_id)

    async def _call(self, method: str, **given: Any) -> bool:
        return await asyncio.to_thread(self._blocking, method, given)

    def _blocking(self, method: str, given: dict[str, Any]) -> bool:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            getattr(self._connected(), method)(**given)
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            if status == 410:
                return False
            raise GatewayUnreachable(self._why(error, status)) from error
        except BotoCoreError as error:
            raise GatewayUnreachable(self._why(error)) from error
        return True

    def _why(self, error: Exception, status: int = 0) -> str:
        hint = "; the role needs execute-api:ManageConnections there" if status == 403 else ""
        return f"GANTRY_{self._setting}: {self._endpoint} did not take a frame: {error}{hint}"

    def _connected(self) -> Any:
        if self._client is None:
            import boto3
            from botocore.config import Config

            config = Config(connect_timeout=2, read_timeout=5, retries={"max_attempts": 2})
            self._client = boto3.client(
                "apigatewaymanagementapi", endpoint_url=self._endpoint, config=config
            )
        return self._client
