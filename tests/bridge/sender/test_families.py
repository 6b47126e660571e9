"""A whole print on every simulated firmware family, over good and bad cables (serial 10)."""

from pathlib import Path

import pytest

from bridge.simulator.families import FAMILIES
from bridge.simulator.faults import Faults
from schemas.jobs import AttemptState
from tests.fakes.hosts import Bench
from tests.fakes.owner import commands_of

#: What each is taken for by its M115.
DIALECTS = {
    "marlin": "marlin",
    "marlin-1.1": "marlin-1.1",
    "marlin-1.0": "marlin-1.0",
    "mk3": "prusa",
    "buddy": "prusa-buddy",
    "repetier": "repetier",
    "smoothie": "smoothie",
    "rrf": "reprapfirmware",
    "klipper": "klipper",
}
#: Those that ask for a damaged line again.
ASKING = [name for name in FAMILIES if name not in ("rrf", "klipper")]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small print."""
    path = tmp_path_factory.mktemp("families") / "print.gcode"
    moves = "".join(f"G1 X{n % 90}.5 Y{n % 97}.25 E{n / 100:.3f} F1800\n" for n in range(250))
    path.write_text(f"G28\nM104 S60\nM109 S60\nM117 hello\n{moves}M104 S0\n", "ascii")
    return path


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_is_known_and_printed_on_exactly(name: str, file: Path) -> None:
    """Chosen by M115, every line once and in order, ended by what drains the planner."""
    bench = Bench(1, file, family=FAMILIES[name])
    bench.start()
    bench.run_until(bench.over)
    assert bench.host.printer.link.stream.dialect.name == DIALECTS[name]
    assert bench.ending is AttemptState.COMPLETED
    assert bench.printed == commands_of(file)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_colon_in_a_text_stops_no_print(name: str, tmp_path: Path) -> None:
    """Marlin 1.0, the MK2, Sprinter and Repetier 0.92 take it for a line end: the checksum was
    lost behind it, and the line asked for until the print was given up."""
    file = tmp_path / "colon.gcode"
    file.write_text("G28\nM117 Left: 1:20 h\nG1 X5\nM117 12:30\nG1 X6\n", "ascii")
    bench = Bench(1, file, family=FAMILIES[name])
    bench.start()
    bench.run_until(bench.over)
    assert bench.ending is AttemptState.COMPLETED
    cut = b":" in bench.host.printer.link.stream.dialect.ends_at
    assert cut is (name in ("marlin-1.0", "mk3", "repetier"))
    sent = commands_of(file)
    assert bench.printed == [line.replace(b":", b".") if cut else line for line in sent]


@pytest.mark.parametrize("name", FAMILIES)
def test_an_asterisk_in_a_name_stops_no_print(name: str, tmp_path: Path) -> None:
    """Marlin 1.0, MK3, Repetier and Smoothie look for the checksum behind the first one: objects
    that a slicer names by their files were asked for until the print was given up."""
    file = tmp_path / "star.gcode"
    file.write_text(
        'G28\nEXCLUDE_OBJECT_START NAME=cube*a_copy\nG1 X5\nM486 A"a*b"\nG1 X6\n', "ascii"
    )
    bench = Bench(1, file, family=FAMILIES[name])
    bench.start()
    bench.run_until(bench.over)
    assert bench.ending is AttemptState.COMPLETED
    moves = [line for line in bench.printed if line.startswith(b"G1")]
    assert moves == [b"G1 X5", b"G1 X6"]


@pytest.mark.seeded
@pytest.mark.parametrize("name", ASKING)
def test_noise_is_survived_by_every_family_that_asks_again(name: str, file: Path) -> None:
    """serial 12/#10 to #17: flips and losses both ways; exact, or an honest failure."""
    completed = 0
    for seed in range(4):
        faults = Faults(flip=0.0003, lose=0.0002, seed=seed)
        bench = Bench(seed, file, family=FAMILIES[name], faults=faults)
        bench.start()
        bench.run_until(bench.over)
        if bench.ending is AttemptState.COMPLETED:
            completed += 1
            assert bench.printed == commands_of(file), f"seed {seed}"
    assert completed >= 3


@pytest.mark.seeded
@pytest.mark.parametrize("name", ["rrf", "klipper"])
def test_no_move_is_repeated_where_a_lost_answer_cannot_be_decided(name: str, file: Path) -> None:
    """serial 12/#72: a lost `ok` ends the job in bounded time, or nothing was lost at all."""
    bench = Bench(2, file, family=FAMILIES[name], faults=Faults(drop_ok=0.02, seed=3))
    bench.start()
    began = bench.now
    bench.run_until(bench.over)
    commands = commands_of(file)
    assert bench.printed[: len(commands)] == commands[: len(bench.printed)]
    assert bench.now - began < 12 * 3600.0
