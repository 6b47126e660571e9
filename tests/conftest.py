"""Options of the whole suite: which seeds the long tests take.

make soak ARGS="--seed 4711"     one seed again, the one that a failure has named
make soak ARGS="--seeds 100000"  more of them than usual
make soak ARGS="--first-seed 1002500 --seeds 2500"  a part: to share a run out, or to go on with it

A long test says every minute how far it is, and how to go on from there.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.seeds import Seeds

#: Seeds of a long test unless somebody says otherwise; the quick tests have those below.
FIRST_SEED, SEEDS = 1_000_000, 5_000


def pytest_addoption(parser: pytest.Parser) -> None:
    """Choose the seeds of the long tests."""
    group = parser.getgroup("seeds")
    group.addoption("--seed", type=int, help="long tests: this seed only")
    group.addoption("--seeds", type=int, default=SEEDS, help="long tests: so many seeds")
    text = "long tests: the first of their seeds"
    group.addoption("--first-seed", type=int, default=FIRST_SEED, help=text)


def pytest_pycollect_makemodule(module_path: Path) -> None:
    """A busy computer is no failure: hypothesis judges what comes out and not how long it took."""
    if b"from hypothesis import" not in module_path.read_bytes():
        return  # it is slow to import, and few need it
    from hypothesis import HealthCheck, settings

    untimed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.register_profile("untimed", untimed)
    settings.load_profile("untimed")


@pytest.fixture
def seeds(request: pytest.FixtureRequest) -> Seeds:
    """The seeds of a long test; a failure names the one it came from."""
    say = _aloud(request.config)
    one = request.config.getoption("--seed")
    if one is not None:
        return Seeds(range(one, one + 1), say)
    first = request.config.getoption("--first-seed")
    return Seeds(range(first, first + request.config.getoption("--seeds")), say)


def _aloud(config: pytest.Config) -> Callable[[str], None]:
    """Writes to the terminal in the middle of a test."""
    capture = config.pluginmanager.getplugin("capturemanager")
    reporter = config.pluginmanager.getplugin("terminalreporter")

    def say(text: str) -> None:
        if capture is not None and reporter is not None:  # a worker has no terminal
            with capture.global_and_fixture_disabled():
                reporter.write_line(f"\n{text}")

    return say
