"""A `Bench` whose board has a card, and files that go to it."""

from pathlib import Path
from random import Random

from bridge.gcode.cardwrite import CardJob
from bridge.gcode.happenings import CardWritten, Warned
from bridge.sender.cardfile import CardFile
from bridge.simulator.card import LINE_END
from bridge.simulator.families import MARLIN, Family
from bridge.simulator.faults import Cable, Faults
from bridge.simulator.profile import Profile
from schemas.commands import CardAction
from schemas.printer import PrinterConfig, PrinterState
from tests.fakes.hosts import CONFIG, Bench
from tests.fakes.noise import noisy

NAME = "CUBE.GCO"


def written_for(path: Path) -> bytes:
    """What a card must hold for the file at *path*, whose lines are clean."""
    stripped = (line.split(b";")[0].strip() for line in path.read_bytes().split(b"\n"))
    return b"".join(line + LINE_END for line in stripped if line)


class NoisyCable:
    """Damage that a checksum finds, in whole lines both ways, and answers lost or said twice."""

    def __init__(self, seed: int, share: float, *, drop_ok: float = 0.0, double_ok: float = 0.0):
        self._random = Random(seed)
        self._up, self._down = noisy(seed + 1, share), noisy(seed + 2, share)
        self._drop_ok, self._double_ok = drop_ok, double_ok
        self._rest = b""

    def to_printer(self, data: bytes) -> tuple[bytes, None]:
        """What of the host's bytes arrives: a line when it is whole."""
        lines, end, self._rest = (self._rest + data).rpartition(b"\n")
        return (self._up(lines + end) if end else b""), None

    def to_host(self, data: bytes, now: float) -> bytes:
        """What of the board's whole lines reaches the host."""
        return self._down(b"".join(map(self._answer, data.splitlines(keepends=True))))

    def _answer(self, line: bytes) -> bytes:
        if not line.startswith(b"ok"):
            return line
        draw = self._random.random()
        return line * (0 if draw < self._drop_ok else 2 if draw > 1.0 - self._double_ok else 1)


class CardBench(Bench):
    """The board has a card with one old file on it."""

    def __init__(
        self,
        seed: int,
        file: Path,
        *,
        cable: NoisyCable | None = None,
        config: PrinterConfig = CONFIG,
        family: Family = MARLIN,
        room: int | None = None,
        speed: float = 0.0,
    ) -> None:
        board = Profile(family=family, card={"OLD.GCO": 12}, card_room=room)
        super().__init__(seed, file, config=config, board=board, speed=speed)
        self.damage(cable)

    def damage(self, cable: NoisyCable | None) -> None:
        """From now on it is *cable*; None: a good one."""
        self._cable = cable or Cable(Faults())  # type: ignore[assignment]

    def connect(self) -> None:
        """Until it is operational."""
        self.host.open("port", self.now)
        self.run_until(lambda: self.state is PrinterState.OPERATIONAL)

    def send(self, name: str = NAME, then: CardAction | None = None) -> None:
        """Begin to send the file to the card."""
        file = CardFile(str(self.file), None, self._config.profile)
        job = CardJob(name=name, size_bytes=file.size_bytes, token="T", then=then)
        self.host.card.start(job, file)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        self.run_until(lambda: self.now >= end)

    def stall(self, seconds: float) -> None:
        """The host is not asked for anything for so long, but for what is due."""
        end = self.now + seconds
        while (deadline := self.host.deadline()) is not None and deadline <= end:
            self.now = max(self.now, deadline)
            self.host.tick(self.now)
        self.now = end

    def next_life(self) -> None:
        """A host that knows what the dead one has written down."""
        may_save = self.host.printer.card_write.may_save
        self.host = self._new_host()
        self.host.printer.card_write.may_save = may_save
        self.down.clear()
        self.happened.clear()

    def ran(self) -> list[bytes]:
        """What the board has executed, with or without a number, not what went into files."""
        return [line.strip() for line in self.executed if line[:2] not in (b"\t>", b"\t;")]

    @property
    def warnings(self) -> list[str]:
        """Codes of what a person should know."""
        return [one.code for one in self.happened if isinstance(one, Warned)]

    @property
    def state(self) -> PrinterState:
        """Of the printer, now."""
        return self.host.printer.state

    @property
    def result(self) -> CardWritten | None:
        """What was told of the transfer's end."""
        return next((one for one in self.happened if isinstance(one, CardWritten)), None)

    def sent_whole(self) -> bool:
        """Go on to the transfer's end; whether the file on the card is the one that was sent."""
        self.run_until(lambda: self.result is not None)
        assert self.result is not None
        return self.result.reason == "" and self.on_card() == written_for(self.file)

    def on_card(self, name: str = NAME) -> bytes | None:
        """What the card holds under *name*, None when nothing is called so."""
        data = self.firmware.storage.written.get(name)
        return None if data is None else bytes(data)
