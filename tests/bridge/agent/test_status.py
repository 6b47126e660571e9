"""What `bridge status` says of a printer to somebody who goes there."""

import os
import time
from pathlib import Path

import pytest

from bridge import cli
from bridge.agent.status import (
    STATUS_FILE,
    AgentStatus,
    LinkStatus,
    OutboxStatus,
    SenderStatus,
    SpoolStatus,
    Status,
    notes_of,
    sender_pids,
    stale,
    write,
)
from schemas.printer import Live, PrinterState, Prompt


def test_only_what_asks_for_a_person_is_noted() -> None:
    """Nothing while all is well; the question, the place, the heat and the stop where it is not."""
    well = Live(printer=1, state=PrinterState.OPERATIONAL, stop_reach="at_once")
    assert notes_of(well) == []
    troubled = Live(
        printer=1,
        state=PrinterState.PAUSED,
        prompt=Prompt("Filament out", ["Resume"]),
        position_known=False,
        temps_stale=True,
        stop_reach="unknown",
        heat_lease_s=61.4,
    )
    assert notes_of(troubled) == [
        "it asks: Filament out [Resume]",
        "nobody knows where its head is: home it before anything else moves",
        "its temperatures are old: it reports none",
        "a remote stop may not act at once: have its power switch in reach",
        "heated without a job, for 61 s more",
    ]


def test_a_status_that_is_old_although_an_agent_runs_says_so(tmp_path: Path) -> None:
    """On a full disk `bridge status` showed the last word as if it were the present one."""
    (tmp_path / STATUS_FILE).write_text("{}")
    assert stale(tmp_path) is None
    minute_ago = time.time() - 60
    os.utime(tmp_path / STATUS_FILE, (minute_ago, minute_ago))
    said = stale(tmp_path)
    assert said is not None
    assert "60 s old" in said
    assert "MiB are free" in said


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """A room whose one printer says what a terminal would obey."""
    sender = SenderStatus(
        printer=1,
        slug="p",
        pid=4711,
        state="running",
        port="/dev/ttyUSB0",
        adopted=True,
        error="halted \x1b]52;c;cm0gLXJm\x07\x9b2J\r",
        notes=["it asks: \x1b[2J [Yes]"],
    )
    idle = SenderStatus(printer=2, slug="q", pid=None, state="starting", port=None, adopted=False)
    status = Status(
        agent=AgentStatus(pid=1, version="0", started_at="now"),
        link=LinkStatus(state="open", epoch=1, url="https://farm"),
        outbox=OutboxStatus(facts=0, bytes=0),
        spool=SpoolStatus(files=0, bytes=0),
        senders=[sender, idle],
    )
    write(tmp_path, status)
    return tmp_path


def test_what_a_printer_says_does_nothing_to_the_terminal_of_its_reader(
    room: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It could fill the clipboard of an administrator, or hide the lines above."""
    cli.main(["status", "--state-dir", str(room)])
    told = capsys.readouterr().out
    assert "halted ?]52;c;cm0gLXJm??2J?" in told
    assert "it asks: ?[2J [Yes]" in told
    assert all(line.isprintable() for line in told.split("\n"))


def test_the_senders_that_were_written_down_are_known(room: Path) -> None:
    """For an agent that starts beside them; nothing is known where nothing was written."""
    assert sender_pids(room) == [4711]
    assert sender_pids(room / "elsewhere") == []
