"""A machine that was stopped, and whose stop a person has released (serial 7; safety M06, M10)."""

import pytest

from schemas.printer import PrinterState
from tests.fakes.host import Host, Speaking

_S = PrinterState

# What M115 says, what ends the halt, and what each line is answered until then.
FAMILIES = [
    (b"FIRMWARE_NAME:Klipper FIRMWARE_VERSION:v0.12\n", b"FIRMWARE_RESTART", b"!! shutdown\nok\n"),
    (b"FIRMWARE_NAME: RepRapFirmware for Duet 3 FIRMWARE_VERSION: 3.5\n", b"M999", b"ok\n"),
    (b"FIRMWARE_NAME:Smoothieware, FIRMWARE_URL:http%3A//x\n", b"M999", b"!!\n"),
]


class Halting(Speaking):
    """Stops at M112 and answers *halted* until it hears *word*."""

    def __init__(self, m115: bytes, word: bytes, halted: bytes) -> None:
        super().__init__(m115)
        self.is_halted = False
        self._word, self._says = word, halted

    def answer(self, line: bytes) -> bytes:
        """Like the firmware."""
        text = line.split(b" ", 1)[-1].partition(b"*")[0] if line.startswith(b"N") else line
        if text == b"M112":
            self.is_halted = True
        elif text == self._word:
            self.heard.append(line)
            self.is_halted = False
            return b"ok\n"
        return self._says if self.is_halted else super().answer(line)


def halts(firmware: Halting) -> bool:
    """Whether it does nothing now."""
    return firmware.is_halted


def machine(m115: bytes, word: bytes, halted: bytes) -> tuple[Host, Halting]:
    """A host connected to one."""
    host = Host()
    firmware = host.firmware = Halting(m115, word, halted)
    host.connect()
    return host, firmware


def release(host: Host) -> None:
    """A person resets the stop, and the printer is connected again."""
    host.printer.reset()
    host.printer.opened(host.now, boots=False, lossless=True)
    host.wait(20.0)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_machine_that_was_stopped_goes_on_once_a_person_has_released_it(
    family: tuple[bytes, bytes, bytes],
) -> None:
    """serial 7: Klipper, RepRapFirmware and Smoothie halt until they are told to restart; M10."""
    host, firmware = machine(*family)
    host.printer.halt("stopped", host.now)
    host.wait(10.0)
    assert halts(firmware)
    assert family[1] not in firmware.heard
    release(host)
    assert not halts(firmware)
    assert firmware.heard.count(family[1]) == 1
    assert host.states[-1] is _S.OPERATIONAL


@pytest.mark.parametrize("family", FAMILIES)
def test_a_machine_that_has_stopped_by_itself_is_released_too(
    family: tuple[bytes, bytes, bytes],
) -> None:
    """serial 7: a fault latches as a stop does."""
    host, firmware = machine(*family)
    firmware.is_halted = True
    host.say(b"!! MCU 'mcu' shutdown: Timer too close\n")
    release(host)
    assert not halts(firmware)
    assert _S.HALTED in host.states
    assert host.states[-1] is _S.OPERATIONAL


def test_a_machine_that_no_stop_has_reached_is_not_restarted() -> None:
    """A stop without a port latches here only: what the machine is at may be its own print."""
    host, firmware = machine(*FAMILIES[0])
    host.printer.halt("stopped", host.now)
    release(host)
    assert firmware.heard[-1] != b"FIRMWARE_RESTART"
    assert b"FIRMWARE_RESTART" not in firmware.heard
    assert host.states[-1] is _S.OPERATIONAL


def test_a_board_that_a_person_has_reset_takes_the_word_without_harm() -> None:
    """serial 7: behind kill() Marlin hears no word; behind M999 it asks for line 1 again."""
    host = Host()
    host.connect()
    host.printer.halt("stopped", host.now)
    host.go()
    host.firmware = Speaking()
    host.firmware.says[b"M999"] = b"Resend: 1\n"
    release(host)
    assert next(line for line in host.firmware.heard if line) == b"M999"
    assert host.states[-1] is _S.OPERATIONAL
