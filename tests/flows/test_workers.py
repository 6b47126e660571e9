"""Several processes behind one socket."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.fakes import databases
from tests.fakes.replicas import running_replicas

pytestmark = pytest.mark.flow


@pytest.fixture
def postgres() -> Iterator[databases.Server]:
    with databases.running_server() as server:
        yield server


def test_workers_share_a_socket_and_stop_together(
    postgres: databases.Server, tmp_path: Path
) -> None:
    """`GANTRY_WORKERS=2`: both serve, one SIGTERM ends both cleanly."""
    with running_replicas(postgres, tmp_path, 1, GANTRY_WORKERS="2", GANTRY_DRAIN_S="0") as farm:
        (api,) = farm.apis
        children = Path(f"/proc/{api.process.pid}/task/{api.process.pid}/children").read_text()
        assert len(children.split()) == 2
        for _ in range(20):
            assert httpx.get(f"{api.url}/health", timeout=30).json()["status"] == "ok"
        assert api.stop() == 0
        assert not any(Path(f"/proc/{pid}").exists() for pid in children.split())
