"""`bridge doctor`: what is wrong with the ports of this computer, and how to fix it."""

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from bridge.doctor import look
from bridge.doctor.checks import Finding, Level, PortFacts, SystemFacts, judge
from bridge.gcode.terminal import printable
from bridge.sender.board import Board
from schemas.facts import Port
from schemas.printer import Live

EXIT_OK = 0
EXIT_PROBLEM = 7
_SIGNS = {Level.OK: "ok     ", Level.ADVICE: "advice ", Level.PROBLEM: "PROBLEM"}


def add(parser: argparse.ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument(
        "--ask",
        action="store_true",
        help="also ask the firmware at every idle port who it is; opening may reset the board",
    )


def run(
    options: argparse.Namespace,
    ports: Iterable[Port],
    shown: Mapping[int, Live],
    boards: Mapping[int, Board],
    *,
    agent_running: bool,
) -> int:
    """Look, judge, show. *shown*: pictures of running senders; *boards*: what answered them.

    Both are by printer. The exit code.
    """
    facts = [_look_at(port, shown, boards, ask=options.ask) for port in ports]
    system = look.system_facts(agent_running=agent_running)
    findings = judge(system, facts)
    if options.json:
        report = {"system": system, "ports": facts, "findings": findings}
        _say(msgspec.json.encode(report).decode())
    else:
        _show(facts, system, findings)
    problems = any(finding.level is Level.PROBLEM for finding in findings)
    return EXIT_PROBLEM if problems else EXIT_OK


def _look_at(
    port: Port, shown: Mapping[int, Live], boards: Mapping[int, Board], *, ask: bool
) -> PortFacts:
    facts = look.port_facts(port)
    if port.printer is not None:
        return look.driven(facts, shown.get(port.printer), boards.get(port.printer))
    if facts.error is not None or not facts.readable:
        return facts
    facts = msgspec.structs.replace(facts, busy=look.is_busy(facts.device))
    return look.ask(facts) if ask and not facts.busy else facts


def _show(facts: list[PortFacts], system: SystemFacts, findings: list[Finding]) -> None:
    _say(f"user {system.user}, groups {', '.join(system.groups)}")
    for port in facts:
        for line in _lines(port):
            _say(printable(line))
    _say("")
    for finding in findings:
        _say(printable(f"{_SIGNS[finding.level]} {finding.where}: {finding.text}"))
        if finding.fix:
            _say(f"        -> {finding.fix}")


def _lines(port: PortFacts) -> Iterator[str]:
    """One port for a person: where it is, who may open it, what is behind it."""
    words = ["flow-controlled" if port.lossless else "UART"]
    words += [f"group {port.group}"] if port.group else []
    words += [f"latency timer {port.latency_ms} ms"] if port.latency_ms is not None else []
    words += [f"printer {port.printer}"] if port.printer is not None else []
    yield f"{port.port_id}: {port.device} ({', '.join(words)}) {port.description}".rstrip()
    yield from (f"    {name}" for name in (port.by_id, port.by_path) if name is not None)
    if port.firmware is None:
        return
    at = f" at {port.baud} baud" if port.baud else ""
    yield f"    {port.firmware}{at}, UUID {port.uuid or 'none'}"
    able = [name for name, has in sorted((port.capabilities or {}).items()) if has]
    if able:
        yield f"    can {' '.join(able)}"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
