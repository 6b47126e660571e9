"""A process whose wall clock a test sets while it runs; its monotonic clock is the machine's.

`python -m tests.fakes.wall_clock FILE MODULE ARGUMENTS…` runs MODULE as `python -m` does. FILE
holds by how many seconds its wall clock is wrong, and is read whenever somebody looks at that
clock: the kernel's own cannot be set for one process.
"""

import runpy
import sys
import time
from datetime import UTC, datetime
from pathlib import Path


class WallClock:
    """Set it from outside: `jump(3600)`."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.wrong_s = 0.0
        self._write()

    def jump(self, seconds: float) -> None:
        """Forward, or back when negative, for every process that looks at this file."""
        self.wrong_s += seconds
        self._write()

    def right(self) -> None:
        """As the machine's own again."""
        self.jump(-self.wrong_s)

    def _write(self) -> None:
        fresh = self.file.with_suffix(".new")
        fresh.write_text(repr(self.wrong_s), "ascii")
        fresh.rename(self.file)


def set_clocks(file: Path) -> None:
    """This process sees the wall clock that *file* says."""
    real = time.time

    def wrong() -> float:
        return real() + float(file.read_text("ascii"))

    time.time = wrong


def set_api_clock() -> None:
    """What the API calls now: it does not ask `time`."""
    from api.clock import SystemClock

    def now(self: SystemClock) -> datetime:
        return datetime.fromtimestamp(time.time(), UTC)

    setattr(SystemClock, "now", now)  # noqa: B010 - for a while it is another clock


if __name__ == "__main__":
    file_name, module, *arguments = sys.argv[1:]
    set_clocks(Path(file_name))
    if module.partition(".")[0] == "api":
        set_api_clock()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
