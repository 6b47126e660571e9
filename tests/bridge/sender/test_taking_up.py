"""While a print is taken up: what a person is told, and may do; what was wished holds."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from bridge.errors import LocalProtocolError
from bridge.gcode.dialects import MARLIN
from bridge.gcode.errands import OVER, PARKED, RESUMED, STILL, Agenda, Errand
from bridge.gcode.happenings import AttemptMoved, StateMoved, Warned
from bridge.gcode.modal import Modal
from bridge.gcode.pausing import PausedAt
from bridge.gcode.regain import MAX_SAID
from bridge.sender import facts
from bridge.sender.comeback import planned, problem_of
from bridge.sender.linejournal import LineJournal, Standing
from bridge.sender.memory import Kept, Running
from schemas.jobs import AttemptEvent, AttemptState
from schemas.printer import PrinterState
from tests.bridge.sender.test_comeback import write_print
from tests.fakes.hosts import CONFIG, Bench
from tests.fakes.owner import commands_of

_A, _S = AttemptState, PrinterState
CANCEL = "M104 S0\nM140 S0\nM300 S5"


@pytest.fixture(scope="session")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A print that asks for other filament after some lines."""
    file = write_print(tmp_path_factory.mktemp("taking_up") / "asks.gcode", 60)
    lines = file.read_text("ascii").split("\n")
    file.write_text("\n".join([*lines[:30], "M600", *lines[30:]]), "ascii")
    return file


def waiting(file: Path, **scripts: str) -> Bench:
    """A host that has just died while its printer waits for a person."""
    bench = Bench(3, file, config=msgspec.structs.replace(CONFIG, scripts=scripts))
    bench.start()
    bench.run_until(lambda: b"M600" in bench.printed)
    bench.run_until(lambda: bench.host.printer.state is _S.PAUSING)
    assert bench.kill_after(3)
    return bench


def told(bench: Bench) -> list[str]:
    """What was said while a print was taken up."""
    return [
        one.text for one in bench.happened if isinstance(one, Warned) and one.code == "taking_up"
    ]


def for_a_while(bench: Bench, seconds: float) -> Callable[[], bool]:
    """Until so much time has passed."""
    end = bench.now + seconds
    return lambda: bench.now >= end


def test_a_person_is_told_what_a_print_waits_for_once(asking: Path) -> None:
    """Where the state is shown, in the picture, and as an alarm; then nothing more."""
    bench = waiting(asking)
    bench.come_back()
    bench.happened.clear()
    bench.run_until(for_a_while(bench, 300.0))
    printer = bench.host.printer
    assert printer.state is _S.CONNECTING
    assert "it waits for a person at the printer" in (bench.host.live(bench.now).error or "")
    assert len(told(bench)) == 2
    shown = [one.reason for one in bench.happened if isinstance(one, StateMoved)]
    assert shown == told(bench)
    bench.people = lambda: bench.firmware.press(bench.now)
    bench.run_until(lambda: printer.state is _S.PRINTING)
    assert bench.host.live(bench.now).error is None


def test_a_heater_that_holds_a_print_up_is_told(tmp_path: Path) -> None:
    """M109 answers when it is warm."""
    file = tmp_path / "heats.gcode"
    file.write_text("G28\nM104 S200\nM109 S200\nG1 X5 F600\nM104 S0\n", "ascii")
    bench = Bench(5, file, speed=1.0)
    bench.start()
    bench.run_until(lambda: b"M109 S200" in bench.printed)
    assert bench.kill_after(3)
    bench.come_back()
    bench.run_until(bench.over)
    assert any("heats" in text for text in told(bench))
    assert bench.ending is _A.COMPLETED


def test_a_print_is_cancelled_while_it_is_taken_up(asking: Path) -> None:
    """The wait for a person is broken; its script runs, and not a line of the file any more."""
    bench = waiting(asking, on_cancel=CANCEL)
    bench.come_back()
    bench.run_until(for_a_while(bench, 60.0))
    before = bench.printed
    bench.host.printer.cancel(bench.now)
    bench.host.remember()
    bench.run_until(bench.over)
    assert bench.ending is _A.CANCELLED
    bench.run_until(for_a_while(bench, 5.0))
    assert bench.printed[len(before) :] == [line.encode() for line in CANCEL.splitlines()]


def test_a_cancel_while_a_print_is_taken_up_outlives_that_host_too(asking: Path) -> None:
    """It was answered, so a third life does it, although no byte of it had left."""
    bench = waiting(asking, on_cancel=CANCEL)
    bench.come_back()
    bench.run_until(for_a_while(bench, 60.0))
    bench.host.printer.cancel(bench.now)
    bench.host.remember()
    assert bench.kill_after(1)
    bench.come_back()
    bench.run_until(bench.over)
    assert bench.ending is _A.CANCELLED
    assert bench.printed[-1] == b"M300 S5"


def test_a_print_is_stopped_while_it_is_taken_up(asking: Path) -> None:
    """M112 leaves at once, past the questions."""
    bench = waiting(asking)
    bench.come_back()
    bench.run_until(for_a_while(bench, 60.0))
    bench.host.stop("stopped remotely", bench.now)
    bench.run_until(lambda: bench.firmware.killed)
    assert bench.ending is _A.FAILED
    assert bench.host.printer.state is _S.HALTED


@pytest.mark.parametrize("word", ["M108", "M876 S1"])
def test_a_person_who_is_not_at_the_printer_answers_while_a_print_is_taken_up(
    asking: Path, word: str
) -> None:
    """One without a display waits for that word and nothing else: it went nowhere for ever."""
    bench = waiting(asking)
    bench.come_back()
    bench.run_until(for_a_while(bench, 60.0))
    assert bench.host.printer.state is _S.CONNECTING
    for _ in range(2):  # the filament is in; enough has come out
        bench.host.printer.order([word], "typed")
        bench.run_until(for_a_while(bench, 10.0))
    bench.run_until(bench.over)
    assert bench.ending is _A.COMPLETED
    holds = MARLIN.holds
    assert [line for line in bench.printed if line != holds] == commands_of(asking)


@pytest.mark.parametrize("lines", [["M410"], ["M105"], ["M108", "G28"], ["M108", "M410"]])
def test_nothing_but_an_answer_leaves_while_a_print_is_taken_up(
    asking: Path, lines: list[str]
) -> None:
    """A quick stop would lose the place that the print goes on from."""
    bench = waiting(asking)
    bench.come_back()
    bench.run_until(for_a_while(bench, 60.0))
    before = len(bench.executed)
    with pytest.raises(LocalProtocolError, match="not connected"):
        bench.host.printer.order(lines, "typed")
    bench.run_until(for_a_while(bench, 60.0))
    assert not [line for line in bench.executed[before:] if line.split()[0] in (b"M108", b"M410")]
    assert bench.host.printer.state is _S.CONNECTING


def test_a_firmware_that_hears_no_answer_is_not_buried_in_them(asking: Path) -> None:
    """They would fill its receive ring, and then no M112 gets in."""
    bench = waiting(asking)
    bench.come_back()
    for _ in range(MAX_SAID):
        bench.host.printer.order(["M108"], "typed")
    with pytest.raises(LocalProtocolError, match="answered none"):
        bench.host.printer.order(["M108"], "typed")


@pytest.mark.parametrize("what", ["pause", "resume"])
def test_what_is_not_possible_meanwhile_is_refused(asking: Path, what: str) -> None:
    """And changes nothing."""
    bench = waiting(asking)
    bench.come_back()
    with pytest.raises(LocalProtocolError, match="connecting"):
        getattr(bench.host.printer, what)(bench.now)
    assert bench.host.printer.state is _S.CONNECTING


@pytest.mark.parametrize("restarts", [False, True])
def test_a_cancelled_print_ends_as_cancelled_whatever_became_of_its_printer(
    asking: Path, restarts: bool
) -> None:
    """It has restarted, or is silent: its script is all that is missing, and the heat goes."""
    bench = waiting(asking, on_cancel=CANCEL)
    bench.come_back()
    bench.host.printer.cancel(bench.now)
    bench.host.remember()
    bench.firmware.power_on(bench.now)
    if not restarts:
        bench.run_until(for_a_while(bench, 5.0))
        bench.firmware.receive(b"\nM112\n", bench.now)
    bench.down.clear()
    bench.run_until(bench.over)
    assert bench.ending is _A.CANCELLED
    ended = [one for one in bench.happened if isinstance(one, AttemptMoved)][-1]
    assert "its last script could not be finished" in ended.reason
    bench.host.open("port", bench.now)
    if restarts:
        bench.run_until(lambda: bench.host.printer.state is _S.OPERATIONAL)
        bench.run_until(for_a_while(bench, 5.0))
        assert {b"M104 S0", b"M140 S0"} <= set(bench.printed[-3:])


def test_what_the_printer_says_while_nobody_knows_how_far_it_is_holds(tmp_path: Path) -> None:
    """Its knob asks for a pause, or takes it back; its own cancel ends the print."""
    file = write_print(tmp_path / "print.gcode", 60)
    for words, state in (
        (["pause"], _S.PAUSED),
        (["paused"], _S.PAUSED),
        (["paused", "resumed"], _S.PRINTING),
        (["cancel"], _S.OPERATIONAL),
    ):
        bench = Bench(1, file)
        bench.start()
        assert bench.kill_after(90)
        bench.come_back()
        for word in words:
            bench.down += b"//action:%b\n" % word.encode()
        bench.run_until(is_in(bench, state))


def is_in(bench: Bench, state: PrinterState) -> Callable[[], bool]:
    """Until the printer is in *state*."""
    return lambda: bench.host.printer.state is state


def agenda(state: PrinterState, *errands: Errand, serial: int = 3) -> Agenda:
    """An agenda whose first own line is the fifth."""
    return Agenda(serial=serial, state=state, before=4, errands=errands, modal=Modal())


def standing(state: PrinterState, serial: int = 3) -> Standing:
    """Ten job lines up to number 20; own lines 5 and 6 are numbers 21 and 22."""
    return Standing(
        inserts=((10, 0), (21, 10), (22, 10)),
        lowest=15,
        highest=300,
        state=state,
        acked=20,
        beat_at=0.0,
        printed_s=0.0,
        steps=((10, 4), (21, 5), (22, 6)),
        serial=serial,
    )


def kept(file: Path, plan: Agenda | None) -> Kept:
    """What a host leaves that has *plan*."""
    bench = Bench(1, file)
    bench.start()
    assert bench.kept is not None
    return msgspec.structs.replace(bench.kept, agenda=plan)


PARKING = Errand(PARKED, (b"G91", b"G1 Z5", b"G90"))


@pytest.mark.parametrize(
    ("number", "plan", "died_in", "state", "left"),
    [
        (20, agenda(_S.PAUSING, PARKING), _S.PAUSING, _S.PAUSING, PARKING.lines),
        (21, agenda(_S.PAUSING, PARKING), _S.PAUSING, _S.PAUSING, (b"G1 Z5", b"G90")),
        (22, agenda(_S.PAUSING, PARKING, serial=4), _S.PRINTING, _S.PAUSING, (b"G90",)),
        (22, agenda(_S.PAUSING, Errand(PARKED, (b"M84", b"M400"))), _S.PAUSING, _S.PAUSED, ()),
        (22, agenda(_S.PAUSING, Errand(STILL, (b"M105", b"M400"))), _S.PAUSING, _S.PAUSING, None),
        (22, agenda(_S.RESUMING, Errand(RESUMED, (b"G90", b"M82"))), _S.RESUMING, _S.PRINTING, ()),
        (22, agenda(_S.RESUMING, Errand(RESUMED, (b"G90", b"M82"))), _S.PRINTING, _S.PRINTING, ()),
        (22, agenda(_S.CANCELLING, Errand(OVER, (b"M84", b"M107"))), _S.CANCELLING, None, ()),
        (20, agenda(_S.CANCELLING, serial=4), _S.PAUSED, _S.CANCELLING, ()),
    ],
)
def test_the_count_tells_what_is_left_of_an_errand(
    asking: Path,
    number: int,
    plan: Agenda,
    died_in: PrinterState,
    state: PrinterState | None,
    left: tuple[bytes, ...] | None,
) -> None:
    """Before, within, behind it; a newer wish counts; a question is asked whole."""
    found = planned(kept(asking, plan), standing(died_in), number)
    assert not isinstance(found, str)
    assert found.state is (state or plan.state)
    lines = tuple(line for errand in found.left for line in errand.lines)
    assert lines == (plan.errands[0].lines if left is None else left)


def test_what_could_not_be_written_down_is_left_to_a_person(asking: Path) -> None:
    """The disk was full: exact for a print that only prints, and for nothing else."""
    older = kept(asking, agenda(_S.PAUSING, PARKING, serial=2))
    assert not isinstance(planned(older, standing(_S.PRINTING), 20), str)
    for state in (_S.PAUSING, _S.RESUMING, _S.CANCELLING, _S.FINISHING):
        found = planned(older, standing(state), 20)
        assert found == f"the printer was {state}, and nothing of that could be written down"


def test_what_an_older_release_has_left_is_taken_as_it_was(asking: Path) -> None:
    """No agenda, no own lines on the page: printing and paused go on, the rest does not."""
    of_old = kept(asking, None)
    page = msgspec.structs.replace(of_old, paused=PausedAt({}, None))
    at = standing(_S.PRINTING, serial=0)
    found = planned(of_old, at, 25)
    assert not isinstance(found, str)
    assert found.state is _S.PRINTING
    at = standing(_S.PAUSED, serial=0)
    found = planned(page, at, 20)
    assert not isinstance(found, str)
    assert found.state is _S.PAUSED
    assert isinstance(planned(of_old, at, 20), str)
    assert isinstance(planned(of_old, standing(_S.PAUSING, serial=0), 20), str)


def test_a_page_of_an_older_release_has_no_own_lines() -> None:
    """Its records lie where they lay: they are read as they were written."""
    assert LineJournal(bytearray(LineJournal.SIZE_BYTES)).standing() is None
    journal = LineJournal(bytearray(LineJournal.SIZE_BYTES))
    assert journal._agendas.end <= LineJournal.SIZE_BYTES
    assert journal._steps._at == journal._clock.end == 1960


def test_a_cancelled_print_that_cannot_even_be_tried_ends_as_cancelled(asking: Path) -> None:
    """And one that was not is interrupted; a pause and an end may take any time."""
    ended = Agenda(
        serial=1,
        state=_S.CANCELLING,
        before=0,
        errands=(),
        modal=Modal(),
        outcome=AttemptEvent.CANCELLED,
    )
    running = Running("G", 1, kept(asking, ended))
    assert facts.lost(running, "its port is gone").state is _A.CANCELLED
    assert facts.lost(Running("G", 1), "its port is gone").state is _A.INTERRUPTED
    for state, tried in ((_S.CANCELLING, True), (_S.PAUSING, True), (_S.PRINTING, False)):
        left = kept(asking, agenda(state))
        assert (problem_of(left, standing(state), 1e9) is None) is tried
