"""The firmware model as a whole: bytes in, bytes out, and when to be called again. Pure.

Bytes go through the emergency parser as they arrive, then into the receive ring. The main loop
fills the command queue (4 places; the command in work keeps its own until its `ok`) and does one
command after the other. A command that waits lets the loop go on reading, saying `busy` now and
then, until the queue is full; then the ring fills, and then the link holds the host back.

Every `now` is monotonic real seconds. The calling order is: `power_on` once, then `receive` and
`tick` as bytes and deadlines come, `data_to_send` and `take_executed` after each of them.
"""

from collections import deque
from math import inf

from bridge.simulator.card import Storage
from bridge.simulator.commands import ANSWERED_BY_THEMSELVES, find
from bridge.simulator.emergency import Emergency, EmergencyCode, EmergencyParser
from bridge.simulator.machine import Machine, Work
from bridge.simulator.pace import Pace
from bridge.simulator.planner import BLOCK_BUFFER_SIZE
from bridge.simulator.profile import Profile, boot_text
from bridge.simulator.receiver import Command
from bridge.simulator.waits import PAUSED_FOR_USER, User, Wait

BUFSIZE = 4
#: A family that asks again for a line does so when nothing has come for so long.
ASK_AGAIN_S = 0.2
POWER_UP = "PowerUp"
EXTERNAL_RESET = "External Reset"
#: What acts when its line is read, in a family without emergency parser (serial 7).
_READ_CODES = {
    b"M108": EmergencyCode.BREAK,
    b"M112": EmergencyCode.KILL,
    b"M410": EmergencyCode.QUICK_STOP,
}


class Firmware:
    """A simulated board. Nothing happens before `power_on`."""

    def __init__(self, profile: Profile, pace: Pace) -> None:
        self._profile = profile
        self._pace = pace
        self._out: list[str] = []
        self._executed: list[bytes] = []
        self.storage = Storage(dict(profile.card), profile.card_room)
        self._boot_at = inf
        self._reason = POWER_UP
        self._forget()

    # Input

    def power_on(self, now: float, reason: str = POWER_UP) -> None:
        """Reset: everything is forgotten; the boot text follows after the profile's delay."""
        self._forget()
        self._executed.append(b"\t;" + reason.encode())
        self._reason = reason
        self._boot_at = now + self._profile.boot_delay_s
        self.tick(now)

    def receive(self, data: bytes, now: float) -> None:
        """Take bytes from the link. While booting or killed they are lost."""
        if self._dead():
            return
        if self._profile.family.emergency_parser and self._machine.card.saving is None:
            for emergency in self._emergency.feed(data):
                self._react(emergency, now)
        self._machine.receiver.feed(data)
        self._heard_at = now
        self._run(now)

    def tick(self, now: float) -> None:
        """Do what time brings: motion, heat, reports, keepalive."""
        if now >= self._boot_at:
            self._boot_at = inf
            self._booted = True
            self._out.extend(boot_text(self._reason, self._profile.family))
        if not self._dead():
            self._machine.protect(now)
            self._machine.rest(now, working=self._wait is not None)
        if self._dead():
            return
        if now >= self._asks_at():
            self._heard_at = now
            self._machine.receiver.ask_again()
        self._run(now)
        self._report(now)

    def press(self, now: float) -> None:
        """Somebody presses its knob: what waits for a person goes on."""
        if self._wait is not None and self._wait.busy == PAUSED_FOR_USER:
            self._wait.release(None)
            self._run(now)

    # Output

    def data_to_send(self) -> bytes:
        """The bytes for the host since the last call; whole lines."""
        if not self._out:
            return b""
        data = "\n".join(self._out) + "\n"
        self._out.clear()
        return data.encode("latin-1")

    def take_executed(self) -> list[bytes]:
        """The commands executed since the last call, in order.

        Without line number and checksum; unnumbered ones begin with a tab; a reset is a tab, a
        semicolon and its reason; a line that went into a file on the card a tab, `>` and the line.
        """
        executed = self._executed
        self._executed = []
        return executed

    def room(self) -> int:
        """How many bytes `receive` may be given now."""
        if self._dead():
            return self._profile.rx_bytes
        return self._machine.receiver.room()

    def deadline(self) -> float:
        """When to call `tick` at the latest; inf if nothing is due without new bytes."""
        if self._dead():
            return self._boot_at
        deadline = self._machine.deadline()
        if self._wait is not None:
            deadline = min(deadline, self._wait.wake_at(), self._busy_at)
        return min(deadline, self._asks_at())

    @property
    def killed(self) -> bool:
        """Whether it halted and is silent until the next `power_on`."""
        return self._machine.killed

    # The main loop

    def _forget(self) -> None:
        self._machine = Machine(self._profile, self._pace, self._out.append, self.storage)
        self._emergency = EmergencyParser()
        self._queue: deque[Command] = deque()
        self._work: Work | None = None
        self._wait: Wait | None = None
        self._busy_at = inf
        self._heard_at = 0.0
        self._booted = False

    def _asks_at(self) -> float:
        """When it asks again for a line; with its queue full it does not look."""
        looks = self._machine.receiver.asks and len(self._queue) < BUFSIZE
        return self._heard_at + ASK_AGAIN_S if looks else inf

    def _dead(self) -> bool:
        return not self._booted or self._machine.killed

    def _run(self, now: float) -> None:
        queue = self._queue
        following = self._machine.receiver.next
        while not self._machine.killed:
            while len(queue) < BUFSIZE and (command := following()) is not None:
                queue.append(command)
                if not self._profile.family.emergency_parser:
                    self._react_when_read(command, now)
            if self._machine.card.aborts:
                self._abort_card_print(now)
            if not queue:
                return
            if self._work is None:
                self._begin(queue[0], now)
            elif not self._go_on(now):
                return

    def _abort_card_print(self, now: float) -> None:
        """Marlin's `abortSDPrinting`: what waits in the queue was taken and is never answered."""
        machine = self._machine
        machine.card.aborts = False
        machine.card.close()
        self._queue.clear()
        machine.motion.quick_stop(now)
        for heater in machine.heaters():
            machine.heat(heater, 0.0, now)
        machine.fans.clear()

    def _begin(self, command: Command, now: float) -> None:
        if self._machine.card.saving is not None:
            self._save(command, now)
            return
        self._executed.append(command.text if command.number is not None else b"\t" + command.text)
        handler = find(command)
        if handler is None:
            self._out.append(f'echo:Unknown command: "{command.text.decode("latin-1")}"')
            self._finish(command, now)
            return
        self._work = handler(self._machine, command, now)
        self._machine.receiver.saving = self._machine.card.saving is not None
        if self._work is None:
            self._finish(command, now)
            return
        self._wait = next(self._work, None)
        self._restart_keepalive(now)

    def _save(self, command: Command, now: float) -> None:
        """The line goes into the file on the card; the one that closes it is done."""
        card, text = self._machine.card, command.text
        said = card.write(text)
        if said is not None:
            self._out.append(said)
        self._executed.append(b"\t>" + text if card.saving else text)
        self._machine.receiver.saving = card.saving is not None
        self._out.append(self._ok(command, now))
        self._queue.popleft()

    def _go_on(self, now: float) -> bool:
        """Advance the command in work; False if it still has to wait."""
        assert self._work is not None
        if self._wait is not None:
            if not self._wait.ready(now):
                return False
            try:
                self._wait = self._work.send(now)
                return True
            except StopIteration:
                pass
        self._work = self._wait = None
        self._finish(self._queue[0], now)
        return True

    def _finish(self, command: Command, now: float) -> None:
        if command.head not in ANSWERED_BY_THEMSELVES:
            self._out.append(self._ok(command, now))
        self._queue.popleft()

    def _ok(self, command: Command, now: float) -> str:
        if self._profile.advanced_ok:
            return self._advanced_ok(command, now)
        return self._profile.family.ok.format(number=command.number or "").rstrip()

    def _advanced_ok(self, command: Command, now: float) -> str:
        """`ok N17 P15 B3`; the acknowledged command still holds its place in the queue."""
        number = "" if command.number is None else f" N{command.number}"
        free = min(self._machine.motion.planner.free(now), BLOCK_BUFFER_SIZE - 1)
        return f"ok{number} P{free} B{BUFSIZE - len(self._queue)}"

    # By the way

    def _restart_keepalive(self, now: float) -> None:
        interval_s = self._machine.keepalive_s
        self._busy_at = now + interval_s if interval_s else inf

    def _report(self, now: float) -> None:
        machine = self._machine
        if machine.temperature_report.due(now):
            self._out.append(machine.temperatures(now))
        if machine.position_report.due(now):
            self._out.append(machine.position(now))
        if self._wait is not None and now >= self._busy_at:
            self._out.append(f"echo:busy: {self._wait.busy}")
            self._restart_keepalive(now)

    def _react_when_read(self, command: Command, now: float) -> None:
        """Without emergency parser a line without number acts as soon as it is in the queue."""
        if command.number is not None or command.head not in _READ_CODES:
            return
        for_person = command.head == b"M108" and isinstance(self._wait, User)
        if self._profile.family.display or not for_person:
            self._react(Emergency(_READ_CODES[command.head]), now)

    def _react(self, emergency: Emergency, now: float) -> None:
        match emergency.code:
            case EmergencyCode.KILL:
                self._out.append("echo:M112 Shutdown")
                self._machine.kill()
            case EmergencyCode.QUICK_STOP:
                self._machine.motion.quick_stop(now)
                if self._wait is not None:
                    self._wait.quick_stop()
            case EmergencyCode.BREAK | EmergencyCode.ANSWER:
                if self._wait is not None:
                    self._wait.release(emergency.answer)
