"""Commands that talk: identity, texts, prompts, keepalive, numbering, tools (serial 5 and 7)."""

from math import inf

from bridge.simulator.machine import Handler, Machine, Work
from bridge.simulator.profile import firmware_info
from bridge.simulator.receiver import Command
from bridge.simulator.waits import Drained, Until, User
from bridge.simulator.words import letters, numbers, text

_PARK_S = 3.0
_PURGE_S = 5.0
_PURGE_MORE = 0


def firmware(machine: Machine, command: Command, now: float) -> None:
    """M115."""
    for line in firmware_info(machine.profile):
        machine.say(line)


def set_line_number(machine: Machine, command: Command, now: float) -> None:
    """M110 N<n>, also for an unnumbered line: the next number is n + 1."""
    number = numbers(command).get("N")
    if number is not None:
        machine.receiver.last = int(number)


def keepalive(machine: Machine, command: Command, now: float) -> None:
    """M113 S<seconds>, 0 for none; without S reports."""
    interval_s = numbers(command).get("S")
    if interval_s is None:
        machine.say(f"echo:M113 S{machine.keepalive_s:.0f}")
    else:
        machine.keepalive_s = min(max(interval_s, 0.0), 60.0)


def send_text(machine: Machine, command: Command, now: float) -> None:
    """M118 [A1] [E1] [Pn] text: back to the host, as a `//` or `echo:` line."""
    prefix, words = "", text(command)
    while words[:2] in ("A1", "E1") or (words[:1] == "P" and words[1:2].isdigit()):
        prefix += {"A": "//", "E": "echo:", "P": ""}[words[0]]
        words = words[2:].lstrip(" ")
    machine.say(prefix + words)


def select_tool(machine: Machine, command: Command, now: float) -> Work | None:
    """T<n>; *rest* is the number's digits."""
    tool = int(command.rest)
    if tool >= len(machine.nozzles):
        machine.say(f"echo:T{tool} Invalid extruder")
        return None
    return _change_tool(machine, tool)


def stop_for_user(machine: Machine, command: Command, now: float) -> Work | None:
    """M0, M1 [P<ms>|S<s>] [text]: until somebody answers or the time is up."""
    return _stop_for_user(machine, command)


def change_filament(machine: Machine, command: Command, now: float) -> Work | None:
    """M600: parks, asks for filament, purges, goes on."""
    return _change_filament(machine)


def silent(machine: Machine, command: Command, now: float) -> None:
    """A command that shows nothing on the wire but its `ok`."""


_SILENT = (b"G21 M17 M73 M75 M76 M77 M108 M112 M117 M300 M302 M410 M876 M900 M999").split()

HANDLERS: dict[bytes, Handler] = {
    **dict.fromkeys(_SILENT, silent),
    b"M0": stop_for_user,
    b"M1": stop_for_user,
    b"M110": set_line_number,
    b"M113": keepalive,
    b"M115": firmware,
    b"M118": send_text,
    b"M600": change_filament,
}


def _change_tool(machine: Machine, tool: int) -> Work:
    if tool != machine.tool:
        yield Drained(machine.motion.planner)
        machine.tool = tool
    machine.say(f"echo:Active Extruder: {tool}")


def _stop_for_user(machine: Machine, command: Command) -> Work:
    now = yield Drained(machine.motion.planner)
    values = numbers(command)
    patience_s = machine.pace.real_s(values.get("S", values.get("P", 0.0) / 1000))
    if not letters(command) & {"S", "P"} and text(command):
        machine.say(f"echo:{text(command)}")
    _prompt(machine, f"{command.head.decode()} Stop", "Continue")
    yield User(now + patience_s if patience_s else inf)


def _change_filament(machine: Machine) -> Work:
    machine.say("//action:paused")
    _prompt(machine, "Pause", "Dismiss")
    now = yield Drained(machine.motion.planner)
    yield Until(now + machine.pace.real_s(_PARK_S))
    machine.say("echo:Insert filament and send M108")
    _prompt(machine, "Nozzle Parked", "Continue")
    yield User()
    answer: int | None = _PURGE_MORE
    while answer == _PURGE_MORE:
        _prompt(machine, "Paused", "PurgeMore", "Continue")
        decision = User()
        now = yield decision
        answer = decision.answer
        if answer == _PURGE_MORE:
            yield Until(now + machine.pace.real_s(_PURGE_S))
    machine.say("//action:prompt_end")
    machine.say("//action:resumed")
    _prompt(machine, "Resuming", "Dismiss")


def _prompt(machine: Machine, question: str, *buttons: str) -> None:
    machine.say("//action:prompt_end")
    machine.say(f"//action:prompt_begin {question}")
    for button in buttons:
        machine.say(f"//action:prompt_button {button}")
    machine.say("//action:prompt_show")
