"""The sender's end of the control socket."""

import socket
from pathlib import Path

import pytest

from bridge.control.framing import encode
from bridge.control.messages import Adopt, Refused
from bridge.control.server import Listener
from bridge.errors import ControlError


def test_a_peer_connects_talks_and_leaves(tmp_path: Path) -> None:
    """Messages in, messages out, and the end of the peer is an error to handle."""
    listener = Listener(tmp_path / "1.sock")
    assert listener.accept() is None
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(listener.path))
        connection = listener.accept()
        assert connection is not None
        assert connection.receive() == []
        peer.sendall(encode(Adopt(epoch=1, agent_pid=2)))
        assert connection.receive() == [Adopt(epoch=1, agent_pid=2)]
        connection.send(Refused(reason="no"))
        assert peer.recv(100) == encode(Refused(reason="no"))
    with pytest.raises(ControlError):
        connection.receive()
    connection.close()
    listener.close()
    assert not listener.path.exists()


def test_a_dead_socket_file_is_replaced(tmp_path: Path) -> None:
    """A killed sender leaves its socket file; the next one, holding the lock, takes the path."""
    (tmp_path / "1.sock").touch()
    listener = Listener(tmp_path / "1.sock")
    assert listener.path.is_socket()
    listener.close()


def test_a_peer_that_does_not_read_is_dropped(tmp_path: Path) -> None:
    """Memory is bounded by the connection, not by the peer's patience."""
    listener = Listener(tmp_path / "1.sock")
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(listener.path))
        connection = listener.accept()
        assert connection is not None
        with pytest.raises(ControlError, match="does not read"):
            for _ in range(100):
                connection.send(Refused(reason="x" * 500_000))
        connection.close()
    listener.close()
