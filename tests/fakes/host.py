"""A whole `Printer` against the pure firmware, on a clock that jumps to what is due."""

from collections import deque

from bridge.gcode.happenings import AttemptMoved, Happening, StateMoved, Warned
from bridge.gcode.prepare import Prepared, Preparer
from bridge.gcode.printer import Printer
from bridge.gcode.run import JobFacts
from schemas.jobs import AttemptState
from schemas.printer import PrinterConfig, PrinterState
from tests.fakes.firmware import Firmware

M115 = (
    b"FIRMWARE_NAME:Marlin 2.1 (fake) SOURCE_CODE_URL:x PROTOCOL_VERSION:1.0 "
    b"MACHINE_TYPE:Fake EXTRUDER_COUNT:1 UUID:11-22\nCap:AUTOREPORT_TEMP:1\n"
    b"Cap:EMERGENCY_PARSER:1\nCap:SDCARD:0\n"
)
POSITION = b"X:10.00 Y:20.00 Z:0.30 E:123.45 Count X:0 Y:0 Z:0\n"
CONFIG = PrinterConfig(id=7, slug="fake", name="Fake", port_id="path:/dev/fake")


class Speaking(Firmware):
    """Marlin that knows M115. *stuck* commands get no answer until `finish`.

    *says* maps a command to the lines that come before its `ok`.
    """

    def __init__(self, m115: bytes = M115) -> None:
        super().__init__()
        self.says: dict[bytes, bytes] = {b"M115": m115, b"M114": POSITION}
        self.stuck: set[bytes] = set()
        self.heard: list[bytes] = []
        self._owed = 0

    def answer(self, line: bytes) -> bytes:
        """Like the firmware, and with a memory of all that was heard."""
        self.heard.append(line)
        reply = super().answer(line)
        text = line.split(b" ", 1)[-1].partition(b"*")[0]
        if text.split(b" ")[0] in self.stuck:
            self._owed += 1
            return b""
        return self.says.get(text, b"") + reply if reply == b"ok\n" else reply

    def finish(self) -> bytes:
        """The answers that were held back."""
        owed, self._owed = self._owed, 0
        self.stuck.clear()
        return b"ok\n" * owed


class Host:
    """Drives a `Printer`; `happened` is everything it has reported."""

    def __init__(self, config: PrinterConfig = CONFIG, *, m115: bytes = M115) -> None:
        self.printer = Printer(config)
        self.firmware = Speaking(m115)
        self.now = 100.0
        self.happened: list[Happening] = []
        self._lines: deque[Prepared] = deque()

    def connect(self) -> None:
        """Open and greet."""
        self.printer.opened(self.now, boots=False, lossless=True)
        self.go()
        assert self.printer.state is PrinterState.OPERATIONAL

    def start(self, data: bytes, grant: str = "G1") -> None:
        """Start to print *data*."""
        self.printer.start(JobFacts(grant=grant, job=1, file_name="x.gcode", size_bytes=len(data)))
        self._lines = deque(Preparer(self.printer.config.profile).feed(data, last=True))
        self._feed()

    def go(self) -> None:
        """Exchange bytes until both sides are quiet."""
        while True:
            self._feed()
            data = self.printer.take(self.now)
            if not data:
                break
            self.say(self.firmware.receive(data))
        self.happened += self.printer.events()

    def _feed(self) -> None:
        while self.printer.wants_lines:
            if self._lines:
                self.printer.feed(self._lines.popleft())
            else:
                self.printer.source_over()

    def say(self, data: bytes) -> None:
        """The firmware says *data*."""
        if data:
            self.printer.receive(data, self.now)

    def wait(self, seconds: float) -> None:
        """Let time pass, from one deadline to the next."""
        end = self.now + seconds
        while True:
            deadline = self.printer.deadline()
            if deadline is None or deadline > end:
                break
            self.now = max(self.now, deadline) + 0.001
            self.printer.tick(self.now)
            self.go()
        self.now = max(self.now, end)
        self.go()

    @property
    def states(self) -> list[PrinterState]:
        """The states in the order in which they were reported."""
        return [one.state for one in self.happened if isinstance(one, StateMoved)]

    @property
    def attempts(self) -> list[AttemptState]:
        """The attempt's states in order."""
        return [one.state for one in self.happened if isinstance(one, AttemptMoved)]

    @property
    def warnings(self) -> list[str]:
        """Codes of what a person should know."""
        return [one.code for one in self.happened if isinstance(one, Warned)]

    @property
    def printed(self) -> list[bytes]:
        """Motion lines that the firmware executed."""
        return [line for line in self.firmware.executed if line.startswith(b"G")]
