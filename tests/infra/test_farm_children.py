"""Children of the farm: restarted when they die, ended when asked, quoted when they fail."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from infra.farm.children import Child, ChildFailed, last_line, run_once

SLEEPER = ["infra.farm.options_that_do_not_exist"]


async def until(check: object, timeout_s: float = 5.0) -> None:
    """Wait until *check()* is true."""
    assert callable(check)
    deadline = asyncio.get_running_loop().time() + timeout_s
    while not check():
        assert asyncio.get_running_loop().time() < deadline, "not in time"
        await asyncio.sleep(0.02)


async def test_killed_child_is_started_again(tmp_path: Path) -> None:
    """kill -9 gives a new process, and the farm is told."""
    news: list[str] = []
    child = Child("web", ["http.server", "0", "--bind", "127.0.0.1"], tmp_path / "log",
                  lambda name, what: news.append(f"{name} {what}"))  # fmt: skip
    await child.start()
    first = child.pid
    os.kill(first, signal.SIGKILL)
    await until(lambda: child.restarts == 1 and child.pid not in (0, first))
    assert any("signal 9" in text for text in news)
    await child.stop()
    assert child.pid == 0


async def test_failed_command_is_quoted(tmp_path: Path) -> None:
    """The last line of its log is the error."""
    with pytest.raises(ChildFailed, match="No module named"):
        await run_once("x", SLEEPER, tmp_path / "log")


def test_last_line_of_a_log_skips_blanks(tmp_path: Path) -> None:
    """What a person is shown is the last thing that was said."""
    log = tmp_path / "log"
    log.write_text("first\nsecond\n\n  \n", encoding="utf-8")
    assert last_line(log) == "second"
    assert last_line(tmp_path / "none") == ""
