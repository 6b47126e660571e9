"""Telemetry: what every printer reported last, from memory; thinned into rows.

DESIGN section 3, "Telemetry". The hot path (`record`, `state_of`, `view`, `version`) touches no
database: which printers a bridge may speak for is remembered for a few seconds and forgotten when
the bridge's configuration changes. Rows are written by `run()` in batches.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import msgspec

from api.bridges.service import Bridge, Bridges
from api.bus.local import Bus
from api.clock import Clock, phase
from api.outage import AGAIN_S, ASK_S, AWAY, briefly
from api.principal import Principal
from api.telemetry import relay, rows
from api.telemetry.history import KEEP_S, Reading
from api.telemetry.interest import Interests
from api.telemetry.models import LastLive, Sample
from api.telemetry.slots import Slot, Slots
from api.telemetry.terminals import Terminals
from schemas.link import LiveSnap
from schemas.printer import ACTIVE, Live, PrinterState
from schemas.watching import TerminalLines

__all__ = ["LiveView", "OnBridge", "Sample", "Telemetry"]

PRINTERS_KNOWN_S = 30.0  # at most: how long "these printers are on this bridge" is believed
_UNKNOWN: tuple[float, frozenset[int] | None] = (0.0, None)
STEP_S = 1.0
SEEN_STEP_S = 30  # coarse, so that answers are not made anew for it each second; v1 asks for 90
KEEP_SAMPLES = timedelta(days=7)
SWEEP_EVERY_S = 3600.0
REFRESH_OVERLAP = timedelta(seconds=10)  # clocks of processes differ, and commits take a moment
CATCH_UP_S = 4.0  # how long readers wait after a start for prints to be heard of again

_log = logging.getLogger("gantry.telemetry")


class OnBridge(Protocol):
    """What telemetry needs to know of a printer."""

    @property
    def id(self) -> int:
        """Its number."""

    @property
    def organization_id(self) -> int:
        """Whose it is."""

    @property
    def bridge_id(self) -> int | None:
        """The bridge it is on; None: people run it by hand."""


class PrintersRoom(Protocol):
    """What telemetry asks the printers' room."""

    async def numbers_on(self, bridge_id: int) -> frozenset[int]:
        """The printers that a bridge may speak for, as the rows say."""

    async def get(self, by: Principal, printer_id: int) -> OnBridge:
        """One printer. Raises `NotFound`."""


#: (visible changes, wall second in which it was last seen, whether its room is there).
Stamp = tuple[int, int | None, bool]


#: Told of a change: organization, printer, and whether the printer's state moved.
Watcher = Callable[[int, int, bool], None]


@dataclass(frozen=True, slots=True)
class LiveView:
    """A printer as it can be shown now. *age_s*: since it was last heard; None: never."""

    live: Live | None
    online: bool
    age_s: float | None


class Telemetry:
    """The farm's current state, and its thinned past."""

    def __init__(self, bridges: Bridges, printers: PrintersRoom, clock: Clock, bus: Bus) -> None:
        self._bridges = bridges
        self._printers = printers
        self._clock = clock
        self._bus = bus
        self._slots = Slots()
        self.interests = Interests(clock, bus)
        self.terminals = Terminals(clock, bus)
        self._pulse = 0  # rises whenever anything was heard of any printer
        self._rooms: dict[int, tuple[float, frozenset[int]]] = {}
        self._swept_at = float("-inf")
        self._awaited: set[int] = set()  # printed when the API stopped, not heard of since
        self._all_heard = asyncio.Event()
        self._patient_until = float("-inf")
        self._refreshed_at = datetime.min.replace(tzinfo=UTC)
        self._watchers: list[Watcher] = []
        bus.on_live(relay.hearer(self._relayed))

    def watch(self, watcher: Watcher) -> None:
        """Call *watcher* whenever something visible of a printer has changed; it must be quick."""
        self._watchers.append(watcher)

    # The hot path.

    async def record(self, bridge: Bridge, snap: LiveSnap) -> list[int]:
        """Take the pictures of *bridge*'s printers; the numbers of printers that are not its own.

        Foreign pictures change nothing (safety S59).
        """
        now, wall_s = self._clock.monotonic(), self._clock.now().timestamp()
        own = await self._own(bridge.id, now)
        foreign, moved = [], []
        for live in snap.printers:
            if live.printer not in own:
                foreign.append(live.printer)
                continue
            if self._awaited:
                self._heard(live.printer)
            slot = self._slots.of(live.printer, bridge.organization_id, bridge.id)
            slot.is_relayed = False
            if self._put(slot, live, now, wall_s):
                moved.append(f"printer:{live.printer}")
            if self._bus.is_shared:
                relay.tell(self._bus, slot, live)
        if moved:
            self._bus.wake(moved)
        return foreign

    async def hear(self, bridge: Bridge, said: TerminalLines) -> list[int]:
        """Take terminal lines of *bridge*'s printers; the numbers of those that are not its own."""
        own = await self._own(bridge.id, self._clock.monotonic())
        for text in said.texts:
            if text.printer in own:
                self.terminals.hear(bridge.id, text)
        return [text.printer for text in said.texts if text.printer not in own]

    def _put(self, slot: Slot, live: Live, now: float, wall_s: float) -> bool:
        self._pulse += 1
        changes = slot.changes
        has_moved = slot.put(live, now, wall_s)
        if slot.changes != changes:
            for watcher in self._watchers:
                watcher(slot.organization_id, slot.printer_id, has_moved)
        return has_moved

    def _relayed(self, picture: relay.Picture) -> None:
        """Another process heard *picture*; it writes the rows, too."""
        live = picture.live
        self._heard(live.printer)
        slot = self._slots.of(live.printer, picture.organization, picture.bridge)
        now, wall_s = self._clock.monotonic(), self._clock.now().timestamp()
        has_moved = self._put(slot, live, now, wall_s)
        slot.is_relayed, slot.unsaved = True, False
        if has_moved:
            self._bus.ring([f"printer:{live.printer}"])

    async def _own(self, bridge_id: int, now: float) -> frozenset[int]:
        known = self._rooms.get(bridge_id)
        if known is not None and now - known[0] < PRINTERS_KNOWN_S:
            return known[1]
        try:
            within_s = None if known is None else ASK_S
            return await briefly(self._asked(bridge_id), within_s=within_s)
        except AWAY:
            if known is None:
                raise
            self._rooms[bridge_id] = (now - PRINTERS_KNOWN_S + AGAIN_S, known[1])
            return known[1]

    async def _asked(self, bridge_id: int) -> frozenset[int]:
        """Remembered also when the answer comes too late for whoever asked."""
        before = self._rooms.get(bridge_id, _UNKNOWN)[1]
        own = await self._printers.numbers_on(bridge_id)
        if self._rooms.get(bridge_id, _UNKNOWN)[1] is before:  # nobody has been told better since
            self.know_room(bridge_id, own)
        return own

    def catching_up(self) -> bool:
        """Whether a print that ran at the last stop has not been heard of yet, just after a start.

        Whoever shows printers waits for `caught_up()` then: a moment of patience instead of a
        progress that is older than what was shown before.
        """
        return bool(self._awaited) and self._clock.monotonic() < self._patient_until

    async def caught_up(self) -> None:
        """Return when every such print was heard of, at the latest 4 s after the start."""
        try:
            async with asyncio.timeout(max(0.0, self._patient_until - self._clock.monotonic())):
                await self._all_heard.wait()
        except TimeoutError:
            self._awaited.clear()

    def _heard(self, printer_id: int) -> None:
        self._awaited.discard(printer_id)
        if not self._awaited:
            self._all_heard.set()

    def know_room(self, bridge_id: int, printers: Iterable[int]) -> None:
        """These are *bridge_id*'s own printers, as the rows have just said."""
        heard = self._clock.monotonic() - PRINTERS_KNOWN_S / 2 * phase(bridge_id)
        self._rooms[bridge_id] = (heard, frozenset(printers))

    def state_of(self, printer_id: int) -> Live | None:
        """The last picture, however old; None when there is none."""
        slot = self._slots.get(printer_id)
        if slot is None:
            return None
        self.interests.look(slot.bridge_id)
        return slot.live

    def read_terminal(self, printer_id: int) -> None:
        """Somebody reads the printer's terminal now; its lines come while this is said often."""
        slot = self._slots.get(printer_id)
        if slot is not None and slot.bridge_id is not None:
            self.terminals.look(printer_id, slot.bridge_id)

    def history(self, printer_id: int) -> Sequence[Reading]:
        """Its temperatures of the last 30 minutes, oldest first: one every 5 s, and each change of
        a target. Empty for a printer that was not heard of since this process started.
        """
        slot = self._slots.get(printer_id)
        since_s = self._clock.now().timestamp() - KEEP_S
        return [] if slot is None else list(slot.history.since(since_s))

    def attend(self, organization_id: int) -> None:
        """Somebody watches everything of this organization."""
        slots = self._slots.all()
        for room in {s.bridge_id for s in slots if s.organization_id == organization_id}:
            self.interests.look(room)

    def view(self, printer: OnBridge) -> LiveView:
        """What can be shown of *printer* now; its room counts as watched."""
        self.interests.look(printer.bridge_id)
        return self.peek(printer)

    def peek(self, printer: OnBridge) -> LiveView:
        """What can be shown of *printer*, for whoever only counts: nobody watches by that."""
        slot = self._slots.of(printer.id, printer.organization_id, printer.bridge_id)
        online = self._online(slot)
        if slot.live is None:
            return LiveView(None, online, None)
        return LiveView(slot.live, online, max(0.0, self._clock.monotonic() - slot.heard_at))

    def stamps(self, printers: Sequence[OnBridge]) -> list[Stamp]:
        """What an answer about each printer depends on: equal stamps, equal answers."""
        now = self._clock.monotonic()
        wall_s = self._clock.now().timestamp() - now
        rooms: dict[int | None, tuple[bool, int]] = {None: (False, 0)}
        stamps: list[Stamp] = []
        for printer in printers:
            slot = self._slots.of(printer.id, printer.organization_id, printer.bridge_id)
            room = slot.bridge_id
            if room not in rooms:
                rooms[room] = self._room(room, wall_s)
            online, there_s = rooms[room]
            stamps.append((slot.changes, _seen_s(slot, wall_s, there_s), online))
        return stamps

    def _room(self, bridge_id: int | None, wall_s: float) -> tuple[bool, int]:
        """(whether it is online, when it was there last, in steps of `SEEN_STEP_S`; 0: unknown)."""
        if bridge_id is None:
            return False, 0
        there = self._bridges.last_there(bridge_id)
        there_s = 0 if there is None else int(wall_s + there)
        return self._bridges.online(bridge_id), there_s - there_s % SEEN_STEP_S

    def mark(self, rooms: Collection[int]) -> tuple[int, ...]:
        """Equal marks, equal stamps of all printers that are in *rooms* or in none."""
        for room in rooms:
            self.interests.look(room)
        return (self._pulse, *map(self._bridges.online, rooms))

    def version(self, printer_id: int) -> int:
        """A number that changes whenever something visible of the printer does (not its age)."""
        slot = self._slots.get(printer_id)
        if slot is None:
            return 0
        return slot.changes * 2 + self._online(slot)

    def _online(self, slot: Slot) -> bool:
        return slot.bridge_id is not None and self._bridges.online(slot.bridge_id)

    # Rows.

    async def samples(self, by: Principal, printer_id: int, hours: int) -> list[Sample]:
        """Temperatures of the last *hours* while printing, oldest first. Raises `NotFound`."""
        by.require("printers.read")
        printer = await self._printers.get(by, printer_id)
        since = self._clock.now() - timedelta(hours=hours)
        return await Sample.filter(printer_id=printer.id, at__gte=since).order_by("at", "id")

    async def load(self) -> None:
        """At start: what was true when the API stopped, with its age.

        The progress of a print is left out: it went on meanwhile.
        """
        now, wall = self._clock.monotonic(), self._clock.now()
        self._patient_until = now + CATCH_UP_S
        for row in await LastLive.all():
            live = rows.live_of(row)
            if live is None:
                continue
            if live.state in ACTIVE or live.state is PrinterState.TRANSFERRING:
                live = msgspec.structs.replace(live, progress=None)
                self._awaited.add(row.printer_id)
            heard_at = now - max(0.0, (wall - row.at).total_seconds())
            self._slots.restore(row.printer_id, row.organization_id, live, heard_at)

    async def flush(self) -> None:
        """Write every picture that is not written yet: for a process that may be frozen next."""
        unsaved = [slot for slot in self._slots.all() if slot.unsaved]
        await rows.save(unsaved, self._clock)

    async def refresh(self) -> None:
        """Take what other processes have written: for one that holds no links itself."""
        self._rooms.clear()
        now, wall = self._clock.monotonic(), self._clock.now()
        for row in await LastLive.filter(at__gte=self._refreshed_at):
            heard_at = now - max(0.0, (wall - row.at).total_seconds())
            live = rows.live_of(row)
            if live is not None:
                wall_s = row.at.timestamp()
                self._slots.take(row.printer_id, row.organization_id, live, heard_at, wall_s)
        self._pulse += 1
        self._refreshed_at = wall - REFRESH_OVERLAP

    async def run(self) -> None:
        """Write rows and tell of rooms that went away, once a second, until cancelled."""
        while True:
            try:
                await self.step()
            except Exception:  # noqa: BLE001 - supervisor: the next second tries again
                _log.exception("telemetry could not be written")
            await asyncio.sleep(STEP_S)

    async def step(self) -> None:
        """Everything that is due now: pictures, samples, old samples, absent rooms."""
        now = self._clock.monotonic()
        slots = self._slots.all()
        await rows.save([slot for slot in slots if slot.wants_saving(now)], self._clock)
        wanting = [slot for slot in slots if slot.wants_sample(now)]
        await rows.sample(wanting, self._clock)
        await self._bridges.report_lapsed()
        if now - self._swept_at >= SWEEP_EVERY_S:
            self._swept_at = now
            await Sample.filter(at__lt=self._clock.now() - KEEP_SAMPLES).delete()


def _seen_s(slot: Slot, wall_s: float, there_s: int) -> int | None:
    """The wall second in which the printer was last known to be as it is shown; None: never.

    A room tells only of what changes: while it is there, no news of a printer whose port is open
    is its last picture again.
    """
    if slot.live is None:
        return None
    heard_s = int(wall_s + slot.heard_at)
    return heard_s if slot.live.state is PrinterState.OFFLINE else max(heard_s, there_s)
