"""`bridge blackbox list | show | replay`: the recordings of this bridge's printers."""

import argparse
import re
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from bridge.blackbox import reader
from bridge.blackbox.reader import Filter, Said
from bridge.blackbox.replay import replay
from bridge.gcode.terminal import printable
from bridge.simulator.families import FAMILIES
from bridge.simulator.profile import Profile

EXIT_OK = 0
EXIT_DIFFERS = 6
_MARKS = {"sent": ">", "received": "<", "state": "="}

Directory = Callable[[argparse.Namespace], Path]


def add(parser: argparse.ArgumentParser, common: argparse.ArgumentParser, at: Directory) -> None:
    """Describe the commands; *at* gives the state directory of the options."""
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    listed = commands.add_parser("list", parents=[common], help="which recordings there are")
    shown = commands.add_parser("show", parents=[common], help="what was said, line by line")
    again = commands.add_parser("replay", parents=[common], help="against a simulated printer")
    for one in (listed, shown, again):
        one.add_argument("--printer", type=int, metavar="N", help="only of this printer")
        one.add_argument("--json", action="store_true", help="for programs")
    for one in (shown, again):
        one.add_argument("what", nargs="?", default="last", help="a grant, a number, or last")
    again.add_argument(
        "--firmware",
        choices=sorted(FAMILIES),
        default="marlin",
        help="how the simulated printer speaks; default marlin",
    )
    _add_filters(shown)
    listed.set_defaults(command=lambda options: _list(options, at(options)))
    shown.set_defaults(command=lambda options: _show(options, at(options)))
    again.set_defaults(command=lambda options: _replay(options, at(options)))


def _add_filters(shown: argparse.ArgumentParser) -> None:
    add = shown.add_argument
    for kind in _MARKS:
        flag = f"--{kind}"
        add(flag, action="append_const", dest="kinds", const=kind, help=f"only what is {kind}")
    add("--lines", type=_lines, metavar="N-M", help="only sent lines with these numbers")
    add("--since", type=float, metavar="S", help="from so many seconds after the beginning")
    add("--until", type=float, metavar="S", help="up to so many seconds after the beginning")
    add("--grep", type=_pattern, metavar="REGEX", help="only lines that this finds")


def _list(options: argparse.Namespace, state_dir: Path) -> int:
    found = reader.recordings(state_dir / "blackbox", options.printer)
    if options.json:
        rows = [{**asdict(one), "path": str(one.path)} for one in found]
        _say(msgspec.json.encode(rows).decode())
        return EXIT_OK
    for one in found:
        changed = datetime.fromtimestamp(one.changed_at, UTC).isoformat(" ", "seconds")
        size = f"{one.size_bytes / 1024:.0f} KiB"
        _say(f"{one.number:8} printer {one.printer:<4} {one.label:30} {size:>12}  {changed}")
    return EXIT_OK


def _show(options: argparse.Namespace, state_dir: Path) -> int:
    parts = reader.chosen(state_dir / "blackbox", options.what, options.printer)
    wanted = _filter(options)
    for line in reader.said(part.path for part in parts):
        if wanted.wants(line):
            _say(msgspec.json.encode(line).decode() if options.json else _text(line))
    return EXIT_OK


def _text(line: Said) -> str:
    return f"{line.at_s:14.6f} {_MARKS[line.kind]} {printable(line.text)}"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _replay(options: argparse.Namespace, state_dir: Path) -> int:
    parts = reader.chosen(state_dir / "blackbox", options.what, options.printer)
    profile = Profile(family=FAMILIES[options.firmware])
    result = replay(reader.sent_bytes(part.path for part in parts), profile)
    if options.json:
        _say(msgspec.json.encode({**asdict(result), "same": result.same}).decode())
    else:
        _say(f"sent {result.lines_sent} lines, the simulator executed {result.executed}")
        for name, counts in (("recorded", result.recorded), ("replayed", result.replayed)):
            told = ", ".join(f"{count} {word}" for word, count in sorted(counts.items()))
            _say(f"{name:9} {told}")
        if not result.same:
            _say(
                f"answer {result.differs_at} differs: recorded {result.recorded_answer}, "
                f"replayed {result.replayed_answer}"
            )
    return EXIT_OK if result.same else EXIT_DIFFERS


def _lines(text: str) -> tuple[int | None, int | None]:
    """N, N-M, N- or -M."""
    found = re.fullmatch(r"(\d{1,9})|(\d{0,9})-(\d{0,9})", text, re.ASCII)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no N, N-M, N- or -M")
    if found[1]:
        return int(found[1]), int(found[1])
    return (int(found[2]) if found[2] else None), (int(found[3]) if found[3] else None)


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no regular expression: {error}") from None


def _filter(options: argparse.Namespace) -> Filter:
    first, last = options.lines or (None, None)
    return Filter(
        kinds=frozenset(options.kinds or ()),
        first=first,
        last=last,
        since_s=options.since,
        until_s=options.until,
        pattern=options.grep,
    )
