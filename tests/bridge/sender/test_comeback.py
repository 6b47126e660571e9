"""A print goes on exactly where its host died, or honestly not at all (serial 11, 12/#62)."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from bridge.errors import JobFileError, PortError
from bridge.gcode.happenings import AttemptMoved, Warned
from bridge.sender.comeback import problem_of
from bridge.sender.linejournal import Standing
from bridge.simulator.faults import Faults
from schemas.jobs import AttemptState
from schemas.printer import PrinterState
from tests.fakes.hosts import CONFIG, Bench
from tests.fakes.owner import commands_of

_A = AttemptState
LINES, SHORT_LINES = 300, 120
#: Lines that a board may still have to run when its host dies.
IN_FLIGHT = 8
#: Things a host does in a print of `LINES`, and a little more.
ACTIONS, SHORT_ACTIONS = 500, 220
#: after a long gap, with the modes and the feedrate of the file
LIFT: tuple[bytes, ...] = (
    b"G21",
    b"G91",
    b"M83",
    b"G1 E-1 F1800",
    b"G1 Z1 F600",
    b"G1 Z-1",
    b"G1 E1 F1800",
)
LIFT += (b"G1 F1800", b"G90", b"M82")


@pytest.fixture(scope="session")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small print with comments, waits and texts."""
    return write_print(tmp_path_factory.mktemp("comeback") / "print.gcode", LINES)


@pytest.fixture(scope="session")
def short_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, shorter: for a thousand prints."""
    return write_print(tmp_path_factory.mktemp("comeback") / "short.gcode", SHORT_LINES)


def write_print(path: Path, moves: int) -> Path:
    """Write a print of so many moves."""
    lines = [
        "; made for this test",
        "G28",
        "G1 Z0.2 F300",
        "M104 S60",
        "M109 S60",
        "",
        "M117 layer 0",
    ]
    for index in range(moves):
        lines.append(f"G1 X{index % 90}.5 Y{index % 97}.25 E{index / 100:.3f} F1800")
        if index % 40 == 0:
            lines += [
                ";LAYER_CHANGE",
                f";Z:{0.2 + index // 40 / 5:.1f}",
                f"M117 layer {index // 40}",
                "G4 P10",
                "M106 S99",
            ]
    path.write_text("\n".join([*lines, "M104 S0", "M107"]) + "\n; the end", "ascii")
    return path


def run(seed: int, file: Path, faults: Faults | None = None, *, within: int = ACTIONS) -> Bench:
    """A print whose host is killed up to three times, at moments that *seed* chooses.

    *within*: the things a host does after which it is killed, at most.
    """
    never_lifts = msgspec.structs.replace(CONFIG, resume_lift_s=600.0)
    speed = (0.0, 100.0)[seed % 2]
    bench = Bench(seed, file, speed=speed, config=never_lifts, faults=faults)
    bench.start()
    for _ in range(1 + seed % 3):
        if not bench.kill_after(bench.random.randrange(1, within)):
            break
        bench.come_back(bench.random.choice((0.0, 0.02, 1.5, 20.0)))
    bench.run_until(bench.over)
    return bench


def without_lifts(bench: Bench) -> list[bytes]:
    """What was printed, without lifting the nozzle off the part after a long gap."""
    return [line for line in bench.printed if line not in LIFT]


def resumes(bench: Bench) -> list[str]:
    """What was said about a print that goes on."""
    return [one.text for one in bench.happened if isinstance(one, Warned) and one.code == "resumed"]


@pytest.mark.parametrize("seed", range(20))
def test_a_print_goes_on_exactly_where_its_host_died(seed: int, file: Path) -> None:
    """Killed at any moment, also between the bytes of a line: every line once, in order."""
    bench = run(seed, file)
    assert bench.ending is _A.COMPLETED
    assert bench.printed == commands_of(file)


@pytest.mark.seeded
@pytest.mark.parametrize("block", range(4))
def test_a_thousand_kills_change_nothing(block: int, short_file: Path) -> None:
    """1 000 random kill points: the executed list is the file, each time."""
    kills, seed = 0, 10_000 * (block + 1)
    while kills < 250:
        kills += check_killed(seed, short_file, within=SHORT_ACTIONS)
        seed += 1


@pytest.mark.seeded
def test_kills_on_a_bad_cable_end_exactly_or_honestly(short_file: Path) -> None:
    """Flips and losses both ways: the file once, or a part of it and no success."""
    completed = sum(check_noisy(seed, short_file, within=SHORT_ACTIONS) for seed in range(150))
    assert completed > 100


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_kills_in_longer_prints(file: Path, seeds: Sequence[int]) -> None:
    """Three kills at most in each of many prints: the executed list is the file."""
    kills = sum(check_killed(seed, file, within=ACTIONS) for seed in seeds)
    assert kills >= len(seeds) // 2


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_kills_on_many_bad_cables(file: Path, seeds: Sequence[int]) -> None:
    """The same behind cables that flip and lose: exact, or an honest failure."""
    completed = sum(check_noisy(seed, file, within=ACTIONS) for seed in seeds)
    assert completed >= len(seeds) // 2


def check_killed(seed: int, file: Path, *, within: int) -> int:
    """Hold one seed's print against the file; how often it was killed and went on."""
    bench = run(seed, file, within=within)
    assert (seed, bench.ending) == (seed, _A.COMPLETED)
    assert bench.printed == commands_of(file), f"seed {seed}"
    return len(resumes(bench))


def is_damage(one: bytes, other: bytes) -> bool:
    """Whether *one* is *other* behind a bad cable, and no other line of the file."""
    if len(one) == len(other):
        return sum((a ^ b).bit_count() for a, b in zip(one, other, strict=True)) <= 2
    rest = iter(other)
    return 0 < len(other) - len(one) <= 2 and all(byte in rest for byte in one)


def test_a_neighbour_is_no_damaged_line(file: Path) -> None:
    """Or a line left out would pass for noise."""
    commands = commands_of(file)
    assert not any(is_damage(*pair) for pair in pairwise(commands))
    assert is_damage(b"G1 X1 G1800", b"G1 X1 F1800")
    assert is_damage(b"G1X1F1800", b"G1 X1 F1800")


def check_noisy(seed: int, file: Path, *, within: int) -> bool:
    """Hold one seed's print over a bad cable against the file; whether it completed."""
    faults = Faults(flip=0.0002, lose=0.0001, seed=seed)
    bench = run(seed, file, faults, within=within)
    # one in 256 merged lines passes its checksum: what is executed of it ends at the first star
    commands, printed = commands_of(file), [line.partition(b"*")[0] for line in bench.printed]
    completed = bench.ending is _A.COMPLETED
    assert len(printed) == len(commands) or not completed, f"seed {seed}"
    wrong = [pair for pair in zip(printed, commands, strict=False) if pair[0] != pair[1]]
    # two flips, one perhaps in the checksum, or two lost bytes: no firmware can tell, and it hardly
    # ever happens
    assert len(wrong) <= 1, f"seed {seed}: {wrong[:3]}"
    assert all(is_damage(*pair) for pair in wrong), (seed, wrong)
    return completed


def halfway(file: Path, seed: int = 1) -> Bench:
    """A print whose host has just died in the middle."""
    bench = Bench(seed, file)
    bench.start()
    assert bench.kill_after(200)
    return bench


def test_after_a_long_gap_the_nozzle_comes_off_the_part_first(file: Path) -> None:
    """Retract, lift, back, prime, and the modes as they were; nothing moves in the sum."""
    bench = halfway(file)
    before = len(bench.printed)
    bench.come_back(30.0)
    bench.run_until(bench.over)
    assert "lifted off the part" in resumes(bench)[0]
    at = bench.printed.index(b"G21")
    assert at >= before
    assert bench.printed[at : at + len(LIFT)] == list(LIFT)
    assert without_lifts(bench) == commands_of(file)
    assert bench.ending is _A.COMPLETED


def test_a_board_that_restarted_is_not_gone_on_with(file: Path) -> None:
    """Its count is near 0, whether its `start` is heard or not: the attempt is interrupted."""
    bench = halfway(file)
    bench.firmware.power_on(bench.now)
    bench.down.clear()
    before = bench.printed
    bench.come_back()
    bench.run_until(bench.over)
    assert bench.ending is _A.INTERRUPTED
    assert [line for line in bench.printed[len(before) :] if line.startswith(b"G")] == []


def test_a_board_that_says_nothing_is_not_waited_for_for_ever(file: Path) -> None:
    """A few questions, then the attempt is interrupted."""
    bench = halfway(file)
    bench.firmware.receive(b"\nM112\n", bench.now)
    began = bench.now
    bench.come_back()
    bench.run_until(bench.over)
    assert bench.ending is _A.INTERRUPTED
    assert bench.now - began < 30.0


def test_another_file_or_no_port_is_said_at_once(file: Path, tmp_path: Path) -> None:
    """Nothing is opened; safety M17."""
    copy = tmp_path / "copy.gcode"
    copy.write_bytes(file.read_bytes())
    bench = halfway(copy)
    bench.missing = True
    with pytest.raises(PortError, match="there is no port"):
        bench.come_back()
    bench.missing = False
    copy.write_bytes(file.read_bytes() + b"\nG1 X0")
    with pytest.raises(JobFileError, match="not the file that was printed"):
        bench.come_back()


def test_a_print_is_not_even_tried_to_be_taken_up_after_doubt(file: Path) -> None:
    """Nothing kept, another life of the computer, an unproven firmware, a long time."""
    bench = halfway(file)
    standing, kept, now = bench.standing(), bench.kept, bench.now
    assert standing is not None
    assert kept is not None
    assert problem_of(kept, standing, now) is None
    assert problem_of(None, standing, now) == "nothing was left to go on with"
    assert problem_of(kept, None, now) == "nothing was left to go on with"
    klipper = msgspec.structs.replace(kept, firmware="Klipper")
    assert "Klipper" in (problem_of(klipper, standing, now) or "")
    assert "has stood for" in (problem_of(kept, standing, now + 3600) or "")
    elsewhere = msgspec.structs.replace(kept, host_boot="x")
    assert "restarted" in (problem_of(elsewhere, standing, now) or "")


def test_states_between_lines_are_left_to_a_person() -> None:
    """What a script was doing when its host died cannot be told from the count."""
    standing = Standing(
        inserts=((9, 0), (40, 30)),
        lowest=30,
        highest=300,
        state=PrinterState.PRINTING,
        acked=50,
        beat_at=0.0,
        printed_s=0.0,
    )
    assert [standing.ordinal_of(number) for number in (8, 9, 39, 40, 45)] == [None, 0, 30, 30, 35]
    assert standing.objection(45, scripted=True) is None
    assert "nobody knows" in (standing.objection(3, scripted=False) or "")
    for state, number, scripted, fits in (
        (PrinterState.PAUSED, 45, False, False),
        (PrinterState.RESUMING, 45, False, False),
        (PrinterState.CANCELLING, 45, False, False),
        (PrinterState.STARTING, 9, False, True),
        (PrinterState.STARTING, 9, True, False),
        (PrinterState.STARTING, 12, True, True),
        (PrinterState.FINISHING, 51, False, True),
        (PrinterState.FINISHING, 52, False, False),
    ):
        at = replace(standing, state=state)
        assert (at.objection(number, scripted=scripted) is None) is fits, (state, number)


@pytest.mark.seeded
@pytest.mark.parametrize("seed", range(8))
def test_a_paused_print_is_paused_again_and_goes_on_exactly(seed: int, file: Path) -> None:
    """A person pauses, the host dies, an hour later a person resumes: every line once."""
    scripts = {"on_pause": "G91\nG1 Z5\nG90"}
    config = msgspec.structs.replace(CONFIG, scripts=scripts)
    bench = Bench(seed, file, config=config)
    bench.start()
    bench.run_until(lambda: len(bench.printed) > 20 + 17 * seed)
    bench.host.printer.pause(bench.now)
    bench.run_until(lambda: bench.host.printer.state is PrinterState.PAUSED)
    before = len(bench.printed)
    assert bench.kill_after(bench.random.randrange(20, 200))
    bench.come_back(3600.0)
    bench.run_until(lambda: bool(resumes(bench)))
    assert bench.host.printer.state is PrinterState.PAUSED
    assert "paused behind line" in resumes(bench)[0]
    assert [line for line in bench.printed[before:] if line.startswith(b"G")] == []
    bench.host.printer.resume(bench.now)
    bench.run_until(bench.over)
    assert bench.ending is _A.COMPLETED
    pause = bench.printed.index(b"G1 Z5")
    back = bench.printed[pause + 2 :]
    place = next(at for at, line in enumerate(back) if line.startswith(b"G1 X"))
    commands = commands_of(file)
    done = pause - 2  # what keeps the motors on, and G91
    assert bench.printed[:done] == commands[:done]
    assert bench.printed[-(len(commands) - done) :] == commands[done:]
    assert back[place].endswith(b"F6000")  # back to its place first


def test_a_torn_record_is_as_if_it_had_not_been_written(file: Path) -> None:
    """Any single byte of the page may be wrong: another standing or none, never an error."""
    bench = halfway(file)
    whole = bench.standing()
    for at in range(0, 1960, 7):
        bench.page[at] ^= 0x55
        torn = bench.standing()
        bench.page[at] ^= 0x55
        assert torn is None or torn.lowest <= whole.lowest  # type: ignore[union-attr]


def test_another_board_at_the_same_line_prints_nothing_of_it(file: Path) -> None:
    """Two printers print the same file, and their ports have swapped names while both hosts died.

    The count of the stranger is one that the dead host can have left: only its name tells.
    """
    bench = Bench(3, file)
    bench.start()
    assert bench.kill_after(200)
    assert bench.kept is not None
    bench.kept = msgspec.structs.replace(bench.kept, uuid="182a8101-a0c6-5564-bfb8-7b19c900ee3a")
    before = len(bench.printed)
    bench.come_back()
    left_by_the_dead = len(bench.printed) - before
    bench.run_until(bench.over)
    assert bench.ending is _A.INTERRUPTED
    told = [one.reason for one in bench.happened if isinstance(one, AttemptMoved)]
    assert "another board answers at this port" in told[-1]
    assert len(bench.printed) - before - left_by_the_dead <= IN_FLIGHT
