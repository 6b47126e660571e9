"""A printer as both sides see it: its states, its profile, and what it reports.

The state of a printer is what its sender has *seen* on the wire, never what somebody wished for
(DESIGN: a screen never shows a state that the printer has not reported).
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

import msgspec

from schemas.transitions import Table


class PrinterState(StrEnum):
    """What one printer is doing."""

    OFFLINE = "offline"  # no sender, or its port is closed
    CONNECTING = "connecting"  # port open, the firmware has not answered yet
    OPERATIONAL = "operational"
    STARTING = "starting"  # a job is accepted, its first line is not acknowledged yet
    PRINTING = "printing"
    PAUSING = "pausing"
    PAUSED = "paused"
    RESUMING = "resuming"
    CANCELLING = "cancelling"
    TRANSFERRING = (
        "transferring"  # a file goes to its own card; nothing moves, nothing else is taken
    )
    FINISHING = "finishing"  # all lines acknowledged, the motion queue still runs
    ERROR = "error"  # the link or the firmware failed; connecting again is allowed
    HALTED = "halted"  # remote stop or kill; latched until an operator resets it


class PrinterEvent(StrEnum):
    """What may happen to a printer, in the words of the sender."""

    OPEN = "open"
    READY = "ready"
    CLOSE = "close"
    FAIL = "fail"
    JOB = "job"
    STREAM = "stream"
    PAUSE = "pause"
    PARKED = "parked"
    RESUME = "resume"
    CANCEL = "cancel"
    LAST_LINE = "last_line"
    JOB_OVER = "job_over"
    TRANSFER = "transfer"
    TRANSFERRED = "transferred"  # or given up: the printer takes commands again
    HALT = "halt"
    RESET = "reset"
    REGAIN = "regain"  # a print goes on exactly where the host before us died: it prints
    REGAIN_STARTING = "regain_starting"  # the same within its first script
    REGAIN_PAUSING = "regain_pausing"
    REGAIN_PAUSED = "regain_paused"  # a paused print has its host back and stays paused
    REGAIN_RESUMING = "regain_resuming"  # what brings it back goes on, or lifts it off the part
    REGAIN_CANCELLING = "regain_cancelling"
    REGAIN_FINISHING = "regain_finishing"


_S, _E = PrinterState, PrinterEvent
_LOST = {_E.CLOSE: _S.OFFLINE, _E.FAIL: _S.ERROR, _E.HALT: _S.HALTED}

PRINTER_TRANSITIONS: Table[PrinterState, PrinterEvent] = {
    _S.OFFLINE: {_E.OPEN: _S.CONNECTING, _E.FAIL: _S.ERROR, _E.HALT: _S.HALTED},
    _S.CONNECTING: {
        _E.READY: _S.OPERATIONAL,
        _E.REGAIN: _S.PRINTING,
        _E.REGAIN_STARTING: _S.STARTING,
        _E.REGAIN_PAUSING: _S.PAUSING,
        _E.REGAIN_PAUSED: _S.PAUSED,
        _E.REGAIN_RESUMING: _S.RESUMING,
        _E.REGAIN_CANCELLING: _S.CANCELLING,
        _E.REGAIN_FINISHING: _S.FINISHING,
        **_LOST,
    },
    _S.OPERATIONAL: {_E.JOB: _S.STARTING, _E.TRANSFER: _S.TRANSFERRING, **_LOST},
    _S.TRANSFERRING: {_E.TRANSFERRED: _S.OPERATIONAL, **_LOST},
    _S.STARTING: {
        _E.STREAM: _S.PRINTING,
        _E.PAUSE: _S.PAUSING,
        _E.CANCEL: _S.CANCELLING,
        _E.LAST_LINE: _S.FINISHING,
        _E.JOB_OVER: _S.OPERATIONAL,
        **_LOST,
    },
    _S.PRINTING: {
        _E.PAUSE: _S.PAUSING,
        _E.CANCEL: _S.CANCELLING,
        _E.LAST_LINE: _S.FINISHING,
        **_LOST,
    },
    _S.PAUSING: {_E.PARKED: _S.PAUSED, _E.CANCEL: _S.CANCELLING, **_LOST},
    _S.PAUSED: {_E.RESUME: _S.RESUMING, _E.CANCEL: _S.CANCELLING, **_LOST},
    _S.RESUMING: {
        _E.STREAM: _S.PRINTING,
        _E.PAUSE: _S.PAUSING,
        _E.CANCEL: _S.CANCELLING,
        _E.LAST_LINE: _S.FINISHING,
        **_LOST,
    },
    _S.CANCELLING: {_E.JOB_OVER: _S.OPERATIONAL, **_LOST},
    _S.FINISHING: {_E.JOB_OVER: _S.OPERATIONAL, _E.CANCEL: _S.CANCELLING, **_LOST},
    _S.ERROR: {
        _E.OPEN: _S.CONNECTING,
        _E.CLOSE: _S.OFFLINE,
        _E.FAIL: _S.ERROR,
        _E.HALT: _S.HALTED,
    },
    _S.HALTED: {_E.RESET: _S.OFFLINE, _E.CLOSE: _S.HALTED, _E.FAIL: _S.HALTED, _E.HALT: _S.HALTED},
}

#: States in which a job is bound to the printer.
ACTIVE = frozenset(
    {
        _S.STARTING,
        _S.PRINTING,
        _S.PAUSING,
        _S.PAUSED,
        _S.RESUMING,
        _S.CANCELLING,
        _S.FINISHING,
    }
)
#: States in which the firmware answers.
CONNECTED = ACTIVE | {_S.OPERATIONAL, _S.TRANSFERRING}

Celsius = float | None


class Temperature(msgspec.Struct, frozen=True, array_like=True):
    """One heater in degrees Celsius; None where the printer has not said it."""

    actual_c: Celsius
    target_c: Celsius = None


def targets(temperatures: Mapping[str, Temperature]) -> dict[str, Celsius]:
    """What each heater is told to reach: a change of it is news, a degree more is not."""
    return {heater: now.target_c for heater, now in temperatures.items()}


class Progress(msgspec.Struct, frozen=True):
    """How far the current attempt is. Bytes and lines count what the printer *acknowledged*."""

    file_bytes: int
    size_bytes: int
    lines: int
    print_time_s: float
    time_left_s: float | None = None
    layer: int | None = None
    layers: int | None = None

    @property
    def completion(self) -> float:
        """Share of the file that is acknowledged, 0.0 to 100.0; an empty file counts as whole."""
        if not self.size_bytes:
            return 100.0
        return min(100.0, 100.0 * self.file_bytes / self.size_bytes)


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What a printer is and may do: volume in mm, ceilings in degrees Celsius.

    *materials*: what it may print, by the names of slicers; empty: whatever its ceilings allow.
    *allowed_codes*: what files may give here and nowhere else, of `schemas.gcode.policy`'s
    `PROFILE_CODES`; another code changes nothing.
    """

    width_mm: float = 250.0
    depth_mm: float = 210.0
    height_mm: float = 210.0
    form_factor: Literal["rectangular", "circular"] = "rectangular"
    origin: Literal["lowerleft", "center"] = "lowerleft"
    heated_bed: bool = True
    heated_chamber: bool = False
    extruders: int = 1
    nozzle_mm: float = 0.4
    max_nozzle_c: float = 275.0
    max_bed_c: float = 120.0
    max_chamber_c: float = 60.0
    materials: tuple[str, ...] = ()
    allowed_codes: tuple[str, ...] = ()


#: How a printer's firmware speaks: found out from its own words, or one of the bridge's rows.
DIALECTS = (
    "auto",
    "marlin",
    "marlin-1.0",
    "marlin-1.1",
    "prusa",
    "prusa-buddy",
    "reprapfirmware",
    "repetier",
    "smoothie",
    "klipper",
    "malyan",
    "chitu",
    "teacup",
    "sprinter",
)


class PlatePolicy(StrEnum):
    """When a plate counts as clear (DESIGN section 7, Plate)."""

    SELF_CLEARING = "self_clearing"
    START_CONFIRMS = "start_confirms"
    CONFIRM = "confirm"


class PlugConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The plug in the room's network that feeds a printer.

    *kind* and *host* are as `schemas.plugs` has them; *off_on_stop*: a remote stop cuts the power.
    """

    kind: str
    host: str
    off_on_stop: bool = False


class PrinterConfig(msgspec.Struct, frozen=True, kw_only=True):
    """The desired configuration of one printer, as the API hands it to its bridge."""

    id: int
    slug: str
    name: str
    port_id: str
    baud: int = 0  # 0: detect
    dialect: str = "auto"
    #: opening the port: auto leaves DTR as the system does, never keeps a board from being reset
    #: where that can be, always resets it
    reset_on_open: Literal["auto", "never", "always"] = "auto"
    #: a print that lost its sender goes on by itself; after a longer gap than the first the nozzle
    #: is lifted off the part before, after a longer one than the second a person decides; seconds
    resume_lift_s: float = 3.0
    resume_limit_s: float = 240.0
    enabled: bool = True
    profile: Profile = Profile()
    scripts: dict[str, str] = {}
    #: what targets of printed files are moved by, by heater (tool0…n, bed, chamber)
    offsets_c: dict[str, float] = {}
    #: lines in flight and bytes in the printer's receive ring; 0: as its dialect has them
    window_lines: int = 0
    rx_bytes: int = 0
    #: targets set without a job end after so many seconds unless renewed; 0: never
    heat_lease_s: float = 900.0
    #: a paused print keeps its nozzles hot for so many seconds; 0: for ever
    pause_heat_s: float = 1800.0
    #: `drain`: what the printer has already taken is still printed; `quick_stop`: M410 where the
    #: firmware obeys it at once, which loses the position
    cancel_policy: Literal["drain", "quick_stop"] = "drain"
    #: what a print does when the rest of a cut line ran as a command of its own: it is told of, and
    #: the print goes on, waits for a person, or ends as failed
    stray_policy: Literal["go_on", "pause", "fail"] = "go_on"
    plug: PlugConfig | None = None


class Prompt(msgspec.Struct, frozen=True):
    """What the printer asks a person; the answer is the number of a button, from 0."""

    text: str
    buttons: list[str] = []


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """How steadily the lines of one attempt reached the printer.

    *score* is 0 to 100; *starved_s*: seconds in which nothing was left for the printer to do while
    it wanted lines; *strays*: commands that ran out of turn as the rest of cut lines, so far as
    answers tell; latencies are those of answers, in ms; *worst_layer* and *worst_line* (of the
    file's commands) are where the longest gap of *worst_gap_ms* was, None where there was none.
    """

    score: int
    starved_s: float
    gaps: int
    resends: int
    latency_p50_ms: float
    latency_p99_ms: float
    worst_gap_ms: float
    worst_line: int | None = None
    worst_layer: int | None = None
    strays: int = 0


class CardFile(msgspec.Struct, frozen=True, array_like=True):
    """A file on a printer's own card. *name* is what the printer takes; None: it did not say."""

    name: str
    size_bytes: int | None = None
    long_name: str | None = None


class DoingKind(StrEnum):
    """What a printer has just done."""

    HOME = "home"  # G28 has gone to it
    DWELL = "dwell"  # G4 has
    PLACE = "place"  # it has told where its head is
    FIRMWARE = "firmware"  # it has said again which firmware it runs


class Place(msgspec.Struct, frozen=True, array_like=True):
    """Where the head is, in mm as the firmware tells it; *tool* and feedrate as sent last.

    *e_mm* None: this firmware does not tell it.
    """

    x_mm: float
    y_mm: float
    z_mm: float
    e_mm: float | None
    tool: int
    feedrate_mm_min: float | None = None


class Doing(msgspec.Struct, frozen=True, array_like=True):
    """One thing that a printer has done; *number* counts in one life of its sender, from 1.

    *kind* is a `DoingKind`, or a word of a newer bridge. *reason*: why its place was asked for.
    """

    number: int
    kind: str
    place: Place | None = None
    reason: str | None = None


class Live(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The freshest picture of one printer. *temps* is keyed tool0…n, bed, chamber."""

    printer: int
    state: PrinterState
    grant: str | None = None
    job: int | None = None
    file_name: str | None = None
    temps: dict[str, Temperature] = {}
    temps_age_s: float | None = None
    progress: Progress | None = None
    z_mm: float | None = None
    feed_percent: int | None = None
    flow_percent: int | None = None
    fan_percent: int | None = None
    #: as the job's last acknowledged line has it, before *feed_percent*
    feedrate_mm_s: float | None = None
    #: nobody has heard a temperature for several reports
    temps_stale: bool = False
    #: seconds until heaters that no job needs are switched off, None without such a lease
    heat_lease_s: float | None = None
    #: whether a remote stop acts at once: `at_once`, `in_turn` (when the firmware reads its next
    #: line: not while a long command runs), `unknown`; None when not connected
    stop_reach: str | None = None
    #: False after a quick stop or skipped homing: home before anything else moves
    position_known: bool = True
    prompt: Prompt | None = None
    error: str | None = None
    firmware: str | None = None
    port: str | None = None
    baud: int | None = None
    resends: int = 0
    lines_sent: int = 0
    #: the last few, oldest first; what was told in an earlier picture may be among them
    doings: tuple[Doing, ...] = ()
