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
    add("--lines", metavar="N-M", help="only sent lines with these numbers")
    add("--since", type=float, metavar="S", help="from so many seconds after the beginning")
    add("--until", type=float, metavar="S", help="up to so many seconds after the beginning")
    add("--grep", metavar="REGEX", help="only lines that this finds")


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


def _filter(options: argparse.Namespace) -> Filter:
    first: int | None = None
    last: int | None = None
    if options.lines:
        low, dash, high = options.lines.partition("-")
        first = int(low) if low else None
        last = int(high) if high else (None if dash else first)
    return Filter(
        kinds=frozenset(options.kinds or ()),
        first=first,
        last=last,
        since_s=options.since,
        until_s=options.until,
        pattern=re.compile(options.grep) if options.grep else None,
    )
