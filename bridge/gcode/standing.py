"""Where a printer stands: its state by the table, its link, what is bound to it, what is reported.

Every state step goes through `PRINTER_TRANSITIONS`; what that does not allow raises
`LocalProtocolError` and changes nothing.
"""

from enum import StrEnum

from bridge.errors import LocalProtocolError
from bridge.gcode import scripts
from bridge.gcode.connection import Connection
from bridge.gcode.dialects import Emergency
from bridge.gcode.doings import Doings
from bridge.gcode.happenings import AttemptMoved, Happening, OrderLost, StateMoved, Warned
from bridge.gcode.modal import Modal
from bridge.gcode.run import Run
from schemas.gcode.template import Values
from schemas.jobs import AttemptEvent
from schemas.printer import (
    CONNECTED,
    PRINTER_TRANSITIONS,
    PrinterConfig,
    PrinterEvent,
    PrinterState,
    Progress,
)
from schemas.transitions import IllegalTransition, advance, can

#: Different texts of one code that are told once each; what a firmware says beyond is not news.
_MAX_TOLD = 64
#: A call that is said again within so long is that of before; so many different ones are told then.
SAME_CALL_S = 30.0
MAX_CALLS = 8


class StopReach(StrEnum):
    """What M112 can do with this firmware."""

    AT_ONCE = "at_once"
    IN_TURN = "in_turn"  # when its next line is read: a long command or a full queue comes first
    UNKNOWN = "unknown"


class Standing:
    """The state that the parts of a printer share. All times are seconds on one clock."""

    def __init__(self, config: PrinterConfig, link: Connection) -> None:
        self.config = config
        self.state = PrinterState.OFFLINE
        self.error: str | None = None
        self.link = link
        self.run: Run | None = None
        #: something may follow from the next acknowledgement
        self.watch = False
        #: what the firmware remembers while no job runs
        self.modal = Modal()
        #: False after a quick stop or homing that failed: home before anything else moves
        self.position_known = True
        self.doings = Doings()
        self._happened: list[Happening] = []
        self._told: dict[str, set[str]] = {}
        self._called: dict[str, dict[str, float]] = {}  # by code and text: when it was said last

    # The state.

    def step(self, event: PrinterEvent, *, grant: str | None = None, reason: str = "") -> None:
        """Move the state by the table."""
        try:
            state = advance(PRINTER_TRANSITIONS, self.state, event)
        except IllegalTransition:
            raise LocalProtocolError(
                f"the printer is {self.state.value}: {event.value} is not possible now"
            ) from None
        previous, self.state = self.state, state
        if state is not previous:
            self._happened.append(StateMoved(state, previous, grant, reason))

    def can(self, event: PrinterEvent) -> bool:
        """Whether the table allows *event* now."""
        return can(PRINTER_TRANSITIONS, self.state, event)

    @property
    def is_taken_up(self) -> bool:
        """Whether a life before this one has begun its print, and nobody knows yet how far."""
        return self.state is PrinterState.CONNECTING and self.run is not None

    def need_connection(self) -> None:
        """Raise `LocalProtocolError` when not connected."""
        if self.state not in CONNECTED:
            raise LocalProtocolError(f"the printer is {self.state.value}: it is not connected")

    def need_free(self) -> None:
        """Raise `LocalProtocolError` when nobody can send anything now."""
        self.need_connection()
        if self.state is PrinterState.TRANSFERRING:
            raise LocalProtocolError("a file is being sent to its card; cancel that first")

    # What is reported.

    @property
    def news(self) -> bool:
        """Whether `events` has something."""
        return bool(self._happened)

    def events(self) -> list[Happening]:
        """What has happened since the last call, oldest first."""
        if not self._happened:
            return []
        happened, self._happened = self._happened, []
        return happened

    def report(self, happening: Happening) -> None:
        """Something has happened."""
        self._happened.append(happening)

    def warn(self, code: str, text: str) -> None:
        """Report something that a person should know."""
        self._happened.append(Warned(code, text, self.grant))

    def warn_once(self, code: str, text: str) -> None:
        """The same, but each text once per connection or job."""
        told = self._told.setdefault(code, set())
        if text not in told and len(told) < _MAX_TOLD:
            told.add(text)
            self.warn(code, text)

    def call(self, code: str, text: str, now: float) -> None:
        """Report what a person should come for; one that a firmware goes on saying is one call."""
        called = self._called.setdefault(code, {})
        for old in [old for old, said_at in called.items() if now - said_at >= SAME_CALL_S]:
            del called[old]
        if text not in called:
            if len(called) >= MAX_CALLS:
                return
            self.warn(code, text)
        called[text] = now

    def tell_again(self) -> None:
        """What was told once may be told once more."""
        self._told.clear()
        self._called.clear()

    # The attempt.

    @property
    def grant(self) -> str | None:
        """The bound attempt's grant, None without one."""
        return self.run.facts.grant if self.run else None

    def bound(self) -> Run:
        """The bound attempt. Raises `LocalProtocolError` without one."""
        if self.run is None:
            raise LocalProtocolError(f"the printer is {self.state.value}: no job is running")
        return self.run

    def attempt(self, event: AttemptEvent, now: float, reason: str = "") -> None:
        """Step the attempt and report it; nothing when its table does not allow that."""
        run = self.bound()
        if run.move(event):
            facts, progress = run.facts, self.run_progress(now)
            self.report(AttemptMoved(facts.grant, facts.job, event, run.state, reason, progress))

    def run_progress(self, now: float) -> Progress | None:
        """How far the bound attempt is, None without one."""
        stream = self.link.stream
        return self.run.progress(stream.out.ordinal_of(stream.acked), now) if self.run else None

    def give_up_orders(self, reason: str) -> None:
        """Forget what was not sent; who ordered it is told."""
        for token in self.link.stream.abandon():
            if not token.startswith("@"):
                self.report(OrderLost(token, reason))

    # What the firmware remembers, and what it can do.

    def modal_now(self) -> Modal:
        """The modes behind the line that was sent last."""
        stream = self.link.stream
        if self.run is None:
            return self.modal
        return self.run.trail.at(stream.out.ordinal_of(stream.sent))

    def ordered(self, texts: list[bytes]) -> None:
        """*texts* go out between the job's lines: remember what they change."""
        self.follow_homing(texts)
        if b"M114" in texts:
            self.doings.asked_place()
        joined = self.link.stream.dialect.joined_modes
        if self.run is None:
            for text in texts:
                self.modal.apply(text, joined=joined)
            return
        stream = self.link.stream
        self.run.trail.order(stream.out.ordinal_of(stream.sent), texts)

    def follow_homing(self, texts: list[bytes]) -> None:
        """A whole G28 finds the place again."""
        if not self.position_known and b"G28" in texts:
            self.position_known = True

    @property
    def stop_reach(self) -> StopReach:
        """Whether a stop acts at once, as far as the firmware has said."""
        if self.state is PrinterState.TRANSFERRING:
            return StopReach.IN_TURN  # its file has to be closed first
        told = self.link.status.capabilities.get("EMERGENCY_PARSER")
        emergency = self.link.stream.dialect.emergency
        if told or emergency is Emergency.AT_ONCE:
            return StopReach.AT_ONCE
        if told is False or emergency is Emergency.IN_TURN:
            return StopReach.IN_TURN
        return StopReach.UNKNOWN

    # Scripts.

    def script(self, name: str, now: float, reason: str = "") -> list[bytes]:
        """The lines of the script *name* as they are now; what is left out is told."""
        if name not in ("on_cancel", "on_error") and not scripts.exists(self.config, name):
            return []
        drain = self.link.stream.dialect.drain
        result = scripts.rendered(self.config, name, self._values(now, reason), drain)
        for text in result.left_out:
            self.warn("script_line_left_out", text)
        return result.lines

    def _values(self, now: float, reason: str) -> Values:
        status, modal, profile = self.link.status, self.modal_now(), self.config.profile
        progress = self.run_progress(now)
        targets_c = {name: heater.target_c for name, heater in status.temperatures.items()}
        values: dict[str, float | str | None] = {
            "last_position.f": modal.feedrate_mm_min,
            "nozzle_c": targets_c.get(f"tool{modal.tool}"),
            "tool": modal.tool,
            "fan_percent": modal.fan_percent,
            "feed_percent": modal.feed_percent,
            "flow_percent": modal.flow_percent,
            "profile.width_mm": profile.width_mm,
            "profile.depth_mm": profile.depth_mm,
            "profile.height_mm": profile.height_mm,
            "profile.extruders": profile.extruders,
            "printer.name": self.config.name,
            "reason": reason,
        }
        values |= {f"{name}_c": target_c for name, target_c in targets_c.items()}
        if (place := status.position) is not None:
            values |= {"last_position.x": place.x_mm, "last_position.y": place.y_mm}
            values |= {"last_position.z": place.z_mm, "last_position.e": place.e_mm}
        if self.run is not None and progress is not None:
            values |= {
                "job.name": self.run.facts.file_name,
                "job.size_bytes": progress.size_bytes,
                "job.progress": progress.completion,
                "job.print_time_s": progress.print_time_s,
                "job.layer": progress.layer,
            }
        return values
