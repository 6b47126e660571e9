"""Pauses before a simulated board: what the board holds then is what comes back (serial 9)."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from bridge.gcode.happenings import Warned
from bridge.gcode.run import JobFacts, Run
from bridge.simulator.families import FAMILIES
from schemas.jobs import AttemptState
from schemas.printer import PrinterState
from tests.fakes.hosts import CONFIG, Bench

OFF = msgspec.structs.replace(CONFIG, scripts={"on_pause": "M104 S0"})
#: The host waits in M600 itself.
UNHEARD = replace(
    FAMILIES["marlin"], identity="FIRMWARE_NAME:Marlin 2.1.2 UUID:1", emergency_parser=False
)
MOVES = "".join(f"G1 X{n % 90}.5 Y{n % 97}.25 F6000\n" for n in range(200))


@pytest.mark.parametrize("name", FAMILIES)
def test_a_resume_at_once_heats_what_the_pause_has_switched_off(name: str, tmp_path: Path) -> None:
    """serial 12/#52: also where the last report still tells the old target, or an older one."""
    file = tmp_path / "print.gcode"
    file.write_text(f"G28\nM109 S60\n{MOVES}M104 S65\nM0\n{MOVES}M104 S0\n", "ascii")
    bench = Bench(1, file, family=FAMILIES[name], config=OFF, speed=20.0)
    bench.start()
    printer = bench.host.printer
    bench.run_until(lambda: printer.state is PrinterState.PAUSED)
    before = len(bench.executed)
    printer.resume(bench.now)
    bench.run_until(bench.over)
    assert b"M109 T0 S65" in bench.executed[before : before + 4]
    assert bench.ending is AttemptState.COMPLETED


def told(bench: Bench) -> list[str]:
    """What was said of the file's own pauses."""
    return [
        one.code
        for one in bench.happened
        if isinstance(one, Warned) and one.code in ("file_pause", "filament_change")
    ]


@pytest.mark.parametrize(
    ("asks", "code"), [("M0 Put the magnets in", "file_pause"), ("M600", "filament_change")]
)
@pytest.mark.parametrize("dies", ["pausing", "paused", "resuming"])
def test_a_pause_of_the_file_outlives_a_host_that_died_in_a_persons_pause_there(
    asks: str, code: str, dies: str, tmp_path: Path
) -> None:
    """He paused behind the last line before it: the magnets are still asked for, and once."""
    file = tmp_path / "print.gcode"
    file.write_text(f"G28\n{MOVES}{asks}\n{MOVES}G1 X7 Y7\n", "ascii")
    bench = Bench(1, file, family=UNHEARD, speed=20.0)
    bench.start()
    printer = bench.host.printer
    stream = printer.link.stream
    last = 201 if asks == "M600" else 200  # of the lines that go out before it

    def is_due() -> bool:
        out = stream.out
        sent, done = out.ordinal_of(stream.sent), out.ordinal_of(stream.acked)
        return sent > last and done < sent

    bench.run_until(is_due)
    printer.pause(bench.now)
    before = len(told(bench))
    state = PrinterState(dies)
    if state is PrinterState.RESUMING:
        bench.run_until(lambda: printer.state is PrinterState.PAUSED)
        printer.resume(bench.now)
    bench.run_until(lambda: printer.state is state)
    assert told(bench)[before:] == []
    assert bench.kill_after(3)
    bench.come_back()
    printer = bench.host.printer
    bench.run_until(lambda: printer.state in (PrinterState.PAUSED, PrinterState.PRINTING))
    if printer.state is PrinterState.PAUSED and not told(bench):
        printer.resume(bench.now)
    bench.run_until(lambda: bool(told(bench)) or bench.over())
    assert told(bench) == [code]
    bench.run_until(lambda: printer.state is PrinterState.PAUSED)
    assert bench.kill_after(3)  # behind its own pause it is not asked for again
    bench.come_back()
    printer = bench.host.printer
    bench.run_until(lambda: printer.state is PrinterState.PAUSED)
    printer.resume(bench.now)
    bench.run_until(bench.over)
    assert told(bench) == [code]
    assert bench.ending is AttemptState.COMPLETED


@pytest.mark.parametrize(
    ("rested", "pauses", "is_kept"),
    [
        (4, False, True),
        (3, True, False),
        (-1, True, False),
        (None, True, True),
        (None, False, False),
    ],
)
def test_a_life_before_has_kept_the_files_pause_or_not(
    rested: int | None, pauses: bool, is_kept: bool
) -> None:
    """What it wrote down counts; of an older release, which wrote nothing, whether it paused."""
    run = Run(JobFacts(grant="G", job=1, file_name="f", size_bytes=1))
    run.pause_after, run.rested = 4, rested
    run.regain_rest(4, pauses=pauses)
    assert run.pause_after == (None if is_kept else 4)
