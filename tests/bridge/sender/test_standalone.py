"""`python -m bridge.sender --port … --file …`: one file, no agent."""

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fakes.owner import CUBE, ROOT, Processes, Simulated, commands_of, wait_for

pytestmark = pytest.mark.flow


def print_file(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the sender to its end."""
    return subprocess.run(
        [sys.executable, "-m", "bridge.sender", *arguments, "--exit-when-done"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_file_is_printed_once_in_order_and_drained(processes: Processes) -> None:
    """Status 0 after M400; every command of the file, each once."""
    printer = processes.simulator()
    result = print_file("--port", str(printer.link), "--baud", "115200", "--file", str(CUBE))
    assert (result.returncode, result.stdout) == (0, "")
    assert "100.0 %" in result.stderr
    wait_for(lambda: printer.executed()[-1:] == [b"M400"], "the log")
    assert printer.printed() == commands_of(CUBE)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_bad_cable_costs_time_and_nothing_else(processes: Processes, seed: int) -> None:
    """serial 12/#10 to #28 against the simulated Marlin: printed == file."""
    faults = f"flip=0.0002,lose=0.0001,seed={seed}"
    printer = processes.simulator("--speed", "0", "--faults", faults)
    result = print_file("--port", str(printer.link), "--file", str(CUBE))
    assert result.returncode == 0, result.stderr
    wait_for(lambda: b"M400" in printer.executed(), "the log")
    assert printer.printed() == commands_of(CUBE)


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["--port", "/dev/ttyNOPE", "--file", str(CUBE)], 4, "ports that exist"),
        (["--port", "/dev/null", "--file", str(CUBE)], 4, "no serial port"),
        (["--port", "LINK", "--file", "/nowhere.gcode"], 3, "cannot open"),
        (["--port", "LINK", "--file", str(CUBE), "--sha256", "0" * 64], 3, "sha256"),
        (["--port", "LINK", "--file", str(CUBE), "--max-nozzle", "200"], 5, "line 68: M104"),
    ],
)
def test_what_cannot_be_printed_ends_with_one_clear_line(
    processes: Processes, arguments: list[str], code: int, word: str
) -> None:
    """A distinct status each, and not a byte of the job on the wire."""
    printer = processes.simulator()
    result = print_file(*[str(printer.link) if one == "LINK" else one for one in arguments])
    assert result.returncode == code
    assert word in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert printer.printed() == []


def test_a_refused_file_names_the_line(processes: Processes, tmp_path: Path) -> None:
    """safety M20: what may not be in a file."""
    path = tmp_path / "bad.gcode"
    path.write_text("G28\nG1 X1\nM997\n")
    printer = processes.simulator()
    result = print_file("--port", str(printer.link), "--file", str(path))
    assert (result.returncode, printer.printed()) == (5, [])
    assert "line 3: M997" in result.stderr


def waiting(printer: Simulated, path: Path, text: str) -> tuple[int, int]:
    """A print of *text* with a terminal of its own, as a shell starts it: its number, its screen.

    It stands at its first pause.
    """
    path.write_text(text)
    command = [sys.executable, "-m", "bridge.sender", "--port", str(printer.link)]
    number, screen = pty.fork()
    if number == 0:  # pragma: no cover - another process
        os.chdir(ROOT)
        os.execv(sys.executable, [*command, "--file", str(path), "--exit-when-done"])
    return number, screen


def read_until(screen: int, word: str) -> str:
    """What the terminal shows until *word* is there."""
    shown = ""
    deadline = time.monotonic() + 30
    while word not in shown:
        assert time.monotonic() < deadline, shown
        if select.select([screen], [], [], 0.2)[0]:
            shown += os.read(screen, 4096).decode("utf-8", "replace")
    return shown


@pytest.mark.parametrize("way", ["enter", "signal"])
def test_a_person_at_the_terminal_goes_on_behind_a_pause(
    processes: Processes, tmp_path: Path, way: str
) -> None:
    """M0 in the file: it stood there for ever, and could only be ended."""
    printer = processes.simulator()
    file = tmp_path / "part.gcode"
    number, screen = waiting(printer, file, "G28\nG1 X1\nM0 Magnets\nG1 X2\n")
    try:
        os.write(screen, b"\n\n")  # typed too early, for something else
        shown = read_until(screen, "Ctrl-C ends it")
        assert "MAGNETS" in shown
        assert f"kill -USR1 {number}" in shown
        time.sleep(1.5)
        assert b"G1 X2" not in printer.printed()
        if way == "enter":
            os.write(screen, b"\n")
        else:
            os.kill(number, signal.SIGUSR1)
        read_until(screen, "100.0 %")
        assert os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]) == 0
    finally:
        os.close(screen)
    assert b"G1 X2" in printer.printed()


def test_a_person_at_the_terminal_goes_on_behind_a_wait_of_the_firmware(
    processes: Processes, tmp_path: Path
) -> None:
    """M600 waits inside the printer: Enter is M108, and the print goes on."""
    printer = processes.simulator()
    number, screen = waiting(printer, tmp_path / "part.gcode", "G28\nG1 X1\nM600\nG1 X2\n")
    try:
        read_until(screen, "number of the answer")
        shown = ""
        while "100.0 %" not in shown:
            time.sleep(1.5)
            os.write(screen, b"\n")
            shown += read_until(screen, "%")
        assert os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]) == 0
    finally:
        os.close(screen)
    assert b"G1 X2" in printer.printed()
