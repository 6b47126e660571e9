"""A running farm for the flows, and both faces as their clients see them."""

import lzma
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest

from bridge.simulator.executed import read
from infra.farm.started import StartedFarm
from tests.fakes.migrated import sqlite_into

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"
MINUTE_SPEED = "36"
VASE = ROOT / "infra" / "demo" / "vase_medium.gcode.xz"


class Running(Protocol):
    """A farm that is up."""

    @property
    def directory(self) -> Path:
        """Its data are in the folder `data` there."""

    @property
    def ready(self) -> dict[str, Any]:
        """Where everything is, as `infra.farm --ready-file` says it."""


class Faces:
    """v1 and the OctoPrint face of one farm, as their users call them."""

    def __init__(self, farm: Running) -> None:
        self.farm = farm
        ready = farm.ready
        self.printer = ready["printers"][0]
        self.v1 = httpx.Client(
            base_url=f"{ready['url']}/api/v1",
            headers={"X-API-Key": ready["token"]},
            timeout=60.0,
            trust_env=False,
        )
        self.octoprint = httpx.Client(
            base_url=self.printer["octoprint_url"],
            headers={"X-Api-Key": self.printer["octoprint_key"]},
            timeout=60.0,
            trust_env=False,
        )

    def close(self) -> None:
        self.v1.close()
        self.octoprint.close()

    def get_v1(self, path: str) -> Any:
        answer = self.v1.get(path)
        answer.raise_for_status()
        return answer.json()

    def get_octoprint(self, path: str) -> Any:
        answer = self.octoprint.get(path)
        answer.raise_for_status()
        return answer.json()

    def job_of(self, job_id: int) -> Any:
        return self.get_v1(f"/jobs/{job_id}")

    def progress(self) -> float | None:
        """What v1 says of the running print; None when it does not know."""
        found: float | None = self.get_v1(f"/printers/{self.printer['id']}")["progress"]
        return found

    def executed(self) -> list[str]:
        """What the first printer's firmware ran, without what a host adds around a job."""
        log = self.farm.ready["printers"][0]["executed_log"]
        lines = Path(log).read_text(encoding="utf-8").splitlines()
        return [line for line in lines if not line.startswith("\t")]

    def saved(self) -> list[str]:
        """The lines that have gone into files on the first printer's card."""
        return read(Path(self.farm.ready["printers"][0]["executed_log"])).saved


def commands_of(text: str) -> list[str]:
    """The commands of a sliced file, read without any of our own parsers."""
    stripped = (line.split(";")[0].strip() for line in text.splitlines())
    return [line for line in stripped if line]


def eventually(check: Callable[[], Any], timeout_s: float, what: str, every_s: float = 0.1) -> Any:
    """The first true answer of *check*; fails with *what* after *timeout_s*."""
    deadline = time.monotonic() + timeout_s
    last: Any = None
    while time.monotonic() < deadline:
        try:
            last = check()
        except (httpx.HTTPError, KeyError) as error:
            last = error
        else:
            if last:
                return last
        time.sleep(every_s)
    raise AssertionError(f"{what}: not within {timeout_s} s; last seen {last!r}")


@pytest.fixture(scope="module")
def vase() -> str:
    """175 618 lines of real slicer output."""
    return lzma.decompress(VASE.read_bytes()).decode()


@pytest.fixture(scope="module")
def minute(vase: str) -> str:
    """The beginning of it: about a minute at `MINUTE_SPEED`, in which much can go wrong."""
    return "".join(vase.splitlines(keepends=True)[:60_000])


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartedFarm]:
    """A farm with one free-running simulated printer."""
    directory = tmp_path_factory.mktemp("farm")
    sqlite_into(directory / "data")
    with StartedFarm(directory, "--printers", "1", "--speed", "0", "--no-demo-job") as started:
        yield started


@pytest.fixture
def faces(farm: StartedFarm) -> Iterator[Faces]:
    made = Faces(farm)
    yield made
    made.close()
