"""`python -m bridge.sender`: one printer, either for one file or for an agent."""

import argparse
import gc
import sys
from pathlib import Path

from bridge.errors import ControlError, LockHeld
from bridge.sender.service import serve
from bridge.sender.standalone import Exit, Order, print_file
from schemas.printer import Profile

_EPILOG = """\
exit codes: 0 printed and the motion queue has drained; 1 the print failed; 2 wrong arguments;
3 the file cannot be read or is not what was promised; 4 the port cannot be used or nothing answers;
5 a line of the file may not reach this printer (temperature or policy); 6 cancelled by a signal;
7 another sender of this printer runs already

where the print waits for a person, Enter or SIGUSR1 goes on; Ctrl-C or SIGTERM cancels it, twice
leaves at once"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bridge.sender",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    profile = Profile()
    alone = parser.add_argument_group("print one file")
    alone.add_argument("--port", help="serial port, for example /dev/ttyUSB0")
    alone.add_argument("--baud", type=int, default=0, help="baud rate; 0 tries the usual ones")
    alone.add_argument("--file", help="G-code file")
    alone.add_argument("--sha256", help="refuse the file unless it has this hash")
    alone.add_argument(
        "--exit-when-done", action="store_true", help="print the file, then exit (the only way)"
    )
    alone.add_argument("--max-nozzle", type=float, default=profile.max_nozzle_c, metavar="C")
    alone.add_argument("--max-bed", type=float, default=profile.max_bed_c, metavar="C")
    served = parser.add_argument_group("serve an agent")
    served.add_argument("--socket", help="unix socket to listen on")
    served.add_argument("--printer", type=int, help="number of the printer")
    served.add_argument("--state-dir", help="directory for black boxes")
    served.add_argument("--given-up", metavar="GRANT", help="a print that is not taken up again")
    return parser


def _serve(socket: Path, printer: int, state_dir: str | None, given_up: str | None) -> int:
    try:
        serve(socket, printer, Path(state_dir) if state_dir else socket.parent, given_up)
    except LockHeld as error:
        print(f"bridge.sender: {error}", file=sys.stderr)
        return Exit.RUNNING
    except (ControlError, OSError) as error:
        print(f"bridge.sender: {error}", file=sys.stderr)
        return Exit.PRINT_FAILED
    return Exit.DONE


def main(arguments: list[str] | None = None) -> int:
    """Run as asked; the exit code."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    gc.collect()
    gc.freeze()
    if asked.port and asked.file:
        return print_file(
            Order(
                port=asked.port,
                baud=asked.baud,
                file=asked.file,
                sha256=asked.sha256,
                max_nozzle_c=asked.max_nozzle,
                max_bed_c=asked.max_bed,
            )
        )
    if asked.socket and asked.printer is not None:
        return _serve(Path(asked.socket), asked.printer, asked.state_dir, asked.given_up)
    parser.error("give --port and --file, or --socket and --printer")


if __name__ == "__main__":
    sys.exit(main())
