"""Pauses before a simulated board: what the board holds then is what comes back (serial 9)."""

from pathlib import Path

import msgspec
import pytest

from bridge.simulator.families import FAMILIES
from schemas.jobs import AttemptState
from schemas.printer import PrinterState
from tests.fakes.hosts import CONFIG, Bench

OFF = msgspec.structs.replace(CONFIG, scripts={"on_pause": "M104 S0"})
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
