"""The way to sockets that a gateway holds: what its answers mean, and how its trouble is named."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from api.gateway.post import GatewayPoster, GatewayUnreachable


class Management(ThreadingHTTPServer):
    """A management API that keeps what it is asked and answers one status."""

    def __init__(self) -> None:
        self.status, self.asked = 200, list[tuple[str, str, bytes]]()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.asked.append((self.command, self.path, body))
                self.send_response(outer.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_DELETE = do_POST

            def log_message(self, format: str, *args: object) -> None:
                """Nobody reads it."""

        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/farm"


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[Management]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDCANARY")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s3cret-canary")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with Management() as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


async def test_a_frame_goes_to_its_socket_and_a_socket_that_is_gone_is_no_trouble(
    gateway: Management,
) -> None:
    """410 says that it went away: whoever writes is told so, whoever closes has what they want."""
    poster = GatewayPoster(gateway.url, "GATEWAY_URL")
    assert await poster.post("c1=", "{}") is True
    assert gateway.asked == [("POST", "/farm/@connections/c1%3D", b"{}")]
    gateway.status = 410
    assert await poster.post("c1=", "{}") is False
    await poster.close("c1=")
    assert gateway.asked[-1][:2] == ("DELETE", "/farm/@connections/c1%3D")


async def test_a_gateway_that_refuses_is_named_with_the_right_that_is_missing(
    gateway: Management,
) -> None:
    """Rights are the usual mistake of a deployment by hand; no secret is repeated."""
    gateway.status = 403
    poster = GatewayPoster(gateway.url, "FEED_GATEWAY_URL")
    with pytest.raises(GatewayUnreachable, match="execute-api:ManageConnections") as refused:
        await poster.post("c1=", "{}")
    assert str(refused.value).startswith(f"GANTRY_FEED_GATEWAY_URL: {gateway.url} ")
    assert "canary" not in str(refused.value).lower()


async def test_a_gateway_that_is_not_there_is_named(gateway: Management) -> None:
    """The setting and the address."""
    poster = GatewayPoster("http://127.0.0.1:1/farm", "GATEWAY_URL")
    with pytest.raises(
        GatewayUnreachable, match=r"^GANTRY_GATEWAY_URL: http://127\.0\.0\.1:1/farm"
    ):
        await poster.close("c1=")
