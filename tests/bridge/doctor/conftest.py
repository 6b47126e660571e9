"""Processes of a test, ended with it."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.fakes.owner import Processes


@pytest.fixture
def processes() -> Iterator[Processes]:
    """Starts simulators in a directory of their own."""
    with TemporaryDirectory(prefix="g") as directory:
        running = Processes(Path(directory))
        try:
            yield running
        finally:
            running.close()
