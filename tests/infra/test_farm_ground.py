"""One farm per data directory and port, and the second one leaves the first alone."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.farm.children import ChildFailed
from infra.farm.farm import Farm
from infra.farm.ground import Ground, until_free
from infra.farm.options import parse
from infra.farm.screen import open_screen


@pytest.fixture
def neighbour() -> Iterator[subprocess.Popen[bytes]]:
    """A process that another farm started."""
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield sleeper
    sleeper.kill()
    sleeper.wait()


async def test_second_farm_in_a_data_directory_ends_and_touches_nothing_of_the_first(
    tmp_path: Path, neighbour: subprocess.Popen[bytes]
) -> None:
    """It says whose the directory is; the first one's senders go on with their prints."""
    status = tmp_path / "bridge" / "status.json"
    status.parent.mkdir()
    status.write_text(f'{{"senders": [{{"printer": 1, "pid": {neighbour.pid}}}]}}', "utf-8")
    first = Ground(tmp_path)
    second = Farm(parse(["--data", str(tmp_path)]), open_screen())
    with pytest.raises(ChildFailed, match=rf"another farm \(process {os.getpid()}\) runs in"):
        await second.start()
    await second.stop()
    first.leave()
    assert neighbour.poll() is None
    Ground(tmp_path).leave()


def test_farm_that_was_killed_leaves_its_data_directory_to_the_next(tmp_path: Path) -> None:
    """The lock goes with the process, however that ends."""
    code = (
        "import os, signal, sys; from pathlib import Path; from infra.farm.ground import Ground; "
        "ground = Ground(Path(sys.argv[1])); os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    Ground(tmp_path).leave()


async def test_port_of_another_api_is_named_before_anything_talks_to_it() -> None:
    """Its answers would be taken for those of the farm's own API."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ChildFailed, match=f"port {port} on 127.0.0.1 is taken: .* --port"):
            await until_free("127.0.0.1", port, timeout_s=0.0)
        waits = asyncio.create_task(until_free("127.0.0.1", port, timeout_s=30.0))
        await asyncio.sleep(0)
        assert not waits.done()
    await waits
