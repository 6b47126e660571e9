"""Faults on purpose: reading the list, and what the cable does with bytes."""

import pytest

from bridge.simulator.faults import Cable, Faults, FaultSpecError, Reset, Unplug, parse
from bridge.simulator.profile import HeaterFault


def test_whole_list_is_read() -> None:
    """Every entry of the documented form."""
    faults = parse(
        "flip=0.0002,lose=0.0001,drop_ok=0.02,double_ok=0.01,delay=0.01:0.2,seed=7,"
        "reset_at=1200,unplug_at=500:3,heater_fail=e0,heater_stuck=bed"
    )
    assert faults == Faults(
        flip=0.0002,
        lose=0.0001,
        drop_ok=0.02,
        double_ok=0.01,
        delay=0.01,
        delay_s=0.2,
        reset_at=1200,
        unplug_at=500,
        unplug_s=3.0,
        heaters={"e0": HeaterFault.NO_HEAT, "bed": HeaterFault.STUCK_ON},
        seed=7,
    )


def test_seed_of_the_list_wins() -> None:
    """The given seed holds only if the list has none."""
    assert parse("flip=0.1", seed=3).seed == 3
    assert parse("seed=4", seed=3).seed == 4
    assert parse("heater_fail").heaters == {"e0": HeaterFault.NO_HEAT}


@pytest.mark.parametrize(
    ("spec", "parameter"),
    [
        ("flop=1", "flop"),
        ("flip=2", "flip"),
        ("flip", "flip"),
        ("lose=nan", "lose"),
        ("delay=0.1", "delay"),
        ("delay=0.1:x", "delay"),
        ("reset_at=0", "reset_at"),
        ("reset_at=-1", "reset_at"),
        ("unplug_at=5:-1", "unplug_at"),
        ("heater_fail=fan", "heater_fail"),
        ("seed=x", "seed"),
    ],
)
def test_bad_entry_is_named(spec: str, parameter: str) -> None:
    """The error says which entry to correct."""
    with pytest.raises(FaultSpecError, match=parameter) as caught:
        parse(spec)
    assert caught.value.parameter == parameter


def test_cable_without_faults_passes_everything() -> None:
    """Bytes are unchanged in both directions."""
    cable = Cable(Faults())
    assert cable.to_printer(b"G1 X1\n" * 100) == (b"G1 X1\n" * 100, None)
    assert cable.to_host(b"ok\n" * 100, 0.0) == b"ok\n" * 100


def test_noise_repeats_however_the_bytes_are_cut() -> None:
    """Same seed, same damage: whole or byte by byte; another seed, other damage."""
    data = bytes(range(32, 127)) * 50
    faults = Faults(flip=0.01, lose=0.01, seed=1)
    whole, _ = Cable(faults).to_printer(data)
    pieces = Cable(faults)
    cut = b"".join(pieces.to_printer(data[at : at + 3])[0] for at in range(0, len(data), 3))
    assert whole == cut != data
    assert Cable(Faults(flip=0.01, lose=0.01, seed=2)).to_printer(data)[0] != whole


def test_noise_has_the_asked_rate() -> None:
    """One percent of 100 000 bytes is about 1000."""
    data = b"x" * 100_000
    flipped, _ = Cable(Faults(flip=0.01)).to_printer(data)
    assert len(flipped) == len(data)
    assert 800 < sum(byte != ord("x") for byte in flipped) < 1200
    kept, _ = Cable(Faults(lose=0.01)).to_printer(data)
    assert 98_800 < len(kept) < 99_200
    assert Cable(Faults(lose=1.0)).to_printer(data)[0] == b""


def test_both_directions_are_noisy() -> None:
    """The way to the host has its own noise."""
    assert Cable(Faults(flip=0.1)).to_host(b"x" * 1000, 0.0) != b"x" * 1000


def test_ok_is_swallowed_or_doubled() -> None:
    """Only lines that begin with ok are concerned (serial 12/#21 and #24)."""
    lines = b"ok\necho:hello\n T:20 /0\n"
    assert Cable(Faults(drop_ok=1.0)).to_host(lines, 0.0) == b"echo:hello\n T:20 /0\n"
    assert Cable(Faults(double_ok=1.0)).to_host(lines, 0.0) == b"ok\nok\necho:hello\n T:20 /0\n"


def test_delay_holds_back_without_overtaking() -> None:
    """A held line and all behind it come together, later."""
    cable = Cable(Faults(delay=1.0, delay_s=0.5))
    assert cable.to_host(b"ok\n", 10.0) == b""
    assert cable.deadline() == 10.5
    assert cable.to_host(b"ok 2\n", 10.1) == b""
    assert cable.to_host(b"", 10.5) == b"ok\n"
    assert cable.to_host(b"", 10.6) == b"ok 2\n"


def test_reset_comes_with_its_line_and_bytes_behind_are_lost() -> None:
    """The third line arrives, then the board resets; once."""
    cable = Cable(Faults(reset_at=3))
    assert cable.to_printer(b"a\nb") == (b"a\nb", None)
    assert cable.to_printer(b"\nc\nd\n") == (b"\nc\n", Reset())
    assert cable.to_printer(b"e\n" * 10) == (b"e\n" * 10, None)


def test_unplug_carries_its_duration() -> None:
    """The device vanishes for the given time."""
    assert Cable(Faults(unplug_at=1, unplug_s=3.0)).to_printer(b"a\nb\n") == (b"a\n", Unplug(3.0))
