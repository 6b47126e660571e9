"""The freshest picture of each printer on its way to the API (room link contract, "Live"). Pure.

One slot per printer, the latest wins; a slow link skips pictures and never queues them. A change
of state or of a target leaves at once, everything else with the interval, and what moved less than
its dead-band does not leave at all.
"""

from itertools import islice

from msgspec.structs import replace

from bridge.agent.terminal import TerminalLane
from schemas.codec import encoded_size
from schemas.link import LiveSnap
from schemas.printer import Celsius, Live, PrinterState, Progress, Prompt, Temperature, targets
from schemas.watching import Interest, InterestLevel

TEMPERATURE_BAND_C = 0.3
#: How often a room that people see in a list shows itself.
LIST_S = 2.0
COMPLETION_BAND = 0.1  # per cent
PRINT_TIME_BAND_S = 5.0
HEAT_LEASE_BAND_S = 15.0
#: Everything is sent again this often, against drift.
FULL_S = 300.0
#: Bodies stay this far below the frame limit.
MAX_BODY_BYTES = 30 * 1024
#: What stays of a picture that is larger than that alone; characters of its error.
MAX_HEATERS = 100
MAX_ERROR = 400


class LiveSlots:
    """The room's pictures, and which of them the API has not seen; beside them `terminal`."""

    def __init__(self) -> None:
        self._now: dict[int, Live] = {}
        self._told: dict[int, Live] = {}
        self._urgent: set[int] = set()
        self._live_s = 1.0
        self._idle_s = 1.0  # while nobody looks
        self._watched_s = 1.0  # while somebody does, which is until:
        self._watched_until = float("-inf")
        self._shown_at = float("-inf")
        self._next_full = 0.0
        self.terminal = TerminalLane()

    def put(self, live: Live) -> bool:
        """Take a picture; True when it should leave at once: another state, job or target."""
        self._now[live.printer] = live
        told = self._told.get(live.printer)
        if told is None or _headline(told) != _headline(live):
            self._urgent.add(live.printer)
            return True
        return False

    def picture(self, printer: int) -> Live | None:
        """The freshest picture of *printer*, None before its first."""
        return self._now.get(printer)

    def forget(self, printer: int) -> None:
        """This printer is no longer of this room."""
        self._now.pop(printer, None)
        self._told.pop(printer, None)
        self._urgent.discard(printer)
        self.terminal.forget(printer)

    def greeted(self, live_s: float, now: float, idle_s: float | None = None) -> None:
        """A new link: the API gets everything, then what changes.

        That is every *live_s* seconds while somebody looks, else every *idle_s*; None: always
        as if somebody did.
        """
        self._live_s, self._idle_s = live_s, live_s if idle_s is None else idle_s
        self._watched_until = float("-inf")
        self._told.clear()
        self._urgent = set(self._now)
        self._shown_at, self._next_full = now, now + FULL_S
        self.terminal.greeted()

    def interest(self, interest: Interest, now: float) -> None:
        """How closely people look, from *now* on for the length of the lease."""
        off = interest.level is InterestLevel.OFF
        self._watched_until = now if off else now + interest.lease_s
        is_list = interest.level is InterestLevel.LIST
        self._watched_s = max(LIST_S, self._live_s) if is_list else self._live_s

    def deadline(self) -> float:
        """When `take()` should be asked again; 0.0 when something is urgent."""
        if self._urgent:
            return 0.0
        watched = self._shown_at + self._watched_s
        idle = self._shown_at + self._idle_s
        return min(watched, idle) if watched < self._watched_until else idle

    def take(self, now: float) -> LiveSnap | None:
        """The next frame to send; None when nothing is due. Ask again until it is None."""
        if now >= self._next_full:
            self._told.clear()
            self._next_full = now + FULL_S
        pace_s = self._watched_s if now < self._watched_until else self._idle_s
        if now >= self._shown_at + min(pace_s, self._idle_s):
            self._shown_at = now
            self._urgent |= {
                number for number, live in self._now.items() if self._moved(number, live)
            }
        frame: list[Live] = []
        size = 0
        for number in sorted(self._urgent):
            live = shown = self._now[number]
            own = encoded_size(LiveSnap(printers=[live]))
            if own > MAX_BODY_BYTES:
                shown = plain(live)
                own = encoded_size(LiveSnap(printers=[shown]))
            size += own
            if frame and size > MAX_BODY_BYTES:
                break
            frame.append(shown)
            self._told[number] = live
        self._urgent.difference_update(live.printer for live in frame)
        return LiveSnap(printers=frame) if frame else None

    def printing(self) -> int:
        """How many printers are bound to a job."""
        return sum(live.grant is not None for live in self._now.values())

    def _moved(self, number: int, live: Live) -> bool:
        told = self._told.get(number)
        return told is None or moved(told, live)


def plain(live: Live) -> Live:
    """*live* without what its printer says in words: no frame has room for that much.

    One that does not fit would end the link, and every link after it, for the whole room.
    """
    words = {"prompt": None, "firmware": None, "file_name": None, "doings": ()}
    temps = dict(islice(live.temps.items(), MAX_HEATERS))
    error = live.error and live.error[:MAX_ERROR]
    return replace(live, **words, temps=temps, error=error)


def _headline(
    live: Live,
) -> tuple[PrinterState, str | None, Prompt | None, dict[str, Celsius]]:
    return live.state, live.grant, live.prompt, targets(live.temps)


def moved(told: Live, live: Live) -> bool:
    """Whether *live* differs from what was *told* by more than the dead-bands."""
    if _temperatures_moved(told.temps, live.temps) or _progress_moved(told.progress, live.progress):
        return True
    if _lease_moved(told.heat_lease_s, live.heat_lease_s):
        return True
    return any(getattr(told, name) != getattr(live, name) for name in _EXACT)


_EXACT = (
    "state",
    "grant",
    "file_name",
    "z_mm",
    "feed_percent",
    "flow_percent",
    "fan_percent",
    "feedrate_mm_s",
    "temps_stale",
    "stop_reach",
    "position_known",
    "prompt",
    "error",
    "firmware",
    "port",
    "baud",
    "resends",
    "doings",
)


def _temperatures_moved(old: dict[str, Temperature], new: dict[str, Temperature]) -> bool:
    if old.keys() != new.keys():
        return True
    return any(
        was.target_c != new[heater].target_c or _apart(was.actual_c, new[heater].actual_c)
        for heater, was in old.items()
    )


def _apart(old: float | None, new: float | None) -> bool:
    if old is None or new is None:
        return old is not new
    return abs(old - new) >= TEMPERATURE_BAND_C


def _lease_moved(old_s: float | None, new_s: float | None) -> bool:
    """It only runs down by itself: told now and then; beginning, end and renewal at once."""
    if old_s is None or new_s is None:
        return old_s is not new_s
    return new_s > old_s or old_s - new_s >= HEAT_LEASE_BAND_S


def _progress_moved(old: Progress | None, new: Progress | None) -> bool:
    if old is None or new is None:
        return old is not new
    return (
        abs(new.completion - old.completion) >= COMPLETION_BAND
        or abs(new.print_time_s - old.print_time_s) >= PRINT_TIME_BAND_S
        or new.layer != old.layer
        or new.layers != old.layers
    )
