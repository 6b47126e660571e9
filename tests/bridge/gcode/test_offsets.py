"""Temperature offsets move what a printed file asks for, and nothing else (octoprint 4)."""

import msgspec
import pytest

from bridge.gcode.offsets import shifted
from bridge.gcode.outgoing import Outgoing
from schemas.gcode.gate import judge
from schemas.gcode.policy import Origin
from schemas.printer import PrinterConfig, PrinterState, Profile
from tests.fakes.host import CONFIG, Host

TWO_TOOLS = Profile(extruders=2, heated_chamber=True)
OFFSETS = {"tool0": 5.0, "tool1": -7.5, "bed": 10.0, "chamber": -50.0}
#: Lines enough that the last heat lines still wait when the first have been sent.
MOVES = b"G1 X1 E1\n" * 40


def config(offsets_c: dict[str, float] = OFFSETS, profile: Profile = TWO_TOOLS) -> PrinterConfig:
    """The fake's configuration with these offsets."""
    return msgspec.structs.replace(CONFIG, offsets_c=offsets_c, profile=profile)


@pytest.mark.parametrize(
    ("line", "sent"),
    [
        (b"M104 S200", b"M104 S205"),
        (b"M109 R200.25", b"M109 R205.25"),
        (b"M104 S200 T1", b"M104 S192.5 T1"),
        (b"M109T1 S200", b"M109 T1 S192.5"),
        (b"M140 S60", b"M140 S70"),
        (b"M190 R60 S60", b"M190 R70 S70"),
        (b"M141 S55", b"M141 S5"),
        (b"M104 T7 S200", b"M104 T7 S200"),
        (b"M104 S0", b"M104 S0"),
        (b"M140 S0 R0", b"M140 S0 R0"),
        (b"M104", b"M104"),
        (b"M104 S200 F1 B230", b"M104 S205 F1 B230"),
    ],
)
def test_a_target_is_moved_by_the_offset_of_its_heater(line: bytes, sent: bytes) -> None:
    """All six codes, S and R; 0 stays 0, as do tools without an offset."""
    assert shifted(line, 0, config()) == sent


def test_a_line_without_a_tool_means_the_active_one() -> None:
    """A printer with one nozzle has one heater, whichever filament is chosen."""
    assert shifted(b"M104 S200", 1, config()) == b"M104 S192.5"
    assert shifted(b"M104 S200", 1, config(profile=Profile())) == b"M104 S205"
    assert shifted(b"M104 T3 S200", 1, config(profile=Profile())) == b"M104 T3 S205"


@pytest.mark.parametrize(
    ("line", "sent"),
    [
        (b"M104 S272", b"M104 S275"),
        (b"M104 S275", b"M104 S275"),
        (b"M190 S115", b"M190 S120"),
        (b"M141 S30", b"M141 S0"),
        (b"M104 S27E1", b"M104 S27E1"),
        (b"M104 S300", b"M104 S300"),
        (b"M104 S200 M140 S60", b"M104 S200 M140 S60"),
        (b"M104 SX", b"M104 SX"),
    ],
)
def test_no_offset_leads_above_a_ceiling_or_below_nothing(line: bytes, sent: bytes) -> None:
    """safety M19: it stops at the ceiling; what is no plain target goes as the file has it."""
    assert shifted(line, 0, config()) == sent


@pytest.mark.parametrize("asked_c", [1, 49.9, 119, 120, 200, 274.999, 275])
@pytest.mark.parametrize("offset_c", [-50.0, -0.5, 0.5, 50.0])
@pytest.mark.parametrize("code", ["M104", "M109", "M140", "M190", "M141", "M191"])
def test_the_gate_finds_nothing_in_a_moved_line(code: str, offset_c: float, asked_c: float) -> None:
    """safety M19: whatever the gate lets pass still passes when it is moved."""
    line = f"{code} S{asked_c:g}".encode()
    every = dict.fromkeys(OFFSETS, offset_c)
    before = judge(line, 1, TWO_TOOLS, Origin.FILE)
    after = judge(shifted(line, 0, config(every)), 1, TWO_TOOLS, Origin.FILE)
    assert (after is None) == (before is None)


def printed(host: Host) -> list[bytes]:
    """The heat commands that the firmware has run, in order."""
    return [line for line in host.firmware.executed if line.startswith((b"M104", b"M109"))]


def test_only_lines_of_the_file_are_moved() -> None:
    """Scripts and people say what they mean; the tool that the file has chosen counts."""
    scripts = {"before_print": "M104 S150", "after_print": "M104 S20"}
    host = Host(msgspec.structs.replace(config(), scripts=scripts))
    host.connect()
    host.start(b"M104 S200\nM109 S200\nT1\nM104 S210\nT0\nM104 S0\nG1 X1\n")
    host.go()
    host.printer.order(["M104 S180"], "by hand")
    host.go()
    assert printed(host) == [
        *(b"M104 S150", b"M104 S205", b"M109 S205", b"M104 S202.5", b"M104 S0"),
        *(b"M104 S20", b"M104 S180"),
    ]


def test_without_offsets_the_lines_are_the_files_own() -> None:
    """Not even their spelling changes."""
    host = Host(config({}))
    host.connect()
    host.start(b"M104 T0 S200.50\nM109S200\n")
    host.go()
    assert printed(host) == [b"M104 T0 S200.50", b"M109S200"]


def test_another_offset_counts_from_the_next_heat_line_that_was_not_sent() -> None:
    """Also for lines that are queued already; what was sent is not sent again."""
    host = Host(config({}))
    host.connect()
    host.firmware.stuck.add(b"M109")
    host.start(b"M104 S190\nM109 S200\n" + MOVES + b"M104 S210\n" + MOVES + b"M109 S215\nM104 S0\n")
    host.go()
    assert printed(host) == [b"M104 S190", b"M109 S200"]
    host.printer.configure(config({"tool0": 5.0}))
    host.say(host.firmware.finish())
    host.go()
    assert printed(host)[2:] == [b"M104 S215", b"M109 S220", b"M104 S0"]
    moves = [line for line in host.firmware.executed if line == b"G1 X1 E1"]
    assert len(moves) == 80
    assert host.printer.state is PrinterState.OPERATIONAL


def test_a_replay_is_the_same_bytes_whatever_the_offsets_are_now() -> None:
    """A line that was sent keeps its text, one that was only numbered does not."""
    out = Outgoing()
    out.feed([b"M104 S200", b"M104 S201", b"M104 S202"], alone=False)
    out.feed([b"M104 S203"], alone=False)
    sent = out.take(1, 0, job=True)
    out.amend({1: b"M104 S1", 2: b"M104 S2", 4: b"M104 S4", 9: b"M104 S9"})
    out.rewind(1, 0)
    assert out.take(1, 0, job=True) == sent
    rest = [*out.take(5, 1, job=True), *out.take(5, 1, job=True)]
    texts = [line.partition(b" ")[2].partition(b"*")[0] for line in rest]
    assert texts == [b"M104 S2", b"M104 S202", b"M104 S4"]
    assert out.ordinal_of(4) == 4
