"""A simulated board with a clock that only moves when told."""

from functools import reduce
from operator import xor

from bridge.simulator.firmware import Firmware
from bridge.simulator.pace import Pace
from bridge.simulator.profile import Profile


def numbered(number: int, text: str) -> bytes:
    """A line as a host sends it: number, text, checksum, line end."""
    line = f"N{number} {text}".encode("latin-1")
    return line + b"*%d\n" % reduce(xor, line)


class Board:
    """A powered-on firmware; every call returns the lines it said meanwhile."""

    def __init__(self, speed: float = 1.0, profile: Profile | None = None) -> None:
        self.now = 1000.0
        self.firmware = Firmware(profile or Profile(), Pace(speed))
        self.firmware.power_on(self.now)
        self.boot_text = self._said()
        self.firmware.take_executed()
        self.number = 0

    def feed(self, data: bytes) -> list[str]:
        """Receive raw bytes."""
        self.firmware.receive(data, self.now)
        return self._said()

    def send(self, *lines: str) -> list[str]:
        """Receive unnumbered lines."""
        return self.feed("".join(f"{line}\n" for line in lines).encode("latin-1"))

    def send_numbered(self, *lines: str) -> list[str]:
        """Receive lines with the next numbers."""
        data = b""
        for line in lines:
            self.number += 1
            data += numbered(self.number, line)
        return self.feed(data)

    def wait(self, seconds: float) -> list[str]:
        """Let real seconds pass, calling `tick` whenever the firmware asked for it."""
        end = self.now + seconds
        while (due := self.firmware.deadline()) <= end:
            self.now = max(self.now, due)
            self.firmware.tick(self.now)
        self.now = end
        self.firmware.tick(self.now)
        return self._said()

    def executed(self) -> list[str]:
        """The commands executed since the last call."""
        return [command.decode("latin-1") for command in self.firmware.take_executed()]

    def _said(self) -> list[str]:
        return self.firmware.data_to_send().decode("latin-1").splitlines()
