"""No line of a file heats above a ceiling, read as any firmware may read it (safety M19).

The reader here shares nothing with the gate's: it takes what is *sent*, and of every way to read it
the hottest.
"""

import random
import re
from collections.abc import Sequence

import pytest

from bridge.errors import GateRefusal
from bridge.gcode.prepare import Preparer, Run
from schemas.printer import Profile

PROFILE = Profile(max_nozzle_c=275, max_bed_c=110, max_chamber_c=60)
CEILINGS = {b"104": 275, b"109": 275, b"140": 110, b"190": 110, b"141": 60, b"191": 60}
PIECES = (
    *(b"M104", b"m109", b"M 140", b"M0190", b"M141", b"M191", b"M104.1", b"G1", b"G28", b"M"),
    *(b"S", b"R", b"s", b"r", b" S", b"T0", b"T1 ", b"X1", b"E1", b"F300", b"B", b"104", b"I"),
    *(b"60", b"110", b"215", b"275", b"276", b"0300", b"1e3", b"27.5E1", b"0x1F4", b".5", b"-5"),
    *(b"+400", b"S999", b" R300", b"S275.0", b"nan", b"inf", b"{bed}", b",", b".", b"e9", b"-"),
    *(b" ", b"\t", b"\r", b";", b"(", b")", b'"', b"\\", b"*", b"*97", b"N1 ", b"N-1", b"\xff"),
    *(b"\x00", b"\x08", b"/", b"@", b"%", b"M117 ", b"G4 P1 "),
)
_HEAT = re.compile(rb"M *0*(104|109|140|190|141|191)(?!\d)([^GM]*)")
_TARGET = re.compile(
    rb"[SR] *([-+]? *(?:0X[0-9A-F]+|(?:\d+\.?\d*|\.\d+)(?:E[-+]?\d+)?)|[-+]?(?:INF|NAN))"
)
_TEXTS = re.compile(rb"M *0*(?:16|23|28|30|32|33|117|118|486|862|928)(?!\d)")


def sent(line: bytes) -> list[bytes]:
    """What of the file line *line* would reach a printer."""
    try:
        prepared = Preparer(PROFILE).feed(line + b"\n", last=True)
    except GateRefusal:
        return []
    return [text for run in prepared if isinstance(run, Run) for text in run.texts]


def too_hot(text: bytes) -> list[bytes]:
    """The targets in *text* that are above their ceilings for some firmware."""
    text = _TEXTS.split(text.upper())[0]  # what follows is shown on a display
    return [
        target
        for code, words in _HEAT.findall(text)
        for target in _TARGET.findall(words)
        if not number(target) <= CEILINGS[code]
    ]


def number(text: bytes) -> float:
    """As C's strtof reads it."""
    plain = text.replace(b" ", b"").decode()
    return float(int(plain, 16)) if "X" in plain else float(plain)


def check(seed: int, lines: int) -> int:
    """Random lines of one seed; how many of them set a target and pass."""
    rng = random.Random(seed)
    heating = 0
    for _ in range(lines):
        line = b"".join(rng.choices(PIECES, k=rng.randrange(1, 9)))
        for text in sent(line):
            assert too_hot(text) == [], (seed, line, text)
            heating += _HEAT.search(text) is not None
    return heating


@pytest.mark.parametrize(
    "text", [b"M104 S276", b"M190R1E3", b"G1 X1 M141 S61", b"M109 T1 S0x1F4", b"M 0140 S INF"]
)
def test_the_reader_finds_what_is_too_hot(text: bytes) -> None:
    """It would be no test otherwise."""
    assert len(too_hot(text)) == 1


@pytest.mark.seeded
def test_nothing_too_hot_is_sent() -> None:
    """safety M19: whatever the spelling; and enough of the lines are about heat."""
    assert check(1, 6000) > 100


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_nothing_too_hot_is_sent_in_a_million_lines(seeds: Sequence[int]) -> None:
    """safety M19: two hundred lines a seed."""
    assert sum(check(seed, 200) for seed in seeds) > len(seeds)
