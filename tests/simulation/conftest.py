"""The simulation's database (one a test process) and `--sim-seed N`, which runs that seed alone."""

import gc
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.config import Settings
from tests.simulation.rows import Rows, opened_rows


def pytest_addoption(parser: pytest.Parser) -> None:
    """`python -m pytest tests/simulation --sim-seed 4711`: one seed, with its history."""
    parser.addoption(
        "--sim-seed", default=None, help="run this seed of the simulation, and show it"
    )


@pytest.fixture(scope="session")
def rows() -> Iterator[Rows]:
    """An in-memory database with the schema; every seed begins with it empty."""
    with opened_rows() as opened:
        gc.collect()
        gc.freeze()  # what stays for ever is not looked through again with every seed
        yield opened
        gc.unfreeze()


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The API's settings; pictures seldom, they are not what is tested here. Rooms that are cut off
    go on alone soon, so that they do within a day of minutes.
    """
    data_dir = Path(tmp_path_factory.mktemp("data"))
    return Settings(data_dir=data_dir, live_interval_s=10.0, alone_after_s=2.0)


@pytest.fixture(autouse=True)
def piling_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A room that was cut off has so few facts that only very few are recorded at once."""
    monkeypatch.setattr("api.link.facts.AT_ONCE", 3)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Thousands of planned disasters are nothing for a log."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """With `--sim-seed` only that seed runs."""
    if config.getoption("--sim-seed", None) is not None:
        items[:] = [item for item in items if item.name == "test_one_seed"]
