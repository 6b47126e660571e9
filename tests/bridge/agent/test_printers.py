"""Supervision: senders are found or started, listened to, and buried once."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from bridge.agent import printers
from bridge.agent.errors import SenderLost, SpoolError
from bridge.agent.senders import SenderLine
from bridge.control.messages import (
    Adopt,
    Alarm,
    CardWrite,
    CardWritten,
    EventAck,
    Gcode,
    Outcome,
    RemoteStop,
    Start,
    Status,
    Verdict,
)
from schemas import link
from schemas.commands import CardAction, Verb
from schemas.facts import AlarmFact, CardWrittenFact, Port, PrinterFact
from schemas.jobs import AttemptEvent
from schemas.link import Desired
from schemas.printer import PrinterState
from tests.fakes.hall import CONFIG, Hall, hall_of
from tests.fakes.sender import FakeHome, FakeSender, serve


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits of the supervision are short here."""
    monkeypatch.setattr(printers, "ADOPT_AGAIN_S", 0.001)
    monkeypatch.setattr("bridge.agent.restarts.DELAYS_S", (0.0,))
    monkeypatch.setattr("bridge.agent.work.SETTLE_S", 0.01)


async def test_sender_that_does_not_run_is_started_and_told(quick_dir: Path) -> None:
    """Start, adopt, configure with the device that the port has now."""
    async with hall_of(quick_dir) as hall:
        await hall.until(lambda: bool(hall.home.senders) and bool(hall.sender.configured))
        assert hall.home.starts == [1]
        assert hall.sender.configured[0].config == CONFIG
        assert hall.sender.configured[0].device == "/dev/ttyX"


async def test_running_sender_is_adopted_and_not_started(quick_dir: Path) -> None:
    """An agent's restart touches no sender: it is found and told."""
    async with hall_of(quick_dir, FakeSender()) as hall:
        await hall.until(lambda: hall.sender.configured)
        assert hall.home.starts == []
        assert next(iter(hall.fleet.keepers())).adopted


async def test_events_become_facts_and_are_acknowledged(quick_dir: Path) -> None:
    """Journal first, then the ack that lets the sender forget."""
    async with hall_of(quick_dir, FakeSender()) as hall:
        hall.sender.happen(Alarm(code="x", text="hot"))

        async def stored() -> bool:
            return AlarmFact(printer=1, code="x", text="hot") in await hall.facts()

        await hall.until(stored)
        await hall.until(lambda: not hall.sender.waiting)
        facts = [fact for fact in await hall.facts() if isinstance(fact, AlarmFact)]
        assert len(facts) == 1


async def test_command_runs_once_and_is_answered(quick_dir: Path) -> None:
    """Started, done; the repeated frame changes nothing."""
    async with hall_of(quick_dir, FakeSender()) as hall:
        command_id = await hall.command(Verb.GCODE, {"lines": ["G28"]})
        await hall.told(command_id, "started", "done")
        await hall.fleet.commands([hall.api.commands[0]])
        assert await hall.states(command_id) == ["started", "done", "done"]
        [handed] = hall.sender.executed
        assert isinstance(handed, Gcode)
        assert (handed.id, handed.lines) == (command_id, ["G28"])
        assert handed.before_ms is not None  # a sender that reads it later does not run it


async def test_whose_lines_they_are_reaches_the_sender(quick_dir: Path) -> None:
    """safety M20: an admin's lines are theirs at the port too; what does not say so is nobody's."""
    async with hall_of(quick_dir, FakeSender()) as hall:
        for args in ({"lines": ["M500"], "admin": True}, {"lines": ["M500"]}):
            await hall.told(await hall.command(Verb.GCODE, args), "started", "done")
        told = [one.admin for one in hall.sender.executed if isinstance(one, Gcode)]
        assert told == [True, False]


async def test_start_brings_its_file_and_the_attempt_is_told(quick_dir: Path) -> None:
    """The sender gets the spool's path; its own events tell the attempt."""
    async with hall_of(quick_dir, FakeSender()) as hall:
        command_id = await hall.start()
        await hall.told(command_id, "started", "done")
        (start,) = hall.sender.executed
        assert isinstance(start, Start) and start.job.path.startswith("/spool/")
        assert await hall.attempts("g1") == ["started"]
        assert hall.fleet.pinned() == {start.job.sha256}


async def test_start_without_file_never_started(quick_dir: Path) -> None:
    """`failed` with `file_unavailable`, and `not_started` for the attempt."""
    async with hall_of(quick_dir, FakeSender()) as hall:
        hall.file_error = SpoolError("404")
        command_id = await hall.start()
        await hall.told(command_id, "failed")
        assert await hall.attempts("g1") == ["not_started"]
        assert hall.sender.executed == []


async def test_one_grant_starts_once_under_two_commands(quick_dir: Path) -> None:
    """A second command with a used grant is rejected, and the attempt goes on."""
    async with hall_of(quick_dir, FakeSender()) as hall:
        first = await hall.start()
        await hall.told(first, "started", "done")
        second = await hall.start()
        await hall.told(second, "rejected")
        assert await hall.attempts("g1") == ["started"]
        assert len(hall.sender.executed) == 1


async def test_rejected_start_did_not_start(quick_dir: Path) -> None:
    """A busy printer's refusal ends the second attempt only."""
    async with hall_of(quick_dir, FakeSender()) as hall:
        await hall.told(await hall.start("g1"), "started", "done")
        await hall.told(await hall.start("g2"), "started", "rejected")
        assert await hall.attempts("g2") == ["not_started"]
        assert await hall.attempts("g1") == ["started"]


async def test_dead_sender_is_replaced_and_its_attempt_interrupted_once(quick_dir: Path) -> None:
    """Safety M02: no blind resume; offline, interrupted, and a fresh sender."""
    async with hall_of(quick_dir, FakeSender()) as hall:
        await hall.told(await hall.start(), "started", "done")
        hall.sender.die()
        await hall.until(lambda: hall.sender.alive and len(hall.sender.configured) == 2)

        async def told() -> bool:
            return await hall.attempts("g1") == ["started", "interrupted"]

        await hall.until(told)
        offline = [b for b in await hall.facts() if isinstance(b, PrinterFact)]
        assert offline[0].state is PrinterState.OFFLINE
        assert len(hall.sender.executed) == 1
        hall.sender.die()
        await hall.until(lambda: hall.sender.life == 3 and hall.sender.owner is not None)
        assert await told()


async def test_command_in_a_dead_sender_is_unknown_and_not_repeated(quick_dir: Path) -> None:
    """Safety R03: not repeatable, so nobody runs it again by itself."""
    async with hall_of(quick_dir, FakeSender(silent=True)) as hall:
        command_id = await hall.command(Verb.GCODE, {"lines": ["G91", "G1 Z5"]})
        await hall.until(lambda: hall.sender.executed)
        hall.sender.die()
        await hall.told(command_id, "started", "unknown")
        assert len(hall.sender.executed) == 1


async def test_sender_that_dies_at_once_again_and_again_stays_down(quick_dir: Path) -> None:
    """Five times in a minute: quarantine, one alarm, and connect brings it back."""
    async with hall_of(quick_dir) as hall:
        await hall.until(lambda: bool(hall.home.senders) and hall.sender.configured)
        hall.home.broken = True
        hall.sender.die()

        async def alarmed() -> bool:
            return [b.code for b in await hall.facts() if isinstance(b, AlarmFact)] == [
                "sender_failed"
            ]

        await hall.until(alarmed)
        (*_, state) = [b for b in await hall.facts() if isinstance(b, PrinterFact)]
        picture = hall.live.picture(1)
        assert picture is not None
        assert "until it is connected" in state.reason
        assert picture.error == state.reason  # and not how it closed its socket
        starts = len(hall.home.starts)
        rejected = await hall.command(Verb.GCODE, {"lines": []})
        await hall.told(rejected, "rejected")
        assert len(hall.home.starts) == starts == 5
        hall.home.broken = False
        await hall.told(await hall.command(Verb.CONNECT), "started", "done")


async def test_print_that_is_told_as_over_is_not_taken_up_by_the_sender_after_a_quarantine(
    quick_dir: Path,
) -> None:
    """Its job has failed: nobody could pause or cancel what went on without one."""
    async with hall_of(quick_dir) as hall:
        await hall.until(lambda: bool(hall.home.senders) and hall.sender.configured)
        assert hall.home.given_up is None
        await hall.told(await hall.start("g1"), "started", "done")
        hall.sender.die()
        await hall.until(lambda: hall.sender.life == 2 and hall.sender.configured)
        assert hall.home.given_up is None
        hall.home.broken = True
        hall.sender.die()

        async def interrupted() -> bool:
            return (await hall.attempts("g1"))[-1:] == ["interrupted"]

        await hall.until(interrupted)
        hall.home.broken = False
        await hall.told(await hall.command(Verb.CONNECT), "started", "done")
        assert hall.home.given_up == "g1"


async def test_deaf_sender_is_ended_and_replaced(quick_dir: Path) -> None:
    """A sender that runs and does not answer costs its own printer some tries."""
    hall = Hall(quick_dir, FakeHome(FakeSender()))
    hall.home.deaf = True
    hall.open()
    await hall.fleet.configure(Desired(version=1, printers=[CONFIG]))
    await hall.until(lambda: hall.home.kills == [1])
    hall.home.deaf = False
    await hall.until(lambda: hall.sender.life == 2 and hall.sender.configured)
    assert hall.home.kills == [1]
    await hall.close()


async def test_broken_socket_is_adopted_again_without_an_interruption(quick_dir: Path) -> None:
    """The same life: its answer to the open command is asked for, nothing runs twice."""
    async with hall_of(quick_dir, FakeSender(silent=True)) as hall:
        command_id = await hall.start()
        await hall.until(lambda: hall.sender.executed)
        hall.sender.silent = False
        assert hall.sender.owner is not None
        hall.sender.owner.end("cut")
        await hall.told(command_id, "started", "done")
        assert len(hall.sender.executed) == 1
        assert await hall.attempts("g1") == ["started"]


async def test_stop_is_sent_before_it_is_journalled_and_only_once(quick_dir: Path) -> None:
    """Safety M06: straight to the wire; a repeated stop is only answered."""
    async with hall_of(quick_dir, FakeSender()) as hall:
        await hall.until(lambda: hall.sender.owner is not None and hall.sender.configured)
        stop = link.RemoteStop(id="s1", printer=1)
        hall.fleet.remote_stop(stop)
        assert hall.sender.executed == [RemoteStop(id="s1")]
        await hall.told("s1", "started", "done")
        hall.fleet.remote_stop(stop)
        await hall.told("s1", "started", "done", "done")
        assert len(hall.sender.executed) == 1


async def test_stop_waits_for_a_sender_that_is_being_replaced(quick_dir: Path) -> None:
    """It reaches the next life, within its ten seconds."""
    async with hall_of(quick_dir, FakeSender()) as hall:
        await hall.until(lambda: hall.sender.configured)
        hall.sender.die()
        hall.fleet.remote_stop(link.RemoteStop(id="s1", printer=1))
        await hall.told("s1", "started", "done")
        assert hall.sender.life == 2


async def test_stop_of_a_strange_printer_is_refused(quick_dir: Path) -> None:
    """Every command is answered, this one with `unknown_printer`."""
    async with hall_of(quick_dir, FakeSender()) as hall:
        hall.fleet.remote_stop(link.RemoteStop(id="s9", printer=9))
        await hall.told("s9", "rejected")
        assert await hall.states("s9") == ["rejected"]
        assert hall.sender.executed == []


async def test_commands_that_cannot_be_are_rejected(quick_dir: Path) -> None:
    """Unknown printer, arguments of the wrong shape."""
    async with hall_of(quick_dir, FakeSender()) as hall:
        bad = await hall.command(Verb.GCODE, {"lines": 5})
        strange = hall.api.command(9, Verb.CONNECT)
        assert await hall.fleet.commands([strange]) == 2
        assert await hall.states(bad) == ["rejected"]
        assert await hall.states(strange.id) == ["rejected"]
        assert hall.sender.executed == []


async def test_command_of_a_newer_api_is_answered(quick_dir: Path) -> None:
    """R50: nobody waits for its outcome for ever, and nothing of it reaches the printer."""
    async with hall_of(quick_dir, FakeSender()) as hall:
        known = hall.api.command(1, Verb.GCODE, {"lines": ["G28"]})
        strange = msgspec.structs.replace(known, id="strange", seq=known.seq + 1, verb="fly")
        assert await hall.fleet.commands([known, strange]) == strange.seq
        await hall.told("strange", "rejected")
        await hall.told(known.id, "started", "done")
        assert len(hall.sender.executed) == 1


async def test_printer_that_is_no_longer_wanted_finishes_and_goes(quick_dir: Path) -> None:
    """Quit with drain; its open commands end, then nobody keeps it."""
    async with hall_of(quick_dir, FakeSender()) as hall:
        await hall.until(lambda: hall.sender.configured)
        await hall.fleet.configure(Desired(version=2, printers=[]))
        await hall.until(lambda: hall.sender.quits == [True])
        await hall.until(lambda: not list(hall.fleet.keepers()))
        assert hall.home.starts == []


async def test_sender_that_nobody_wants_is_told_to_drain(quick_dir: Path) -> None:
    """A sender left from an older configuration is found by its files."""
    async with hall_of(quick_dir, FakeSender(), FakeSender(printer=7)) as hall:
        await hall.until(lambda: hall.home.senders[7].quits == [True])
        await hall.until(lambda: [k.printer for k in hall.fleet.keepers()] == [1])
        assert hall.home.senders[1].quits == []


async def test_replugged_printer_is_told_to_its_sender(quick_dir: Path) -> None:
    """The same port under another device name; the API gets the ports."""
    async with hall_of(quick_dir, FakeSender()) as hall:
        await hall.until(lambda: hall.sender.configured)
        hall.usb = [Port(port_id="usb:1", device="/dev/ttyY")]
        assert hall.ports.scan()
        await hall.fleet.ports_changed()
        assert hall.sender.configured[-1].device == "/dev/ttyY"
        (port,) = hall.fleet.ports()
        assert (port.device, port.printer) == ("/dev/ttyY", 1)


async def test_restarted_agent_takes_up_open_commands(quick_dir: Path) -> None:
    """Journalled, not yet started: the next run of the agent does it, once."""
    hall = Hall(quick_dir, FakeHome())
    hall.home.broken = True
    hall.open()
    await hall.fleet.configure(Desired(version=1, printers=[CONFIG]))
    command_id = await hall.command(Verb.GCODE, {"lines": ["G28"]})
    await hall.close()
    hall.home.broken = False
    hall.open()
    await hall.fleet.open()
    await hall.told(command_id, "started", "done")
    assert len(hall.sender.executed) == 1
    await hall.close()


async def test_cancel_ends_a_start_that_is_still_downloading(quick_dir: Path) -> None:
    """The attempt is cancelled, not left for another try."""
    async with hall_of(quick_dir, FakeSender()) as hall:
        hall.file_there.clear()
        start = await hall.start()
        cancel = await hall.command(Verb.CANCEL, grant="g1")
        await hall.told(start, "rejected")
        await hall.told(cancel, "done")
        hall.file_there.set()
        assert await hall.attempts("g1") == ["cancelled"]
        assert hall.sender.executed == []


async def test_line_speaks_the_control_protocol(quick_dir: Path) -> None:
    """Over a real unix socket: adoption, a command, its outcome, an older owner refused."""
    sender = FakeSender(epoch=4)
    server = await serve(sender, quick_dir / "1.sock")
    reader, writer = await asyncio.open_unix_connection(quick_dir / "1.sock")
    line = SenderLine(reader, writer)
    with pytest.raises(SenderLost, match="older epoch"):
        await line.greet(Adopt(epoch=4, agent_pid=1))
    await line.greet(Adopt(epoch=5, agent_pid=1))
    assert line.adopted.boot == "life-1"
    line.send(Gcode(id="c1", lines=["G28"]))
    assert await line.receive() == [Outcome(id="c1", verdict=Verdict.DONE)]
    sender.happen(Alarm(code="x", text="y"))
    line.send(EventAck(boot="other", seq=1))
    assert len(await line.receive()) == 1
    line.close()
    with pytest.raises(SenderLost):
        line.send(EventAck(boot="life-1", seq=1))
    await writer.wait_closed()
    server.close()
    await server.wait_closed()


async def test_finished_attempt_is_told_by_the_sender(quick_dir: Path) -> None:
    """Completion comes from the sender's events and nothing ends it again."""
    async with hall_of(quick_dir, FakeSender()) as hall:
        await hall.told(await hall.start(), "started", "done")
        hall.sender.move(AttemptEvent.COMPLETED)

        async def told() -> bool:
            return await hall.attempts("g1") == ["started", "completed"]

        await hall.until(told)
        hall.sender.die()
        await hall.until(lambda: hall.sender.life == 2 and hall.sender.owner is not None)
        assert await told()


async def test_sender_that_hangs_is_shown_as_old_and_left_alone_until_it_speaks(
    quick_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Safety M21: nobody takes its last picture for the present; its print may still go on."""
    monkeypatch.setattr(printers, "SILENT_S", 0.03)
    async with hall_of(quick_dir, FakeSender(grant="g1")) as hall:
        [keeper] = hall.fleet.keepers()
        await hall.until(lambda: keeper.state() == "silent")
        shown = hall.live.picture(1)
        assert shown is not None and shown.temps_stale and shown.state is PrinterState.PRINTING
        assert shown.error == "its sender (process 1001) has said nothing for 0 s"
        hall.sender.tell(Status(live=hall.sender.live()))
        await hall.until(lambda: hall.live.picture(1) == hall.sender.live())
        assert keeper.state() == "running"
        assert hall.home.starts == [] and hall.sender.alive


WRITE = {"name": "PART.GCO", "sha256": "ab" * 32, "size_bytes": 4, "then": "select"}


async def test_a_file_for_the_card_is_brought_and_pinned_while_it_goes(quick_dir: Path) -> None:
    """The sender gets the spool's path; it is let go when the sender tells its end, as a fact."""
    async with hall_of(quick_dir, FakeSender()) as hall:
        command_id = await hall.command(Verb.CARD_WRITE, WRITE)
        await hall.told(command_id, "started", "done")
        (write,) = hall.sender.executed
        assert isinstance(write, CardWrite)
        assert (write.id, write.name, write.then) == (command_id, "PART.GCO", CardAction.SELECT)
        assert write.path == f"/spool/{'ab' * 32}" and write.before_ms is not None
        assert hall.fleet.pinned() == {"ab" * 32}
        hall.sender.happen(CardWritten(name="PART.GCO", time_s=2.5, reason="cancelled"))
        await hall.until(lambda: not hall.fleet.pinned())
        fact = CardWrittenFact(printer=1, name="PART.GCO", time_s=2.5, reason="cancelled")
        assert fact in await hall.facts()


async def test_a_file_for_the_card_that_is_refused_is_not_kept(quick_dir: Path) -> None:
    """The printer cannot take it: nothing goes on its way."""
    async with hall_of(quick_dir, FakeSender()) as hall:
        no = Outcome(id="", verdict=Verdict.REJECTED, code="not_possible", reason="no card")
        hall.sender.refuses = no
        command_id = await hall.command(Verb.CARD_WRITE, WRITE)
        await hall.told(command_id, "started", "rejected")
        await hall.until(lambda: not hall.fleet.pinned())
        assert hall.fleet.pinned() == set()


async def test_a_sender_that_dies_with_a_file_for_the_card_gets_it_no_more(quick_dir: Path) -> None:
    """Its successor tells what became of it; the command's end is unknown."""
    async with hall_of(quick_dir, FakeSender(silent=True)) as hall:
        command_id = await hall.command(Verb.CARD_WRITE, WRITE)
        await hall.told(command_id, "started")
        hall.sender.silent = False
        hall.sender.die()
        await hall.told(command_id, "started", "unknown")
        assert len(hall.sender.executed) == 1
        assert hall.fleet.pinned() == set()


async def test_an_older_sender_is_given_no_file_for_the_card(quick_dir: Path) -> None:
    """It does not know the message."""
    async with hall_of(quick_dir, FakeSender(protocol=2)) as hall:
        command_id = await hall.command(Verb.CARD_WRITE, WRITE)
        await hall.told(command_id, "rejected")
        assert hall.sender.executed == []
