"""The journal under kill -9 and power cuts: whole transactions, each once (safety R03, R34)."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.agent.database import Clock
from bridge.agent.journal import Journal
from schemas.commands import CommandState, Verb
from schemas.facts import AlarmFact, CommandFact
from tests.fakes.rows import row

REPOSITORY = Path(__file__).parents[3]

_CHILD = """
import os, signal, sys
from pathlib import Path
from bridge.agent.commands import Finish
from bridge.agent.database import Clock
from bridge.agent.journal import Journal
from bridge.control.messages import Alarm, Event
from schemas.commands import CommandState, Verb
from tests.fakes.rows import row, start_args

countdown = int(sys.argv[2])
clock = Clock(1, "boot", 1)

def step(statement):
    global countdown
    countdown -= 1
    if countdown == 0:
        os.kill(os.getpid(), signal.SIGKILL)

journal = Journal(Path(sys.argv[1]))
journal._db.set_trace_callback(step)
for n in range(1, 4):
    start = row(Verb.START, f"c{n}", seq=n, args=start_args(grant=f"g{n}"))
    journal.accept([start], clock)
    print(f"accepted c{n}", flush=True)
    start.sender_boot = "life"
    journal.start(start, clock)
    print(f"started c{n}", flush=True)
    event = Event(boot="life", seq=n, at_ms=n, body=Alarm(code="a", text=f"e{n}"))
    journal.record_events(1, [event], clock)
    print(f"event e{n}", flush=True)
    journal.finish(Finish(start, CommandState.DONE), clock)
    print(f"finished c{n}", flush=True)
print("end", flush=True)
"""


def _check_after_crash(path: Path, said: list[str], now: Clock) -> None:
    journal = Journal(path)
    try:
        facts = journal.facts_after(0)
        assert [fact.seq for fact in facts] == list(range(1, len(facts) + 1))
        told = [fact.body for fact in facts]
        open_states = {c.id: c.state for c in journal.open_commands(now)}
        for line in said:
            what, _, name = line.partition(" ")
            if what == "accepted":
                assert journal.accept([row(Verb.START, name)], now) == []
            elif what == "started":
                assert told.count(CommandFact(id=name, state=CommandState.STARTED)) == 1
            elif what == "finished":
                assert told.count(CommandFact(id=name, state=CommandState.DONE)) == 1
                assert name not in open_states
            elif what == "event":
                assert sum(isinstance(b, AlarmFact) and b.text == name for b in told) == 1
    finally:
        journal.close()


@pytest.mark.seeded
def test_journal_survives_a_kill_at_every_statement(quick_dir: Path, now: Clock) -> None:
    """Safety R03: what was said before the kill is there, once; the rest is whole or absent."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    children = []
    for countdown in (1, 2, 3, 5, 8, 11, 13, 17, 21, 24, 29, 34):
        path = quick_dir / f"j{countdown}"
        child = subprocess.Popen(
            [sys.executable, "-c", _CHILD, str(path), str(countdown)],
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        children.append((path, child))
    for path, child in children:
        said, _ = child.communicate(timeout=30)
        assert child.returncode == -signal.SIGKILL, said
        _check_after_crash(path, said.split("\n")[:-1], now)


def test_journal_survives_a_copy_of_its_files_at_any_moment(quick_dir: Path, now: Clock) -> None:
    """A power cut freezes file and WAL: every image opens, with whole transactions only."""
    journal = Journal(quick_dir / "j")
    for number in range(1, 6):
        command = row(Verb.GCODE, f"c{number}", seq=number)
        journal.accept([command], now)
        journal.start(command, now)
        image = quick_dir / f"image{number}"
        for suffix in ("", "-wal"):
            shutil.copy(quick_dir / f"j{suffix}", f"{image}{suffix}")
        _check_after_crash(image, [f"started c{n}" for n in range(1, number + 1)], now)
    journal.close()
