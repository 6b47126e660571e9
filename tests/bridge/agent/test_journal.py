"""The journal: exactly once over repeats and crashes, bounded, checked."""

import shutil
import sqlite3
from pathlib import Path

import msgspec
import pytest

from bridge.agent.commands import CommandRow, Finish, finish
from bridge.agent.database import Clock
from bridge.agent.errors import GrantConsumed, JournalError
from bridge.agent.journal import KEEP_COMMANDS_S, KEEP_NEWEST, Journal, open_or_replace
from bridge.agent.outbox import BATCH_BYTES, BATCH_FACTS, SendWindow
from bridge.control.messages import Alarm, AttemptChanged, Event, Firmware, StateChanged
from schemas.commands import CommandState, NoArgs, Verb
from schemas.facts import (
    AlarmFact,
    AttemptFact,
    CommandFact,
    FactBody,
    FirmwareFact,
    GapFact,
    PortsFact,
    PrinterFact,
)
from schemas.jobs import AttemptEvent, AttemptState
from schemas.link import Desired
from schemas.printer import PrinterConfig, PrinterState
from tests.fakes.rows import row


def bodies(journal: Journal) -> list[FactBody]:
    return [fact.body for fact in journal.facts_after(0)]


def attempt(event: AttemptEvent, seq: int, boot: str = "life-1", grant: str = "grant-1") -> Event:
    state = {"started": AttemptState.STARTED}.get(event, AttemptState(event.value))
    body = AttemptChanged(grant=grant, job=1, event=event, state=state)
    return Event(boot=boot, seq=seq, at_ms=seq, body=body)


def alarm(seq: int, boot: str = "life-1") -> Event:
    return Event(boot=boot, seq=seq, at_ms=seq, body=Alarm(code="a", text=str(seq)))


def test_command_is_new_once(journal: Journal, now: Clock) -> None:
    """A repeated id is not new; a delivered one has no fact to repeat."""
    command = row(Verb.GCODE)
    assert journal.accept([command], now) == [command]
    assert journal.accept([command], now) == []
    assert bodies(journal) == []
    assert journal.command_seq() == 1


def test_repeated_command_is_answered_with_its_outcome(journal: Journal, now: Clock) -> None:
    """The stored outcome goes out again as a fact; facts are idempotent."""
    command = row(Verb.GCODE)
    journal.accept([command], now)
    journal.finish(finish(command, CommandState.REJECTED, "code", "why"), now)
    told = CommandFact(id=command.id, state=CommandState.REJECTED, code="code", reason="why")
    assert bodies(journal) == [told]
    journal.accept([command], now)
    assert bodies(journal) == [told, told]


def test_repeated_start_repeats_that_it_never_started(journal: Journal, now: Clock) -> None:
    """Both facts of a refused start come again."""
    command = row(Verb.START)
    journal.accept([command], now)
    journal.finish(finish(command, CommandState.EXPIRED), now)
    first = bodies(journal)
    assert [type(body) for body in first] == [CommandFact, AttemptFact]
    journal.accept([command], now)
    assert [type(body) for body in bodies(journal)[2:]] == [CommandFact, AttemptFact]


def test_grant_is_consumed_once(journal: Journal, now: Clock) -> None:
    """A second start of one grant raises and leaves nothing behind."""
    first, second = row(Verb.START, "a"), row(Verb.START, "b", seq=2)
    journal.accept([first, second], now)
    journal.start(first, now)
    with pytest.raises(GrantConsumed):
        journal.start(second, now)
    assert [command.state for command in journal.open_commands(now)] == ["started", "delivered"]
    assert bodies(journal) == [CommandFact(id="a", state=CommandState.STARTED)]


def test_finished_command_stays_finished(journal: Journal, now: Clock) -> None:
    """A terminal state is final; `unknown` may be resolved once."""
    command = row(Verb.GCODE)
    journal.accept([command], now)
    journal.start(command, now)
    for state in (CommandState.UNKNOWN, CommandState.DONE, CommandState.FAILED):
        journal.finish(Finish(command, state), now)
    states = [body.state for body in bodies(journal) if isinstance(body, CommandFact)]
    assert states == ["started", "unknown", "done"]
    assert journal.open_commands(now) == []


def test_deadlines_of_an_earlier_host_boot_have_passed(journal: Journal, now: Clock) -> None:
    """Monotonic time means nothing after a reboot: what could expire has."""
    timed, timeless = row(Verb.GCODE), row(Verb.GCODE, deadline_ms=None, seq=2)
    journal.accept([timed, timeless], now)
    assert [c.deadline_ms for c in journal.open_commands(now)] == [60_000, None]
    rebooted = msgspec.structs.replace(now, boot="boot-b")
    assert [c.deadline_ms for c in journal.open_commands(rebooted)] == [0, None]


def test_event_becomes_a_fact_once(journal: Journal, now: Clock) -> None:
    """Replayed events are known by their position; each life counts for itself."""
    journal.record_events(1, [alarm(1), alarm(2)], now)
    journal.record_events(1, [alarm(1), alarm(2), alarm(3)], now)
    journal.record_events(1, [alarm(1, "life-2")], now)
    texts = [body.text for body in bodies(journal) if isinstance(body, AlarmFact)]
    assert texts == ["1", "2", "3", "1"]


def test_every_happening_has_its_fact(journal: Journal, now: Clock) -> None:
    """State, attempt, alarm and firmware reach the API as their own kinds."""
    state = StateChanged(state=PrinterState.OPERATIONAL, previous=PrinterState.CONNECTING)
    events = [
        Event(boot="l", seq=1, at_ms=5, body=state),
        Event(boot="l", seq=2, at_ms=6, body=Firmware(name="Marlin")),
        attempt(AttemptEvent.STARTED, 3, "l"),
        alarm(4, "l"),
    ]
    journal.record_events(1, events, now)
    kinds = [type(body) for body in bodies(journal)]
    assert kinds == [PrinterFact, FirmwareFact, AttemptFact, AlarmFact]
    assert [fact.at_ms for fact in journal.facts_after(0)] == [5, 6, 3, 4]


def test_lost_events_leave_a_gap(journal: Journal, now: Clock) -> None:
    """Silence is never read as nothing happened."""
    journal.record_events(1, [alarm(1), alarm(5)], now)
    assert GapFact(what="printer 1", count=3) in bodies(journal)


def test_attempt_of_a_dead_sender_is_interrupted_once(journal: Journal, now: Clock) -> None:
    """Only the attempts of other lives end, and a second call finds none."""
    start = row(Verb.START)
    journal.accept([start], now)
    start.sender_boot = "life-1"
    journal.start(start, now)
    journal.record_events(1, [attempt(AttemptEvent.STARTED, 1)], now)
    assert journal.reported_grants(1) == {"grant-1"}
    assert journal.interrupt(1, "life-1", now) == []
    assert journal.interrupt(1, "life-2", now) == ["grant-1"]
    assert journal.interrupt(1, None, now) == []
    ends = [body.event for body in bodies(journal) if isinstance(body, AttemptFact)]
    assert ends == [AttemptEvent.STARTED, AttemptEvent.INTERRUPTED]


def test_attempt_never_goes_back(journal: Journal, now: Clock) -> None:
    """A late word about an attempt that has ended is not told."""
    events = [attempt(AttemptEvent.STARTED, 1), attempt(AttemptEvent.COMPLETED, 2)]
    journal.record_events(1, [*events, attempt(AttemptEvent.CANCELLED, 3)], now)
    assert [body.event for body in bodies(journal) if isinstance(body, AttemptFact)] == [
        AttemptEvent.STARTED,
        AttemptEvent.COMPLETED,
    ]


def test_failed_start_that_began_is_not_told_as_not_started(journal: Journal, now: Clock) -> None:
    """The sender's own report about the attempt wins."""
    start = row(Verb.START)
    journal.accept([start], now)
    journal.start(start, now)
    journal.record_events(1, [attempt(AttemptEvent.STARTED, 1)], now)
    journal.finish(finish(start, CommandState.FAILED), now)
    events = [body.event for body in bodies(journal) if isinstance(body, AttemptFact)]
    assert events == [AttemptEvent.STARTED]


def test_repeated_stop_is_answered_and_not_new(journal: Journal, now: Clock) -> None:
    """A stop that was sent is started in the journal; its id is remembered."""
    stop = row(Verb.REMOTE_STOP, "s")
    stop.sender_boot = "life-1"
    assert journal.stop(stop, now)
    assert not journal.stop(row(Verb.REMOTE_STOP, "s"), now)
    assert journal.stop_ids() == {"s"}
    assert bodies(journal) == [CommandFact(id="s", state=CommandState.STARTED)] * 2


def test_facts_come_in_bounded_batches(journal: Journal, now: Clock) -> None:
    """At most 100 facts and 24 KiB, contiguous."""
    for number in range(150):
        journal.add_fact(AlarmFact(printer=1, code="x", text="y"), now)
        if number < 20:
            journal.add_fact(AlarmFact(printer=1, code="x", text="y" * 2000), now)
    first = journal.facts_after(0)
    assert 1 < len(first) < BATCH_FACTS
    assert sum(len(msgspec.json.encode(fact)) for fact in first) <= BATCH_BYTES
    assert len(journal.facts_after(40)) == BATCH_FACTS
    assert [fact.seq for fact in first] == list(range(1, len(first) + 1))


def test_acknowledged_facts_go_and_numbers_go_on(journal: Journal, now: Clock) -> None:
    """Numbers are never given twice, even when nothing is left."""
    for _ in range(3):
        journal.add_fact(AlarmFact(printer=1, code="x", text="y"), now)
    journal.acknowledge(3)
    assert journal.fact_span() == (4, 3)
    assert journal.fact_load() == (0, 0)
    journal.add_fact(AlarmFact(printer=1, code="x", text="y"), now)
    assert journal.fact_span() == (4, 4)


def test_full_outbox_drops_what_pictures_repeat_and_says_so(quick_dir: Path, now: Clock) -> None:
    """Job and command facts are always stored; a gap fact counts the rest."""
    journal = Journal(quick_dir / "j", max_fact_bytes=500)
    ports = PortsFact(ports=[])
    important = AlarmFact(printer=1, code="x", text="y" * 400)
    journal.add_fact(important, now)
    journal.add_fact(important, now)
    journal.add_fact(ports, now)
    journal.add_fact(ports, now)
    journal.add_fact(important, now)
    journal.acknowledge(3)
    journal.add_fact(ports, now)
    assert bodies(journal) == [GapFact(what="ports", count=2), ports]
    journal.close()


def test_desired_configuration_is_cached(journal: Journal, now: Clock) -> None:
    """The newest version replaces the one before, whole."""
    configs = [PrinterConfig(id=n, slug=f"p{n}", name="P", port_id="x") for n in (1, 2)]
    journal.configure(Desired(version=3, printers=configs), now)
    assert journal.desired() == (3, configs)
    journal.configure(Desired(version=4, printers=configs[:1]), now)
    assert journal.desired() == (4, configs[:1])


def test_owner_generation_rises_even_without_the_file(quick_dir: Path, now: Clock) -> None:
    """A new journal still outranks the agents of the lost one."""
    journal = Journal(quick_dir / "a")
    assert journal.next_run(now) == (1, now.wall_s)
    earlier = msgspec.structs.replace(now, wall_s=5)
    assert journal.next_run(earlier) == (2, now.wall_s + 1)
    journal.close()
    fresh = Journal(quick_dir / "b")
    later = msgspec.structs.replace(now, wall_s=now.wall_s + 60)
    assert fresh.next_run(later)[1] > now.wall_s + 1
    fresh.close()


def test_old_commands_are_forgotten_and_open_ones_kept(journal: Journal, now: Clock) -> None:
    """Ids of finished commands are kept for at least seven days, and the newest for longer."""
    done, waiting = row(Verb.GCODE, "done"), row(Verb.GCODE, "open", seq=2)
    journal.accept([done, waiting], now)
    journal.finish(finish(done, CommandState.DONE), now)
    newer = [row(Verb.GCODE, f"newer {seq}", seq=seq) for seq in range(3, KEEP_NEWEST + 2)]
    journal.accept(newer, now)
    for age_s, fresh in ((KEEP_COMMANDS_S, []), (KEEP_COMMANDS_S + 1, ["done"])):
        journal.prune(msgspec.structs.replace(now, wall_s=now.wall_s + age_s))
        assert [c.id for c in journal.accept([done, waiting], now)] == fresh


def test_wall_clock_that_jumps_makes_no_command_new(journal: Journal, now: Clock) -> None:
    """Safety M12, R37: the API repeats what it was not told of; the clock was set meanwhile."""
    start = row(Verb.START, "once")
    start.sender_boot = "life"
    journal.accept([start], now)
    journal.start(start, now)
    journal.finish(finish(start, CommandState.DONE), now)
    journal.interrupt(start.printer, None, now)
    jumped = msgspec.structs.replace(now, wall_s=now.wall_s + 400 * 86_400)
    journal.prune(jumped)
    assert journal.accept([row(Verb.START, "once")], jumped) == []
    with pytest.raises(GrantConsumed):
        journal.start(row(Verb.START, "again"), jumped)


def test_renewed_journal_says_what_happened(journal: Journal, now: Clock) -> None:
    """After a roll-back facts go on under a new id."""
    before = journal.journal_id()
    journal.renew(now)
    assert journal.journal_id() not in ("", before)
    (told,) = bodies(journal)
    assert isinstance(told, AlarmFact) and told.code == "journal_rolled_back"


def test_journal_of_another_version_is_refused(quick_dir: Path) -> None:
    """Safety R36: the message says what to do, and the file is untouched."""
    path = quick_dir / "j"
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(JournalError, match="another version"):
        open_or_replace(path, 0)
    assert path.exists()


def test_damaged_journal_is_put_aside(quick_dir: Path, now: Clock) -> None:
    """Safety R35: a file that is no database does not keep the room down."""
    path = quick_dir / "j"
    path.write_bytes(b"x" * 5000)
    journal, said = open_or_replace(path, 77)
    assert said is not None and "damaged-77" in said
    assert (quick_dir / "j.damaged-77").read_bytes() == b"x" * 5000
    journal.add_fact(AlarmFact(printer=None, code="x", text="y"), now)
    journal.close()


def test_window_holds_a_thousand_facts_and_a_mebibyte() -> None:
    """Acks open it again; nothing is counted twice."""
    window = SendWindow(acked=0)
    for batch in range(10):
        assert window.open()
        window.on_sent((batch + 1) * 100, 1000)
    assert not window.open()
    window.on_ack(100)
    assert window.open()
    window.on_ack(50)
    assert (window.acked, window.sent) == (100, 1000)
    big = SendWindow(acked=0)
    big.on_sent(10, 1024 * 1024)
    assert not big.open()


def test_full_disk_is_told_and_nothing_is_half_written(quick_dir: Path, now: Clock) -> None:
    """Safety R33: the transaction is undone, the totals are right, and later ones work."""
    journal = Journal(quick_dir / "j")
    journal._db.execute("PRAGMA max_page_count = 20")
    important = AlarmFact(printer=1, code="x", text="y" * 2000)
    stored = 0
    with pytest.raises(JournalError, match="cannot be written"):
        while True:
            journal.add_fact(important, now)
            stored += 1
    assert journal.fact_load()[0] == stored == journal.fact_span()[1]
    journal.acknowledge(stored)
    journal.add_fact(important, now)
    assert journal.fact_span() == (stored + 1, stored + 1)
    journal.close()


def test_what_another_version_left_and_nobody_can_read_has_ended(
    quick_dir: Path, now: Clock
) -> None:
    """It kept the agent from starting, every time; what had begun is not called undone."""
    journal = Journal(quick_dir / "j")
    rows = [
        CommandRow(id=name, seq=at, printer=1, verb=Verb.START, args=NoArgs())
        for at, name in enumerate(("waits", "begun"), start=1)
    ]
    journal.accept(rows, now)
    journal._db.execute("UPDATE commands SET state = 'started' WHERE id = 'begun'")
    assert journal.open_commands(now) == []
    told = [fact.body for fact in journal.facts_after(0)]
    states = {one.id: one.state for one in told if isinstance(one, CommandFact)}
    assert states == {"waits": CommandState.REJECTED, "begun": CommandState.UNKNOWN}
    told_before = journal.fact_load()
    assert journal.open_commands(now) == []
    assert journal.fact_load() == told_before
    journal.close()


def test_a_copy_goes_on_under_a_number_of_its_own(quick_dir: Path, now: Clock) -> None:
    """Original and copy gave the same numbers to other facts: whose came later was not heard."""
    original = Journal(quick_dir / "j")
    assert not original.is_copy(quick_dir / "j", now)
    original.close()
    shutil.copy(quick_dir / "j", quick_dir / "copy")
    copy, again = Journal(quick_dir / "copy"), Journal(quick_dir / "j")
    assert copy.journal_id() == again.journal_id()
    assert copy.is_copy(quick_dir / "copy", now)
    assert not again.is_copy(quick_dir / "j", now)
    assert copy.journal_id() != again.journal_id()
    [told] = bodies(copy)
    assert isinstance(told, AlarmFact)
    assert told.code == "journal_copied"
    assert not copy.is_copy(quick_dir / "copy", now)
    copy.close()
    again.close()
