"""The stop's own way past the rows (safety M07): from memory straight to the room's link.

A remote stop waits for nobody who writes: it goes out at once, and its row follows. While rows
cannot be read or written at all it still goes out, by rights and printers that a process remembers.
Another process may hold the room's link: it is asked over the bus. Who sends a stop owes it to the
rows: it is written, with its audit entry, as soon as they can be written again, and at the latest
before the bridge's word about it is recorded.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from datetime import datetime, timedelta

import msgspec
from ulid import ULID

from api.bus.local import Bus
from api.clock import Clock
from api.commands.models import Command
from api.events.rehearsal import is_rehearsed
from api.events.service import Change, asked_from
from api.principal import Principal, system
from schemas.commands import Verb
from schemas.link import RemoteStop

#: So long another process has to say that it has the link, and has told the room.
OTHERS_S = 1.5
#: Pressed again within this it is the same stop; later it is one of its own, for the printer may
#: have been reset meanwhile, and its room does nothing twice that it has done.
SAME = timedelta(seconds=2)
#: What a bus has held back for longer is not done any more: somebody may have gone on since.
STALE = timedelta(seconds=10)
_ASKED, _TOLD = "stop:", "stopped:"  # on the bus, each with the stop's id

_log = logging.getLogger("gantry.commands")

#: Puts a stop on a link that stands now.
Say = Callable[[RemoteStop], None]


class Owed(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A stop that is in no row yet, and who pressed it."""

    id: str
    user_id: int
    username: str
    organization_id: int
    printer_id: int
    printer_name: str
    bridge_id: int
    at: datetime
    asked_from: str = ""  # the address of whoever pressed it

    async def write(self, seq: int) -> Command:
        """Its row, with number *seq* of its room."""
        return await Command.create(
            id=self.id,
            organization_id=self.organization_id,
            printer_id=self.printer_id,
            bridge_id=self.bridge_id,
            seq=seq,
            verb=Verb.REMOTE_STOP,
            actor=self.username[:120],
            created_at=self.at,
        )

    def note(self, change: Change) -> None:
        """Its entry in the audit log, written with *change*: not by whom that belongs to."""
        token = asked_from.set(self.asked_from)
        entity = ("printer", self.printer_id)
        change.note(self.by, "printer.remote_stop", entity, name=self.printer_name)
        asked_from.reset(token)

    @property
    def by(self) -> Principal:
        """Who pressed it, as rows tell it."""
        whoever = system(self.organization_id)
        return replace(whoever, user_id=self.user_id, username=self.username)


_decoder = msgspec.json.Decoder(Owed)
_press: ContextVar[list[Owed] | None] = ContextVar("stop_press", default=None)


@contextmanager
def one_press() -> Iterator[None]:
    """All that is tried in this block to stop a printer is one stop: its room does that once."""
    token = _press.set([])
    try:
        yield
    finally:
        _press.reset(token)


class DirectStops:
    """The links of this process, and what is owed to the rows."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock
        self._links: dict[int, list[tuple[Say, int]]] = {}
        self._asked: dict[str, asyncio.Event] = {}
        self.owed: dict[str, Owed] = {}
        bus.on_live(self._heard)

    @contextmanager
    def link(self, bridge_id: int, say: Say, epoch: int) -> Iterator[None]:
        """While this lasts, the room of *bridge_id* can be told to stop by *say*."""
        links, link = self._links.setdefault(bridge_id, []), (say, epoch)
        links.append(link)
        try:
            yield
        finally:
            links.remove(link)
            if not links:
                del self._links[bridge_id]

    def epoch(self, bridge_id: int) -> int | None:
        """Of the newest link that the room has here; None: it has none."""
        return max((epoch for _, epoch in self._links.get(bridge_id, ())), default=None)

    async def send(self, by: Principal, printer: tuple[int, int, str], bridge_id: int) -> bool:
        """Tell the printer (organization, number, name) to stop; False: no link is known.

        The link may be another process's; that one owes the row then.
        """
        stop = self._stop(by, printer, bridge_id)
        return self._say(stop) is not None or await self._ask_others(stop)

    def press(self, by: Principal, printer: tuple[int, int, str], bridge_id: int) -> str:
        """Tell the printer to stop before its row is written; the id that the row is to have.

        Nobody is waited for: without a link here another process may have it, or none. Nobody is
        told in a dry run.
        """
        stop = self._stop(by, printer, bridge_id)
        if is_rehearsed():
            return stop.id
        said = self._say(stop)
        if said is None and self._bus.is_shared:
            self._bus.live(_ASKED + stop.id, msgspec.json.encode(stop))
        return said or stop.id

    def _stop(self, by: Principal, printer: tuple[int, int, str], bridge_id: int) -> Owed:
        press = _press.get()
        if press:
            return press[0]
        at = self._clock.now()
        pressed = (str(ULID.from_datetime(at)), by.user_id, by.username)
        stop = Owed(*pressed, *printer, bridge_id, at, asked_from.get()[:64])
        if press is not None:
            press.append(stop)
        return stop

    def _say(self, stop: Owed) -> str | None:
        """Tell the room; the id that it was told. None: no link stands here.

        A printer that was told just now is told again under the same id, which its room does once.
        """
        links = self._links.get(stop.bridge_id)
        if not links:
            return None
        stop_id = self._same(stop)
        if press := _press.get():  # tried again, it is the one that the room has
            press[0] = msgspec.structs.replace(press[0], id=stop_id)
        self.owed.setdefault(stop_id, stop)
        for say, _ in links:
            say(RemoteStop(id=stop_id, printer=stop.printer_id))
        # Should this process die before the row is written, this is what tells who it was.
        facts = {"command": stop_id, "printer": stop.printer_id}
        _log.info("user %d stops it before its row is written", stop.user_id, extra=facts)
        return stop_id

    def _same(self, stop: Owed) -> str:
        """The id under which the room has it already, or is to have it."""
        if stop.id in self.owed:
            return stop.id
        recent = (
            owed.id
            for owed in self.owed.values()
            if owed.printer_id == stop.printer_id and abs(stop.at - owed.at) < SAME
        )
        return next(recent, stop.id)

    async def _ask_others(self, stop: Owed) -> bool:
        if not self._bus.is_shared:
            return False
        told = self._asked[stop.id] = asyncio.Event()
        self._bus.live(_ASKED + stop.id, msgspec.json.encode(stop))
        try:
            async with asyncio.timeout(OTHERS_S):
                return await told.wait()
        except TimeoutError:
            return False
        finally:
            del self._asked[stop.id]

    def _heard(self, key: str, payload: bytes) -> None:
        """Another process asks for a stop, or has told a room that was asked for here."""
        if key.startswith(_TOLD) and (told := self._asked.get(key.removeprefix(_TOLD))):
            told.set()
        if not key.startswith(_ASKED):
            return
        try:
            stop = _decoder.decode(payload)
        except msgspec.MsgspecError as error:
            _log.warning("%s on the bus is no stop: %s", key, error)
            return
        if self._clock.now() - stop.at > STALE:
            _log.warning("%s: printer %d is not stopped, this is old", key, stop.printer_id)
        elif self._say(stop) is not None:
            _log.info("printer %d is stopped for another process", stop.printer_id)
            self._bus.live(_TOLD + stop.id, b"true")
