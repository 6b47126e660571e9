"""Temperature offsets of a real sender: moved, recorded, and the same after a crash."""

from pathlib import Path

import msgspec
import pytest

from bridge.blackbox.reader import recordings, said
from bridge.control.messages import Configure, Gcode, Verdict
from schemas.jobs import AttemptState
from schemas.printer import PrinterState
from tests.fakes.hosts import CONFIG, Bench
from tests.fakes.owner import Processes, wait_for

SHIFTED = msgspec.structs.replace(CONFIG, offsets_c={"tool0": 4.0, "bed": -3.0}, resume_lift_s=600)
HEATS = (b"M104", b"M109", b"M140", b"M190")


def write_print(path: Path, pieces: int) -> Path:
    """A print with a heat line and five moves in every piece."""
    lines = ["G28", "M140 S50", "M104 S60", "M109 S60"]
    for piece in range(pieces):
        lines.append(f"M104 S{60 + piece % 30}")
        lines += [f"G1 X{piece % 90}.{move} E{piece / 100:.2f} F1800" for move in range(5)]
    path.write_text("\n".join([*lines, "M104 S0", "M140 S0"]) + "\n", "ascii")
    return path


def moved(path: Path, nozzle_c: int, bed_c: int) -> list[bytes]:
    """The commands of *path* with moved targets, without any of our own parsers."""
    by = {b"M104": nozzle_c, b"M109": nozzle_c, b"M140": bed_c, b"M190": bed_c}
    commands = []
    for line in path.read_bytes().split(b"\n")[:-1]:
        code, _, target = line.partition(b" S")
        is_moved = code in by and target != b"0"
        commands.append(b"%b S%d" % (code, int(target) + by[code]) if is_moved else line)
    return commands


def recorded(processes: Processes) -> list[str]:
    """What the black boxes say was sent."""
    boxes = recordings(processes.directory / "state" / "blackbox")
    return [line.text for line in said(box.path for box in boxes) if line.kind == "sent"]


@pytest.mark.parametrize("seed", range(8))
def test_a_print_that_lost_its_host_goes_on_with_the_same_targets(
    seed: int, tmp_path: Path
) -> None:
    """serial 11: killed at any moment; every line once, in order, moved as before."""
    file = write_print(tmp_path / "print.gcode", 50)
    bench = Bench(seed, file, speed=(0.0, 100.0)[seed % 2], config=SHIFTED)
    bench.start()
    for _ in range(1 + seed % 3):
        if not bench.kill_after(bench.random.randrange(1, 300)):
            break
        bench.come_back(bench.random.choice((0.0, 0.02, 1.5)))
    bench.run_until(bench.over)
    assert bench.ending is AttemptState.COMPLETED
    assert bench.printed == moved(file, 4, -3)


@pytest.mark.flow
def test_offsets_of_a_running_print_outlive_its_sender(
    processes: Processes, tmp_path: Path
) -> None:
    """octoprint 4: other offsets from the next heat line on, after a kill too; the box has them."""
    file = write_print(tmp_path / "print.gcode", 400)
    printer, sender = processes.simulator("--speed", "60"), processes.sender()
    owner = processes.owner(sender, 1)
    owner.connect(printer.link, resume_lift_s=600.0, resume_limit_s=600.0)
    owner.start(file)
    owner.state(PrinterState.PRINTING)
    wait_for(lambda: sum(line[:4] in HEATS for line in printer.executed()) > 10, "heat lines")
    patient = msgspec.structs.replace(CONFIG, resume_lift_s=600.0, resume_limit_s=600.0)
    other = msgspec.structs.replace(patient, offsets_c={"tool0": 100.0})
    change = Configure(id=owner.id(), config=other, device=str(printer.link))
    assert owner.ask(change).verdict is Verdict.DONE
    sender.kill()
    owner = processes.owner(processes.sender(), 2)
    owner.alarm("resumed")
    assert owner.ask(Gcode(id=owner.id(), lines=["M104 S77.5"])).verdict is Verdict.DONE
    owner.attempt(AttemptState.COMPLETED)
    owner.state(PrinterState.OPERATIONAL)
    by_hand, ran = b"M104 S77.5", printer.printed()
    assert ran.count(by_hand) == 1
    ran = [line for line in ran if line != by_hand]
    before, after = moved(file, 0, 0), moved(file, 100, 0)
    changed = next(at for at, line in enumerate(ran) if line != before[at])
    assert 10 < changed < len(before) - 5
    assert ran == before[:changed] + after[changed:]
    last = next(line for line in reversed(after) if line.startswith(b"M104 S1")).decode()
    wait_for(lambda: any(f" {last}*" in line for line in recorded(processes)), "the black box")
