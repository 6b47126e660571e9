"""Heat without a job and heaters that do not obey (safety M01, M04, M21)."""

import pytest

from bridge.gcode.heat import HeatLease, RunawayWatch
from schemas.jobs import AttemptState
from schemas.printer import PrinterState, Profile, Temperature
from tests.fakes.host import Host, Speaking

PROFILE = Profile()


def test_a_lease_ends_once_after_its_time() -> None:
    """safety M04: not before, not again."""
    lease = HeatLease(900.0)
    assert not lease.follow(0.0, heating=True, needed=False)
    assert not lease.follow(899.0, heating=True, needed=False)
    assert lease.left_s(899.0) == 1.0
    assert lease.follow(900.0, heating=True, needed=False)
    assert not lease.follow(901.0, heating=True, needed=False)


def test_a_lease_is_renewed_by_whoever_wants_the_heat() -> None:
    """It counts from the last wish."""
    lease = HeatLease(900.0)
    lease.follow(0.0, heating=True, needed=False)
    lease.renew(800.0)
    assert not lease.follow(1699.0, heating=True, needed=False)
    assert lease.follow(1700.0, heating=True, needed=False)


@pytest.mark.parametrize(("heating", "needed"), [(False, False), (True, True)])
def test_a_job_or_cold_heaters_need_no_lease(heating: bool, needed: bool) -> None:
    """Behind a job it begins anew."""
    lease = HeatLease(900.0)
    lease.follow(0.0, heating=True, needed=False)
    assert not lease.follow(950.0, heating=heating, needed=needed)
    assert lease.deadline() is None
    assert not lease.follow(1000.0, heating=True, needed=False)
    assert lease.deadline() == 1900.0


def test_no_lease_at_all_is_a_choice() -> None:
    """0: never."""
    lease = HeatLease(0.0)
    assert not lease.follow(1e9, heating=True, needed=False)


def fault(
    course: list[tuple[float, float | None, float]], heater: str = "tool0"
) -> tuple[float, str] | None:
    """When and how the watch speaks up for readings of (time, actual, target)."""
    watch = RunawayWatch()
    for now, actual_c, target_c in course:
        text = watch.observe({heater: Temperature(actual_c, target_c)}, PROFILE, now)
        if text is not None:
            return now, text
    return None


def seconds(end: int, reading: object) -> list[tuple[float, float | None, float]]:
    """A course of one reading a second; *reading* gives (actual, target)."""
    assert callable(reading)
    return [(float(now), *reading(now)) for now in range(end)]


def test_a_heater_that_does_not_rise_is_a_fault_within_a_minute() -> None:
    """safety M21: a loose cartridge."""
    found = fault(seconds(120, lambda now: (22.0, 210.0)))
    assert found is not None
    assert found[0] <= 60.0
    assert "tool0 should reach 210" in found[1]


def test_a_heater_that_falls_away_is_a_fault() -> None:
    """safety M21: it had been at its target."""
    course = seconds(600, lambda now: (210.0 if now < 300 else max(25.0, 510.0 - now), 210.0))
    found = fault(course)
    assert found is not None
    assert 300.0 < found[0] <= 375.0


@pytest.mark.parametrize("reading", [-15.0, 500.0, 300.0])
def test_a_reading_that_no_heater_has_is_a_fault_when_it_repeats(reading: float) -> None:
    """safety M21: a broken or shorted sensor, or far above the ceiling; one odd value is noise."""
    assert fault([(0.0, 25.0, 200.0), (1.0, reading, 200.0), (2.0, 27.0, 200.0)]) is None
    found = fault(seconds(5, lambda now: (reading, 200.0)))
    assert found is not None
    assert found[0] == 2.0


def test_a_heater_that_is_off_and_heats_up_is_a_fault() -> None:
    """safety M21: a switch that does not open any more."""
    found = fault(seconds(120, lambda now: (60.0 + now, 0.0)))
    assert found is not None


@pytest.mark.parametrize(
    "course",
    [
        seconds(600, lambda now: (min(210.0, 20.0 + now), 210.0)),
        seconds(600, lambda now: (60.0 + 3.0 * (now % 2), 60.0)),
        seconds(600, lambda now: (250.0 - now * 0.3, 0.0)),
        seconds(600, lambda now: (250.0 if now < 100 else max(200.0, 300.0 - now * 0.5), 200.0)),
        seconds(600, lambda now: (None, 200.0)),
        seconds(600, lambda now: (-15.0, 0.0)),
    ],
)
def test_what_working_heaters_do_is_no_fault(
    course: list[tuple[float, float | None, float]],
) -> None:
    """Heating, swinging, cooling, a lower target, no number, a sensor that is not there."""
    assert fault(course) is None


def test_a_bed_takes_its_time() -> None:
    """A slow bed of a large printer is no fault."""
    assert fault(seconds(1200, lambda now: (20.0 + now * 0.05, 80.0)), "bed") is None


@pytest.mark.parametrize(
    ("name", "command"), [(b"Marlin 1.1.9", b"G29"), (b"Prusa-Firmware 3.9.0", b"M600")]
)
def test_a_command_that_takes_long_is_no_silence(name: bytes, command: bytes) -> None:
    """safety M21: who asks for the temperatures gets none in it, and nobody is to be woken."""
    host = Host(m115=b"FIRMWARE_NAME:%b UUID:1\n" % name)
    host.connect()
    host.say(b"T:210.0 /210.0 B:60.0 /60.0\n")
    host.firmware.stuck = {command}
    host.start(b"G1 X1\n" + command + b"\nG1 X2\n")
    host.go()
    for _ in range(100):
        host.wait(2.0)
        host.say(b"echo:busy: processing\n")
    host.firmware.says[b"M105"] = b"T:210.0 /210.0 B:60.0 /60.0\n"
    host.say(host.firmware.finish())
    host.wait(10.0)
    assert host.attempts[-1] is AttemptState.COMPLETED
    assert "temperature_silent" not in host.warnings


class Untelling(Speaking):
    """Its answer to M105 has no temperature."""

    def answer(self, line: bytes) -> bytes:
        """Like the firmware, but for that."""
        reply = super().answer(line)
        return b"ok\n" if reply.startswith(b"ok T") else reply


def test_a_print_that_goes_on_without_a_temperature_is_a_silence() -> None:
    """safety M21: it answers its lines, and M105 with nothing but `ok`."""
    host = Host()
    host.firmware = Untelling(b"FIRMWARE_NAME:Marlin 1.1.9 UUID:1\n")
    host.connect()
    host.say(b"T:210.0 /210.0 B:60.0 /60.0\n")
    host.firmware.stuck = {b"G4"}
    host.start(b"G4 S2\n" * 60)
    for _ in range(50):
        host.wait(2.0)
        host.say(host.firmware.finish())
        host.firmware.stuck = {b"G4"}
        host.go()
    assert host.printer.state is PrinterState.PRINTING
    assert host.warnings == ["temperature_silent"]
