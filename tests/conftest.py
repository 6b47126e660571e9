"""Options of the whole suite: which seeds the long tests take.

make soak ARGS="--seed 4711"     one seed again, the one that a failure has named
make soak ARGS="--seeds 100000"  more of them than usual
"""

import pytest

#: Seeds of a long test unless somebody says otherwise; the quick tests have those below.
FIRST_SEED, SEEDS = 1_000_000, 5_000


def pytest_addoption(parser: pytest.Parser) -> None:
    """Choose the seeds of the long tests."""
    group = parser.getgroup("seeds")
    group.addoption("--seed", type=int, help="long tests: this seed only")
    group.addoption("--seeds", type=int, default=SEEDS, help="long tests: so many seeds")


@pytest.fixture
def seeds(request: pytest.FixtureRequest) -> range:
    """The seeds of a long test; a failure names the one it came from."""
    one = request.config.getoption("--seed")
    if one is not None:
        return range(one, one + 1)
    return range(FIRST_SEED, FIRST_SEED + request.config.getoption("--seeds"))
