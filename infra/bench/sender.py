"""Lines per second of one sender, beside bare Python loops on the same device in the same run.

    python -m infra.bench.sender [--json] [--lines N]

The device is a minimal responder on a pty, its own process: it answers every line with `ok`, as
fast as it can (`free`), a millisecond later (`latency1ms`), at the pace of a 115200 baud wire
(`baud115200`, where what counts too is how many bytes a receive ring of 127 would have lost), or
when its planner of 16 moves of 2 ms has room (`planner2ms`; three busy loops beside, and what
counts is how often that planner ran dry). A board does not compete for this computer: the responder
runs in real time where that is allowed, and its clock stands still while it waits for a CPU.

The sender prints one file by itself; as `served` it has an owner, a black box and its line journal,
and at 115200 baud it takes the pty for a UART. The loops `window1` and `window4` only
write numbered lines and count answers: no printer would be safe with them, nothing in Python can be
much faster. Figures of different runs do not compare; the ratio to `window4` of the same run does.
"""

import argparse
import json
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import reduce
from operator import xor
from pathlib import Path

from bridge.sender.standalone import Order, Standalone
from bridge.serial.port import SerialPort
from infra.bench import peers
from infra.bench.board import BAUD, OK, respond
from infra.bench.table import Figure, show
from schemas.printer import Profile

SCENARIOS = {"free": 100_000, "latency1ms": 4_000, "baud115200": 1_200, "planner2ms": 5_000}
GOALS = {
    "free": ">= 20 000, ratio >= 0.33",
    "latency1ms": ">= 2 900",
    "baud115200": ">= 280",
    "planner2ms": "0 starvations",
}
HOSTS = ("sender", "window4", "window1")
#: The sender once more, in one scenario only.
SERVED = "served"
HOGS = 3
#: A host that has not finished by then has failed.
PATIENCE_S = 300.0


@dataclass(frozen=True, slots=True)
class Result:
    """One host in one scenario: rate in lines per second, CPU seconds per 100k lines, MB."""

    lines_per_s: float
    cpu_s_per_100k: float
    rss_mb: float
    starvations: int = 0
    lost_bytes: int = 0


def text(index: int) -> str:
    """A line as slicers make them; numbered, it is 38 bytes long."""
    return f"G1 X{100 + index % 90}.123 Y{100 + index % 97}.456 E.{10000 + index % 9000}"


# --- the hosts -------------------------------------------------------------------------------


def bare_loop(port: str, count: int, window: int) -> None:
    """Nothing but write, wait, read, count."""
    fd = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    lines = []
    for index in range(count):
        line = f"N{index + 1} {text(index)}".encode()
        lines.append(b"%b*%d\n" % (line, reduce(xor, line)))
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    sent = acked = 0
    while acked < count:
        end = min(count, acked + window)
        if sent < end:
            os.write(fd, b"".join(lines[sent:end]))
            sent = end
        poll.poll()
        acked += os.read(fd, 65536).count(OK)


class Uart(SerialPort):
    """A pty that is taken for a UART: bytes beyond the printer's ring would be lost."""

    def __init__(self, device: str, baud: int, *, reset: bool = False) -> None:
        super().__init__(device, baud, reset=reset)
        self.link = replace(self.link, lossless=False)


def print_on_uart(port: str, file: str) -> None:
    """Be a sender that prints *file* on a UART."""
    profile = Profile()
    order = Order(
        port=port,
        baud=BAUD,
        file=file,
        max_nozzle_c=profile.max_nozzle_c,
        max_bed_c=profile.max_bed_c,
    )
    sys.exit(Standalone(order, sys.stderr, Uart).run())


def command(host: str, scenario: str, port: str, file: Path, count: int) -> list[str]:
    """How *host* is started."""
    if host == SERVED:
        return [sys.executable, "-m", "infra.bench.serving", port, str(file)]
    if host == "sender" and scenario == "baud115200":
        role = [sys.executable, "-m", "infra.bench.sender", "--role", "uart"]
        return [*role, "--port", port, "--file", str(file)]
    if host == "sender":
        options = ["--port", port, "--baud", str(BAUD), "--file", str(file), "--exit-when-done"]
        return [sys.executable, "-m", "bridge.sender", *options]
    if host in peers.PACKAGES:
        return peers.command(host, port, file)
    return [
        *(sys.executable, "-m", "infra.bench.sender", "--role", host),
        *("--port", port, "--lines", str(count)),
    ]


# --- the measurement -------------------------------------------------------------------------


def measure(host: str, scenario: str, count: int, file: Path) -> Result:
    """Run *host* once. Raises RuntimeError when it did not print every line."""
    responder = subprocess.Popen(
        [sys.executable, "-m", "infra.bench.sender", "--role", "device", "--scenario", scenario],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert responder.stdout is not None
    port = responder.stdout.readline().strip()
    process = subprocess.Popen(command(host, scenario, port, file, count), stderr=subprocess.PIPE)
    peak_kb = 0
    end = time.monotonic() + PATIENCE_S
    while True:
        if time.monotonic() > end:
            process.kill()
        peak_kb = max(peak_kb, _peak_kb(process.pid))
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            break
        time.sleep(0.02)
    process.returncode = os.waitstatus_to_exitcode(status)
    complaint = process.stderr.read().decode() if process.stderr else ""
    if process.returncode != 0:
        responder.kill()  # a host that has not opened the port leaves it waiting
    seen = json.loads(responder.communicate(timeout=30)[0] or '{"lines": 0}')
    if process.returncode != 0 or seen["lines"] < count:
        raise RuntimeError(f"{host} printed {seen['lines']} of {count} lines: {complaint.strip()}")
    cpu_s = usage.ru_utime + usage.ru_stime
    rate, cpu_s_per_100k = count / seen["seconds"], cpu_s / count * 100_000
    return Result(rate, cpu_s_per_100k, peak_kb / 1024, seen["starvations"], seen["lost_bytes"])


@contextmanager
def hogs(count: int) -> Iterator[None]:
    """*count* busy loops beside."""
    started = [subprocess.Popen([sys.executable, "-c", "while 1: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for hog in started:
            hog.kill()
            hog.wait()


def _peak_kb(pid: int) -> int:
    """VmHWM; ru_maxrss would count what this process had when it forked."""
    try:
        status = Path(f"/proc/{pid}/status").read_text("ascii")
    except OSError:
        return 0
    found = [line for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(found[0].split()[1]) if found else 0


def figures_of(
    scenario: str, count: int, directory: Path, hosts: Sequence[str] = HOSTS
) -> list[Figure]:
    """Every one of *hosts* in *scenario*, as figures beside `window4`."""
    file = directory / f"{scenario}.gcode"
    file.write_text("".join(f"{text(index)}\n" for index in range(count)), "ascii")
    if scenario == "free":
        hosts = (*hosts, SERVED)
    with hogs(HOGS if scenario == "planner2ms" else 0):
        results = dict(_measured(hosts, scenario, count, file))
    bare, ours = results["window4"], results["sender"]
    if scenario == "planner2ms":
        return [
            Figure(
                f"{scenario}: {host}",
                result.starvations,
                "starvations",
                goal=GOALS[scenario] if host == "sender" else "",
            )
            for host, result in results.items()
        ]
    figures = [
        Figure(
            f"{scenario}: {host}",
            result.lines_per_s,
            "lines/s",
            reference=bare.lines_per_s,
            reference_name="window4",
            goal=GOALS[scenario] if host in ("sender", SERVED) else "",
        )
        for host, result in results.items()
    ]
    if scenario == "baud115200":
        figures += [
            Figure(f"{scenario}: {host} beyond the ring", result.lost_bytes, "bytes", goal=goal)
            for host, result, goal in (("sender", ours, "0"), ("window4", bare, ""))
        ]
    if scenario == "free":  # elsewhere the start of the process is most of the CPU time
        for host in ("sender", SERVED):
            figures += _costs(host, results[host], bare)
    return figures


def _measured(
    hosts: Sequence[str], scenario: str, count: int, file: Path
) -> Iterator[tuple[str, Result]]:
    """Every host's result; without those of other people's hosts that did not come through."""
    for host in hosts:
        try:
            yield host, measure(host, scenario, count, file)
        except RuntimeError as error:
            if host not in peers.PACKAGES:
                raise
            print(f"{scenario}: {error}", file=sys.stderr)


def _costs(host: str, own: Result, bare: Result) -> list[Figure]:
    cpu, rss = own.cpu_s_per_100k, own.rss_mb
    return [
        Figure(f"{host}: CPU", cpu, "s/100k lines", bare.cpu_s_per_100k, "window4", "<= 3 s"),
        Figure(f"{host}: memory", rss, "MB", bare.rss_mb, "window4", "<= 25 MB"),
    ]


def run(*, as_json: bool = False, lines: int | None = None) -> None:
    """Measure and print; at most *lines* per run instead of each scenario's own number."""
    with tempfile.TemporaryDirectory() as directory:
        figures = [
            figure
            for scenario, usual in SCENARIOS.items()
            for figure in figures_of(scenario, min(lines or usual, usual), Path(directory))
        ]
    show("sender", figures, as_json=as_json)


def main() -> None:
    """The command line; `--role` is how the benchmark starts its own parts."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.bench.sender",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="JSON instead of a table")
    parser.add_argument("--lines", type=int, help="at most so many lines per run")
    parser.add_argument(
        "--role", choices=("device", "uart", "window1", "window4"), help=argparse.SUPPRESS
    )
    parser.add_argument("--scenario", default="free", choices=SCENARIOS, help=argparse.SUPPRESS)
    parser.add_argument("--port", help=argparse.SUPPRESS)
    parser.add_argument("--file", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.role == "device":
        respond(asked.scenario)
    elif asked.role == "uart":
        print_on_uart(asked.port, asked.file)
    elif asked.role:
        bare_loop(asked.port, asked.lines, int(asked.role.removeprefix("window")))
    else:
        run(as_json=asked.json, lines=asked.lines)


if __name__ == "__main__":
    main()
