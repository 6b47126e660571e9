"""Command line of a simulated printer: `python -m bridge.simulator --name NAME --link PATH`."""

import argparse
import sys
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

from bridge.simulator.device import DeviceError, LinkInUse
from bridge.simulator.families import FAMILIES
from bridge.simulator.process import Simulator
from bridge.simulator.virtual import VirtualAddressError, VirtualPrinter

EXIT_USAGE = 2
EXIT_IN_USE = 3
EXIT_CANNOT_RUN = 1

_EXAMPLES = """\
examples:
  a printer twenty times as fast as a real one, at /tmp/prusa:
    python -m bridge.simulator --name prusa --link /tmp/prusa --speed 20
  a free-running one with a list of what it executed:
    python -m bridge.simulator --name bench --link /tmp/bench --speed 0 --log /tmp/bench.log
  a bad cable, a reset at line 1200, unplugged for 3 s at line 500, a cold nozzle:
    … --faults flip=0.0002,lose=0.0001,seed=7
    … --faults reset_at=1200
    … --faults unplug_at=500:3
    … --faults heater_fail=e0

exit codes: 0 ended by SIGTERM or SIGINT, 1 cannot start or go on, 2 wrong options, 3 link in use.
SIGUSR1 presses the reset button, which also revives a printer halted by M112."""


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT; returns the exit code."""
    options = vars(_parser().parse_args(arguments))
    link, ready_fd = Path(options.pop("link")).absolute(), options.pop("ready_fd")
    try:
        simulator = Simulator(VirtualPrinter(**options), link)
        simulator.power_on()
        if ready_fd is not None:
            _report_ready(ready_fd, simulator.node)
        simulator.run()
    except VirtualAddressError as error:
        return _complain(error, EXIT_USAGE)
    except LinkInUse as error:
        return _complain(error, EXIT_IN_USE)
    except (DeviceError, OSError) as error:
        return _complain(error, EXIT_CANNOT_RUN)
    return 0


def _report_ready(ready_fd: int, node: str) -> None:
    """Tell whoever started this; a simulator outlives a starter that is gone already."""
    with suppress(BrokenPipeError), open(ready_fd, "w") as ready:
        ready.write(f"{node}\n")


def _complain(error: Exception, code: int) -> int:
    print(f"simulator: {error}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bridge.simulator",
        description="A simulated 3D printer that speaks Marlin's serial protocol.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    default = {option.name: option.default for option in fields(VirtualPrinter)}
    add("--name", required=True, help="its name: decides the UUID it reports")
    add("--link", required=True, metavar="PATH", help="symbolic link to make to its terminal")
    add("--speed", type=float, help="simulated seconds per second, 0: free-running (default 1)")
    add("--hotends", type=int, metavar="N", help="number of nozzles (default 1)")
    add("--max-nozzle", type=float, metavar="C", help="MAXTEMP of nozzles in °C (default 275)")
    add("--max-bed", type=float, metavar="C", help="MAXTEMP of the bed in °C (default 120)")
    add("--rx-size", type=int, metavar="BYTES", help="receive ring (default 1024)")
    add("--boot-delay", type=float, metavar="S", help="seconds from reset to start (default 0)")
    add("--advanced-ok", action="store_true", help="answer ok N17 P15 B3")
    add("--reset-on-open", action="store_true", help="opening the port resets the board")
    add("--firmware", choices=FAMILIES, metavar="FAMILY", help=f"one of {', '.join(FAMILIES)}")
    add("--faults", metavar="SPEC", help="faults to make, see the examples")
    add("--seed", type=int, metavar="N", help="seed of the faults (default 0)")
    add("--log", metavar="FILE", help="append every executed command to FILE")
    add("--card", metavar="FILES", help="what is on its card: CUBE.GCO:4000,VASE.GCO:9000")
    add("--ready-fd", type=int, metavar="N", help="write the terminal's path there when ready")
    parser.set_defaults(**{k: v for k, v in default.items() if k != "name"}, ready_fd=None)
    return parser


if __name__ == "__main__":
    sys.exit(main())
