"""Whatever bytes come: no exception, bounded memory, and the printer stays in its table."""

import gc
import mmap
import random
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.errors import GateRefusal
from bridge.gcode.estimate import Estimate
from bridge.gcode.prepare import Preparer
from bridge.gcode.replies import MAX_REPLY_BYTES, LineReader, parse
from bridge.gcode.sdcard import MAX_FILES
from schemas.gcode.gate import judge
from schemas.gcode.policy import Origin
from schemas.printer import PrinterState, Profile
from tests.fakes.host import Host

#: What firmwares say, to be damaged.
SAID = (
    b"ok N17 P15 B3\n",
    b"ok T:20.1 /0.0 B:25.0 /60.0 T0:20.1 /0.0 @:0 B@:0\n",
    b" T:170.1 /200.0 B:60.0 /60.0 @:127 W:?\n",
    b"Error:checksum mismatch, Last Line: 16\nResend: 17\nok\n",
    b"rs N17 Expected checksum 3\n",
    b"echo:busy: paused for user\n",
    b"//action:prompt_begin Text\n//action:prompt_button Yes\n//action:prompt_show\n",
    b"FIRMWARE_NAME:Marlin 2.1 SOURCE_CODE_URL:x MACHINE_TYPE:y UUID:1\nCap:SDCARD:1\n",
    b"X:1.0 Y:2.0 Z:3.0 E:4.0 Count X:1 Y:2\n",
    b"Begin file list\nA.GCO 12 0x1 Long\nEnd file list\n",
    b"SD printing byte 12/40\n",
    b"start\nPowerUp\nMarlin 2.1\n",
    b"wait\n",
    b"T:nan /inf B:-15\n",
    b"\x00\xff\xfe\n",
)


def damaged(rng: random.Random) -> bytes:
    """Something that firmwares say, several times, with random damage."""
    data = bytearray(b"".join(rng.choices(SAID, k=rng.randrange(1, 5))))
    for _ in range(rng.randrange(8)):
        at = rng.randrange(len(data))
        match rng.randrange(4):
            case 0:
                data[at] = rng.randrange(256)
            case 1:
                del data[at : at + rng.randrange(9)]
            case 2:
                data[at:at] = rng.randbytes(rng.randrange(9))
            case _:
                data[at:at] = data[: rng.randrange(20)]
        data = data or bytearray(b"\n")
    return bytes(data)


@given(st.binary(max_size=400))
@settings(max_examples=60)
def test_any_bytes_are_replies(data: bytes) -> None:
    """serial 12/#59: the parser knows a value for everything."""
    reader = LineReader()
    for line in reader.feed(data + b"\n"):
        assert parse(line)


@given(st.text(max_size=200))
@settings(max_examples=60)
def test_any_text_is_a_reply(text: str) -> None:
    """Also digits and letters of other scripts."""
    assert parse(text)


def test_a_line_without_end_takes_no_memory() -> None:
    """serial 12/#60, safety R40: ten megabytes, and the next line is read."""
    reader = LineReader()
    for _ in range(160):
        assert reader.feed(b"x" * 65_536) == []
    assert reader.feed(b"tail\nok\n") == ["ok"]
    assert len(reader.feed(b"y" * MAX_REPLY_BYTES + b"\nok\n")) == 2


#: What one printer hears in its life: some 2.5 words at a time.
LIFE = 200


def live(seed: int) -> Host:
    """A printer that has heard damaged words all its life, in bounded memory."""
    rng, host = random.Random(seed), Host()
    host.printer.opened(host.now, boots=False, lossless=bool(seed % 2))
    host.go()
    if host.printer.state is PrinterState.OPERATIONAL:
        host.start(b"".join(b"G1 X%d\n" % index for index in range(200)))
    for _ in range(LIFE):
        host.say(damaged(rng))
        host.printer.take(host.now)
        host.now += rng.random()
        host.printer.tick(host.now)
        host.printer.events()
    card = host.printer.link.status.card
    assert len(card.files) <= MAX_FILES
    assert len(host.printer.link.status.temperatures) < 64
    return host


def test_a_printer_survives_whatever_it_hears() -> None:
    """serial 12/#59: a short one; the long one is for the night."""
    for seed in range(3):
        assert live(seed).printer.state in PrinterState


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_printers_survive_ten_million_damaged_words(seeds: Sequence[int]) -> None:
    """10^7 inputs in bounded memory: four printers a seed, each with some 500 words."""
    live(seeds[0])
    gc.collect()
    before_kb = _resident_kb()
    for seed in seeds:
        for part in range(4):
            try:
                live(4 * seed + part)
            except AssertionError as error:
                raise AssertionError(f"seed {seed}: {error}") from error
    assert _resident_kb() - before_kb < 32 * 1024


def _resident_kb() -> int:
    """What this process has in memory."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * mmap.PAGESIZE // 1024


@pytest.mark.parametrize(
    "letter", ["M", "G1 X", "T", "G1 F", "M73 R", "; layer ", ";LAYER:", ";TIME:"]
)
def test_numbers_without_end_are_no_accident(letter: str) -> None:
    """serial 12/#33: what is read from a file may have any length."""
    line = letter.encode() + b"1" * 60_000
    estimate = Estimate()
    estimate.feed(b"G28\n" + line + b"\n")
    with suppress(GateRefusal):
        Preparer(Profile()).feed(b"G28\n" + line + b"\nG1 X1\n", last=True)
    assert judge(line, 1, Profile(), Origin.FILE) is None or letter[0] in "MGT"
