"""A sender and its owners, as real processes."""

import os
import random
import signal
import time

import pytest

from bridge.blackbox.reader import recordings
from bridge.control.messages import (
    Adopt,
    Alarm,
    AttemptChanged,
    Cancel,
    Configure,
    Disconnect,
    EventAck,
    Firmware,
    Gcode,
    Pause,
    Quit,
    Refused,
    RemoteStop,
    ResetStop,
    Resume,
    SetTargets,
    StateChanged,
    Status,
    ToSender,
    Verdict,
)
from bridge.gcode.dialects import MARLIN
from schemas.jobs import AttemptState
from schemas.printer import PrinterConfig, PrinterState
from tests.fakes.owner import CUBE, Processes, commands_of, wait_for

pytestmark = pytest.mark.flow

HOT_SCRIPT = PrinterConfig(
    id=7, slug="p", name="p", port_id="x", scripts={"on_cancel": "M107\nM104 S400"}
)
_S, _A = PrinterState, AttemptState


def test_a_print_is_told_event_by_event(processes: Processes) -> None:
    """Adopt, configure, start, completed; numbers without a gap; progress that never goes back."""
    printer, sender = processes.simulator(), processes.sender()
    owner = processes.owner(sender, 1)
    owner.connect(printer.link)
    assert owner.start().verdict is Verdict.DONE
    ended = owner.attempt(_A.COMPLETED)
    assert ended.progress is not None
    assert ended.progress.completion == 100.0
    assert ended.quality is not None
    assert ended.quality.latency_p50_ms > 0.0
    owner.state(_S.OPERATIONAL)
    assert [event.seq for event in owner.events()] == list(range(1, len(owner.events()) + 1))
    states = [one.body.state for one in owner.events() if isinstance(one.body, StateChanged)]
    assert states[:2] == [_S.CONNECTING, _S.OPERATIONAL]
    assert states[2:] == [_S.STARTING, _S.PRINTING, _S.FINISHING, _S.OPERATIONAL]
    shown = [one.live.progress for one in owner.heard if isinstance(one, Status)]
    done = [progress.file_bytes for progress in shown if progress is not None]
    assert done == sorted(done)
    assert any(isinstance(one.body, Firmware) for one in owner.events())
    assert printer.printed() == commands_of(CUBE)


def test_a_repeated_command_is_answered_and_not_done_again(processes: Processes) -> None:
    """The stored outcome; a used grant is never started twice."""
    printer, sender = processes.simulator(), processes.sender()
    owner = processes.owner(sender, 1)
    owner.connect(printer.link)
    fan = Gcode(id="fan", lines=["M106 S7"])
    assert owner.ask(fan).verdict is Verdict.DONE
    owner.heard.clear()
    assert owner.ask(fan).verdict is Verdict.DONE
    assert printer.printed().count(b"M106 S7") == 1
    owner.start(grant="G1")
    owner.attempt(_A.COMPLETED)
    owner.state(_S.OPERATIONAL)
    again = owner.start(grant="G1")
    assert (again.verdict, again.code) == (Verdict.REJECTED, "grant_used")


def test_an_admins_codes_pass_the_gate_at_the_port(processes: Processes) -> None:
    """safety M20: with the password behind it M500 reaches the printer, without it does not."""
    printer, sender = processes.simulator(), processes.sender()
    owner = processes.owner(sender, 1)
    owner.connect(printer.link)
    assert owner.ask(Gcode(id=owner.id(), lines=["M500"])).code == "not_allowed"
    assert printer.printed().count(b"M500") == 0
    assert owner.ask(Gcode(id=owner.id(), lines=["M500"], admin=True)).verdict is Verdict.DONE
    assert printer.printed().count(b"M500") == 1


def test_commands_that_do_not_fit_are_rejected(processes: Processes) -> None:
    """Nothing happens, and the code says why."""
    printer, sender = processes.simulator(), processes.sender()
    owner = processes.owner(sender, 1)
    offline = owner.start()
    assert (offline.verdict, offline.code) == (Verdict.REJECTED, "printer_not_operational")
    owner.connect(printer.link)
    before = len(printer.printed())
    wrong: list[tuple[ToSender, str]] = [
        (Pause(id=owner.id(), grant="other"), "wrong_job"),
        (Gcode(id=owner.id(), lines=["M105", "M104 S400"]), "limit_exceeded"),
        (Gcode(id=owner.id(), lines=["M500"]), "not_allowed"),
        (Gcode(id=owner.id(), lines=["M997"], admin=True), "not_allowed"),
        (Gcode(id=owner.id(), lines=["M303 S999"], admin=True), "limit_exceeded"),
        (SetTargets(id=owner.id(), targets_c={"tool0": 999.0}), "limit_exceeded"),
        (SetTargets(id=owner.id(), targets_c={"heart": 9.0}), "unknown_heater"),
        (SetTargets(id=owner.id(), targets_c={"tool1": 9.0}), "unknown_heater"),
        (SetTargets(id=owner.id(), targets_c={"chamber": 9.0}), "unknown_heater"),
        (Configure(id=owner.id(), config=HOT_SCRIPT, device=None), "limit_exceeded"),
        (ResetStop(id=owner.id()), "not_stopped"),
        (Gcode(id=owner.id(), lines=["M106 S9"], before_ms=1), "expired"),
        (ResetStop(id=owner.id(), before_ms=1), "expired"),
    ]
    for message, code in wrong:
        outcome = owner.ask(message)
        assert (outcome.verdict, outcome.code) == (Verdict.REJECTED, code)
    assert len(printer.printed()) == before


def test_a_stop_without_an_open_port_is_no_success(processes: Processes) -> None:
    """safety M08: it says that nothing was sent, and is latched all the same."""
    owner = processes.owner(processes.sender(), 1)
    answer = owner.ask(RemoteStop(id="stop"))
    assert (answer.verdict, answer.code) == (Verdict.FAILED, "not_sent")
    assert "power switch" in answer.reason
    assert owner.state(_S.HALTED).live.state is _S.HALTED


def test_pause_resume_and_cancel_leave_no_line_out(processes: Processes) -> None:
    """At line boundaries, at any moment; nothing twice."""
    printer, sender = processes.simulator("--speed", "200"), processes.sender()
    owner = processes.owner(sender, 1)
    owner.connect(printer.link)
    owner.start()
    owner.state(_S.PRINTING)
    for _ in range(3):
        owner.listen(0.3)
        assert owner.ask(Pause(id=owner.id(), grant="G1")).verdict is Verdict.DONE
        owner.state(_S.PAUSED)
        before = printer.printed()
        owner.listen(0.2)
        assert printer.printed() == before
        assert owner.ask(Resume(id=owner.id(), grant="G1")).verdict is Verdict.DONE
        owner.state(_S.PRINTING)
    assert owner.ask(Cancel(id=owner.id(), grant="G1")).verdict is Verdict.DONE
    owner.attempt(_A.CANCELLED)
    printed, expected = printer.printed(), commands_of(CUBE)
    assert printed[-4:] == [b"M104 S0", b"M140 S0", b"M107", b"M84"]
    assert printed.count(MARLIN.holds) == 3
    of_the_file = [line for line in printed[:-4] if line != MARLIN.holds]
    assert of_the_file == expected[: len(of_the_file)]


def test_a_newer_owner_fences_the_older(processes: Processes) -> None:
    """The highest epoch wins; what the older still says does nothing."""
    sender = processes.sender()
    older = processes.owner(sender, 5)
    newer = processes.owner(sender, 6)
    with pytest.raises((EOFError, ConnectionError)):
        older.ask(Gcode(id="x", lines=["M105"]))
    with pytest.raises(EOFError):
        processes.owner(sender, 6)
    newer.send(Adopt(epoch=6, agent_pid=1))
    assert not [one for one in newer.heard if isinstance(one, Refused)]


def test_a_thousand_owners_come_and_go_and_the_print_does_not_notice(
    processes: Processes,
) -> None:
    """1 000 seeded kills and adoptions: every line once, every event once and in order."""
    rng = random.Random(42)
    printer, sender = processes.simulator("--speed", "100"), processes.sender()
    owner = processes.owner(sender, 1)
    owner.connect(printer.link)
    owner.start()
    seen: dict[int, object] = {}
    acknowledged = 0
    boot = owner.adopted.boot
    for epoch in range(2, 1002):
        for event in owner.events():
            assert seen.setdefault(event.seq, event.body) == event.body
        if seen and rng.random() < 0.3:
            acknowledged = max(seen)
            owner.send(EventAck(boot=boot, seq=acknowledged))
        if rng.random() < 0.1:
            owner.listen(rng.random() * 0.02)
        owner.vanish()
        owner = processes.owner(sender, epoch)
        assert owner.adopted.boot == boot
        assert owner.adopted.oldest_event >= min(acknowledged, 1)
    last = processes.owner(sender, 2000)
    last.attempt(_A.COMPLETED)
    for event in last.events():
        assert seen.setdefault(event.seq, event.body) == event.body
    assert sorted(seen) == list(range(1, len(seen) + 1))
    assert printer.printed() == commands_of(CUBE)
    ends = [one for one in seen.values() if isinstance(one, AttemptChanged)]
    assert [one.state for one in ends] == [_A.STARTED, _A.COMPLETED]


def test_what_happened_while_nobody_was_there_is_told_later(processes: Processes) -> None:
    """An attempt that ended without an agent, and a sender that ended after it."""
    printer, sender = processes.simulator(), processes.sender()
    owner = processes.owner(sender, 1)
    owner.connect(printer.link)
    owner.start()
    owner.vanish()
    wait_for(lambda: printer.executed()[-1:] == [b"M400"], "the print")
    sender.process.terminate()
    assert sender.process.wait(20) == 0
    later = processes.owner(processes.sender(), 2)
    assert later.attempt(_A.COMPLETED).grant == "G1"
    assert later.events()[0].boot == owner.adopted.boot != later.adopted.boot
    later.send(EventAck(boot=owner.adopted.boot, seq=max(e.seq for e in later.events())))
    later.vanish()


def test_a_stop_is_at_once_and_latched_through_a_restart(processes: Processes) -> None:
    """safety M06, M10: past a full queue; only a reset releases it."""
    printer, sender = processes.simulator("--speed", "1"), processes.sender()
    owner = processes.owner(sender, 1)
    owner.connect(printer.link)
    owner.start()
    owner.attempt(_A.STARTED)
    owner.send(Gcode(id="q", lines=["G4 P1000"] * 50))
    asked = time.monotonic()
    stopped = owner.ask(RemoteStop(id="stop"))
    assert (stopped.verdict, stopped.code) == (Verdict.DONE, "at_once")
    assert time.monotonic() - asked < 0.15
    owner.attempt(_A.FAILED)
    refused = owner.ask(Gcode(id="g", lines=["M105"]))
    assert (refused.verdict, refused.code) == (Verdict.REJECTED, "stopped")
    sender.kill()
    again = processes.owner(processes.sender(), 2)
    assert again.adopted.live.state is _S.HALTED
    assert again.adopted.live.error == "stopped remotely"
    os.kill(printer.process.pid, signal.SIGUSR1)  # the reset button
    assert again.ask(ResetStop(id="r")).verdict is Verdict.DONE
    again.connect(printer.link)


def test_a_killed_sender_goes_on_where_it_died(processes: Processes) -> None:
    """serial 11, 12/#62: a dozen kills in one print, and the printer has executed the file."""
    printer, sender = processes.simulator("--speed", "60"), processes.sender()
    owner = processes.owner(sender, 1)
    # A long gap lifts the nozzle off the part: a busy machine is no reason for that here.
    owner.connect(printer.link, resume_lift_s=600.0, resume_limit_s=600.0)
    owner.start()
    owner.attempt(_A.STARTED)
    moments = random.Random(4)
    for epoch in range(2, 14):
        time.sleep(moments.random() * 0.15)
        sender.kill()
        sender = processes.sender()
        owner = processes.owner(sender, epoch)
        assert owner.adopted.live.grant == "G1"
        owner.alarm("resumed")
    owner.attempt(_A.COMPLETED)
    owner.state(_S.OPERATIONAL)
    assert printer.printed()[: len(commands_of(CUBE))] == commands_of(CUBE)


def test_a_printer_that_reset_while_its_sender_was_dead_is_left_alone(
    processes: Processes,
) -> None:
    """safety M02: not one line of the job again, the attempt interrupted, the heaters off."""
    printer, sender = processes.simulator("--speed", "20"), processes.sender()
    owner = processes.owner(sender, 1)
    owner.connect(printer.link)
    owner.start()
    owner.state(_S.PRINTING)
    sender.kill()
    printer.process.send_signal(signal.SIGUSR1)
    wait_for(lambda: b"\t;External Reset" in printer.log.read_bytes(), "the reset")
    before = len(printer.printed())
    again = processes.owner(processes.sender(), 2)
    ended = again.attempt(_A.INTERRUPTED)
    assert ended.grant == "G1"
    assert "cannot go on" in ended.reason
    again.connect(printer.link)
    wait_for(lambda: b"M140 S0" in printer.executed(), "the heaters")
    assert set(printer.printed()[before:]) == {b"M104 S0", b"M140 S0"}


def test_sigterm_cancels_cools_and_leaves(processes: Processes) -> None:
    """The operator's Ctrl-C: cancel script, heaters off, drained, status 0."""
    printer, sender = processes.simulator("--speed", "100"), processes.sender()
    owner = processes.owner(sender, 1)
    owner.connect(printer.link)
    owner.start()
    owner.state(_S.PRINTING)
    sender.process.terminate()
    owner.attempt(_A.CANCELLED)
    assert sender.process.wait(20) == 0
    assert printer.printed()[-2:] == [b"M104 S0", b"M140 S0"]
    assert not sender.path.exists()


def test_sigterm_leaves_a_print_from_the_card_alone(processes: Processes) -> None:
    """It needs no host: neither ended nor cooled."""
    printer = processes.simulator("--speed", "1", "--card", "CUBE.GCO:400000")
    sender = processes.sender()
    owner = processes.owner(sender, 1)
    owner.connect(printer.link)
    owner.ask(Gcode(id="card", lines=["M104 S200", "M23 CUBE.GCO", "M24"]))
    owner.state(_S.PRINTING)
    sender.process.terminate()
    assert sender.process.wait(20) == 0
    assert printer.printed()[-1] == b"M24"


def test_quit_drains_first_when_asked_to(processes: Processes) -> None:
    """A printer that leaves the room's configuration finishes its print."""
    printer, sender = processes.simulator(), processes.sender()
    owner = processes.owner(sender, 1)
    owner.connect(printer.link)
    owner.start()
    assert owner.ask(Quit(id="q", drain=True)).verdict is Verdict.DONE
    owner.attempt(_A.COMPLETED)
    assert sender.process.wait(20) == 0
    assert printer.printed()[:-2] == commands_of(CUBE)


@pytest.mark.parametrize(
    ("faults", "code"), [("unplug_at=200:1", "port_lost"), ("reset_at=200", "printer_reset")]
)
def test_a_pulled_cable_and_a_reset_interrupt_and_recover(
    processes: Processes, faults: str, code: str
) -> None:
    """serial 12/#39, #41: told, not resumed by itself, connected again, heaters off first."""
    printer, sender = processes.simulator("--speed", "0", "--faults", faults), processes.sender()
    owner = processes.owner(sender, 1)
    owner.connect(printer.link)
    owner.start()
    owner.attempt(_A.INTERRUPTED)
    owner.state(_S.OPERATIONAL)
    alarms = [one.body.code for one in owner.events() if isinstance(one.body, Alarm)]
    assert code in alarms
    wait_for(lambda: printer.executed()[-1:] == [b"M140 S0"], "the heaters")
    assert len(printer.printed()) < len(commands_of(CUBE))
    assert [one.label for one in recordings(processes.directory / "state" / "blackbox")].count("G1")


def test_a_second_sender_of_a_printer_ends(processes: Processes) -> None:
    """One process per printer: the lock says who has it."""
    sender = processes.sender()
    second = processes.run("bridge.sender", "--socket", str(sender.path), "--printer", "7")
    assert second.wait(20) == 7
    assert sender.answers()


def test_disconnect_closes_the_port_and_stays_closed(processes: Processes) -> None:
    """Until somebody connects again; refused while a job runs."""
    printer, sender = processes.simulator("--speed", "20"), processes.sender()
    owner = processes.owner(sender, 1)
    owner.connect(printer.link)
    assert owner.ask(Disconnect(id="d")).verdict is Verdict.DONE
    owner.state(_S.OFFLINE)
    owner.listen(0.3)
    assert owner.state(_S.OFFLINE).live.port is None
    owner.connect(printer.link)
    owner.start()
    busy = owner.ask(Disconnect(id="d2"))
    assert (busy.verdict, busy.code) == (Verdict.REJECTED, "printer_busy")
