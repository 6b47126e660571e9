"""The last lines of the log in memory: bounded, blanked, followed (v1 2.2 `/admin/logs`)."""

import asyncio
import logging
import threading
from collections.abc import Iterator

import orjson
import pytest

from api.upkeep.ring import MAX_LINE, LogRing, Wish


@pytest.fixture
def ring() -> LogRing:
    return LogRing(kept=4)


@pytest.fixture
def log(ring: LogRing) -> Iterator[logging.Logger]:
    logger = logging.Logger("gantry.test", logging.INFO)
    logger.addHandler(ring)
    yield logger
    logger.removeHandler(ring)


def said(ring: LogRing, wish: Wish, most: int = 10) -> list[str]:
    return [orjson.loads(line.text)["message"] for line in ring.last(wish, most)]


def test_the_oldest_lines_go(ring: LogRing, log: logging.Logger) -> None:
    """So many are kept, and they are told oldest first."""
    for number in range(7):
        log.info("line %d", number)
    assert said(ring, Wish()) == ["line 3", "line 4", "line 5", "line 6"]
    assert said(ring, Wish(), most=2) == ["line 5", "line 6"]


def test_lines_are_chosen_by_level_and_text(ring: LogRing, log: logging.Logger) -> None:
    """At least the level, and the text in any case."""
    log.info("Printer alpha came")
    log.warning("printer ALPHA is slow")
    log.error("the disk is full")
    assert said(ring, Wish(level=logging.WARNING)) == ["printer ALPHA is slow", "the disk is full"]
    assert said(ring, Wish(search="alpha")) == ["Printer alpha came", "printer ALPHA is slow"]


def test_no_line_holds_a_secret(ring: LogRing, log: logging.Logger) -> None:
    """What looks like one is blanked before it is kept."""
    log.info("somebody sent %s", "odin_" + "x" * 43)
    assert said(ring, Wish()) == ["somebody sent [secret]"]


def test_a_long_line_is_cut_and_stays_json(ring: LogRing, log: logging.Logger) -> None:
    """A traceback of megabytes does not stay in memory."""
    log.info("x" * (3 * MAX_LINE))
    (line,) = ring.last(Wish(), 1)
    assert len(line.text) < MAX_LINE
    assert orjson.loads(line.text)["message"].endswith("x…")


async def test_a_follower_hears_of_lines_of_other_threads(
    ring: LogRing, log: logging.Logger
) -> None:
    """Whatever thread writes them; nothing comes before somebody follows, or after."""
    log.info("before")
    with ring.followed() as follower:
        writer = threading.Thread(target=log.info, args=("from a thread",))
        writer.start()
        lines = await follower.lines(patience_s=30)
        writer.join()
        assert [orjson.loads(line.text)["message"] for line in lines] == ["from a thread"]
        assert await follower.lines(patience_s=0.001) == []
    log.info("after")
    assert ring.following == 0


async def test_the_end_is_told_to_who_waits(ring: LogRing) -> None:
    """A process that stops keeps nobody waiting."""
    with ring.followed() as follower:
        waiting = asyncio.create_task(follower.lines(patience_s=60))
        await asyncio.sleep(0)
        ring.part()
        async with asyncio.timeout(30):
            assert await waiting == []
        assert follower.is_over
