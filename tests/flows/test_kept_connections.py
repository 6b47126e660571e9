"""A refusal before the end of the body leaves the connection to the client's next request."""

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.fakes.processes import ApiProcess

pytestmark = pytest.mark.flow

#: (who sends head and body apart, the path, the status of the refusal)
REFUSED = (
    ("O.D.I.N.'s frontend, a page that is not here", "/api/v1/nothing/here", b"404"),
    ("an app without a key", "/api/printer/command", b"403"),
    ("an app with an old address", "/octoprint/gone/api/job", b"403"),
    ("a plug-in's button", "/api/plugin/psucontrol", b"403"),
)
BODY = b'{"command": "getPSUState"}'


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiProcess]:
    """A running server."""
    with ApiProcess(tmp_path_factory.mktemp("kept")) as running:
        yield running


def read_answer(connection: socket.socket) -> bytes:
    """The status of the next answer; the rest of it is read, too."""
    got = b""
    while b"\r\n\r\n" not in got:
        more = connection.recv(65536)
        assert more, "the connection was closed"
        got += more
    head, _, body = got.partition(b"\r\n\r\n")
    [length] = [
        int(line.partition(b":")[2])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    ]
    while len(body) < length:
        more = connection.recv(65536)
        assert more, "the connection was closed"
        body += more
    return head.split(b" ")[1]


@pytest.mark.parametrize(("path", "status"), [row[1:] for row in REFUSED], ids=str)
def test_the_next_request_of_a_refused_one_is_answered(
    api: ApiProcess, path: str, status: bytes
) -> None:
    """httpx, Node and OkHttp send the body behind the head, and keep the connection; that the
    server had closed it was the failure of what they asked next.
    """
    address = urlsplit(api.url)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: farm\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(BODY)}\r\n\r\n"
    )
    with socket.create_connection((address.hostname, address.port), 20) as connection:
        for _ in range(3):
            connection.sendall(head.encode())
            assert read_answer(connection) == status
            connection.sendall(BODY)
        connection.sendall(b"GET /api/v1/version HTTP/1.1\r\nHost: farm\r\n\r\n")
        assert read_answer(connection) == b"200"
