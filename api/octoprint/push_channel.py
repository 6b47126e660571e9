"""One printer's or pool's push in this process: every frame built once, shared by all clients.

A channel follows the organization's hub. When something has happened it looks at its stage once,
turns the new events into messages in a ring, and tells its clients that there is something. A
client pulls messages from its own place in the ring, and the newest `current` when its throttle
allows; `current` carries the temperatures and the terminal's lines since the client's last one, so
clients in step share one text. The terminal comes only while a client reads it.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from api.clock import Clock
from api.errors import NotFound
from api.events.history import Event
from api.feed.hub import Hub
from api.octoprint import push_document as document
from api.octoprint.prompt import PLUGIN, prompt_message
from api.octoprint.push_document import Picture
from api.octoprint.push_ring import Message, Ring, Tail
from api.octoprint.push_stage import Stage
from api.octoprint.push_wishes import Wish, logs_of, messages_of
from api.octoprint.push_words import (
    COMPANY,
    MARKINGS,
    MESSAGES,
    Scene,
    doing_messages,
    file_payload,
    state_messages,
)
from api.octoprint.states import LOOKS
from api.telemetry.scrollback import Scrollback
from api.telemetry.terminals import HISTORY_LINES
from schemas.printer import CONNECTED, PrinterState, Prompt

REST_S = 1.0  # after a failure
REPEAT_S = (
    5.0  # a printer of which nothing is new is shown again: apps take silence for a dead line
)
POOL_REST_S = 0.5  # a pool's queue is counted at most this often

_log = logging.getLogger("gantry.push")


class Follower(Protocol):
    """A client. Both calls are quick and never fail."""

    def news(self) -> None:
        """There is something."""

    def gone(self) -> None:
        """The printer or pool has been deleted."""

    @property
    def reads_terminal(self) -> bool:
        """Whether it wants the terminal's lines, and may see them."""


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a channel has come, or a client in it: the places of what is next."""

    samples: int = 0
    markings: int = 0
    lines: int = 0


@dataclass(frozen=True, slots=True)
class View:
    """What of the terminal a client sees; None: it may not see it."""

    logs: Wish | None
    messages: Wish | None

    def of(self, lines: Sequence[str]) -> dict[str, list[str]]:
        """`logs` and `messages` of *lines*."""
        if self.logs is None or self.messages is None:
            return {}
        logs, messages = logs_of(lines, self.logs), messages_of(lines, self.messages)
        return {"logs": logs, "messages": messages}


class Channel:
    """One stage and its clients. While `live()`, `run()` in a task."""

    def __init__(self, stage: Stage, hub: Hub, clock: Clock) -> None:
        self.version = 0  # of what `current` shows
        self.ring = Ring()
        self.samples = Tail()
        self.markings = Tail()
        self._stage = stage
        self._hub = hub
        self._clock = clock
        self._place = hub.end_place
        self._picture: Picture
        self._told_state: PrinterState
        self._ahead: PrinterState | None = None  # connected, as a fact says and no picture yet
        self._job_file: dict[str, Any] | None = None
        self._selected: Mapping[str, Any] | None = None  # as it was told last
        self._progress: dict[str, Any] = {}  # the last that was shown of a print
        self._is_selected = False  # FileSelected was said for the print to come
        self._bell = asyncio.Event()
        self._followers: dict[Follower, None] = {}
        self._terminal = Scrollback()
        self._built: dict[tuple[str, Reach, View], str] = {}

    # For clients.

    @contextmanager
    def followed_by(self, follower: Follower) -> Iterator[None]:
        """*follower* hears of everything from now on."""
        self._followers[follower] = None
        try:
            yield
        finally:
            del self._followers[follower]

    def reach(self) -> Reach:
        """How far it has come."""
        return Reach(self.samples.end, self.markings.end, self._terminal.end)

    def read(self) -> None:
        """Keep the terminal's lines coming as long as a client reads them."""
        if any(each.reads_terminal for each in self._followers):
            self._stage.read()

    def current(self, since: Reach, view: View) -> str:
        """`current`, with what came after *since*, and of the terminal what *view* lets through."""
        key = ("current", since, view)
        if key not in self._built:
            picture = self._picture
            is_active = LOOKS[picture.state].active
            body = document.current(
                picture,
                self.samples.since(since.samples),
                self.markings.since(since.markings),
                self._clock.now().timestamp(),
                view.of(self._terminal.since(since.lines)),
            )
            body["busyFiles"] = document.busy_files(picture, is_active=is_active)
            self._built[key] = document.encode({"current": body})
        return self._built[key]

    def history(self, view: View) -> str:
        """`history`: the same with all that is kept."""
        key = ("history", Reach(), view)
        if key not in self._built:
            temps, markings = self._stage.temperatures(), self.markings.since(0)
            now_s = self._clock.now().timestamp()
            lines = view.of(self._terminal.last(HISTORY_LINES))
            body = document.current(self._picture, temps, markings, now_s, lines)
            self._built[key] = document.encode({"history": body})
        return self._built[key]

    # As a follower of the hub.

    def news(self) -> None:
        """Something happened in the organization."""
        self._bell.set()

    def picture(self, printer_id: int) -> None:
        """A printer looks different."""
        if self._stage.printer_id in (None, printer_id):
            self._bell.set()

    # As one of the company.

    @property
    def organization_id(self) -> int:
        """Whose it is."""
        return self._stage.organization_id

    @property
    def key(self) -> str:
        """The stage's."""
        return self._stage.key

    def company(self, name: str, payload: dict[str, Any]) -> None:
        """Somebody came or went: addresses and names of people are for admins."""
        text, plain = document.event(name, payload), document.event(name, {})
        kind, at = COMPANY[name], self._stage.printer_id
        self._put(Message(name, kind, at, text, plain=plain))
        for follower in tuple(self._followers):
            follower.news()

    # As a follower of the terminal.

    def lines(self) -> None:
        """The printer's terminal has more lines."""
        self._built.clear()
        for follower in tuple(self._followers):
            if follower.reads_terminal:
                follower.news()

    # Its own life.

    @asynccontextmanager
    async def live(self) -> AsyncIterator["Channel"]:
        """Begin with the present picture, and go on until left. Raises `NotFound`: it is gone."""
        picture = await self._stage.picture()
        if picture is None:
            raise NotFound("The printer or pool is gone.")
        self._picture, self._told_state = picture, picture.state
        is_sent = (
            picture.state is PrinterState.TRANSFERRING
        )  # what goes to the card is no selection
        self._selected = None if is_sent else file_payload(picture)
        self._is_selected = self._selected is not None
        with self._hub.followed_by(self), self._stage.terminal(self.lines) as self._terminal:
            task = asyncio.create_task(self.run())
            try:
                yield self
            finally:
                task.cancel()

    async def run(self) -> None:
        """Look and tell until cancelled."""
        while True:
            self.read()
            try:
                async with asyncio.timeout(REPEAT_S):
                    await self._bell.wait()
            except TimeoutError:
                self._repeat()
                continue
            self._bell.clear()
            try:
                await self.step()
            except Exception:  # noqa: BLE001 - supervisor: the next turn tries again
                _log.exception("a push channel stumbled")
                self._bell.set()
                await asyncio.sleep(REST_S)
            if self._stage.printer_id is None:
                await asyncio.sleep(POOL_REST_S)

    def _repeat(self) -> None:
        """The same temperatures once more, as from a printer that reports them unasked."""
        if not self._picture.temps:
            return
        self.version += 1
        self._built.clear()
        self._sample(self._picture)
        for follower in tuple(self._followers):
            follower.news()

    def _sample(self, picture: Picture) -> None:
        at_s = self._clock.now().timestamp()
        self.samples.put(document.temps_item(picture.temps, at_s))

    async def step(self) -> None:
        """Take in what is new, and tell the clients."""
        before, shown = self.ring.end, self._picture
        if await self._look():
            asked, others = doing_messages(shown, self._picture)
            self._tell_doings(asked)
            for event in self._new_events():
                if self._stage.concerns(event):
                    self._tell_event(event)
            self._reconcile(shown.state)
            self._tell_doings(others)
            if self.ring.end != before:
                self._built.clear()
            for follower in tuple(self._followers):
                follower.news()

    def _new_events(self) -> list[Event]:
        start = max(self._place, self._hub.start_place)
        self._place = self._hub.end_place
        return [self._hub.at(place).event for place in range(start, self._place)]

    async def _look(self) -> bool:
        """Take the new picture; False when there is nothing to show any more."""
        picture = await self._stage.picture()
        if picture is None:
            for follower in tuple(self._followers):
                follower.gone()
            return False
        old, self._picture = self._picture, picture
        if picture == old:
            return True
        if LOOKS[picture.state].active and picture.document["progress"]["filepos"] is not None:
            self._progress = dict(picture.document["progress"])
        self.version += 1
        self._built.clear()
        if picture.temps and picture.temps != old.temps:
            self._sample(picture)
        self._compare(old, picture)
        return True

    def _compare(self, old: Picture, picture: Picture) -> None:
        """Tell what is another than it was."""
        if picture.z_mm != old.z_mm:
            self._say("ZChange", "printer.z", {"new": picture.z_mm, "old": old.z_mm})
        if picture.prompt != old.prompt:
            self._ask(picture.prompt)
        if picture.state is PrinterState.TRANSFERRING:
            return  # its job is the file that goes to the card, which nobody has selected
        selected, self._selected = self._selected, file_payload(picture)
        if self._selected != selected:
            self._select(picture)

    def _tell_doings(self, messages: Sequence[tuple[str, Any]]) -> None:
        for name, payload in messages:
            self._say(name, "printer.doing", payload)

    def _ask(self, prompt: Prompt | None) -> None:
        text = document.plugin(PLUGIN, prompt_message(prompt))
        kind, at = "printer.prompt", self._stage.printer_id
        self._put(Message(PLUGIN, kind, at, text, is_plugin=True))

    def _select(self, picture: Picture) -> None:
        payload = file_payload(picture)
        self._is_selected = payload is not None
        self._say("FileSelected" if payload else "FileDeselected", "job.selected", payload)

    def _tell_event(self, event: Event) -> None:
        if event.kind == "printer.state":
            self._change_state(PrinterState(event.data["state"]))
            return
        if event.kind == "job.started":
            self._job_file = self._file()
            if not self._is_selected:
                self._select(self._picture)
        make = MESSAGES.get(event.kind)
        for name, payload in make(event, self._scene()) if make else ():
            self._say(name, event.kind, payload)
        if event.kind in ("job.completed", "job.failed", "job.cancelled", "job.printed_one"):
            self._job_file, self._is_selected, self._progress = None, False, {}

    def _change_state(self, state: PrinterState) -> None:
        self._catch_up()
        if state in CONNECTED and self._picture.state not in CONNECTED:
            self._ahead = state
        else:
            self._tell_state(state)

    def _catch_up(self) -> None:
        """Tell the connection that was told of before a picture has shown it."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            self._tell_state(ahead)

    def _tell_state(self, state: PrinterState) -> None:
        if state is self._told_state:
            return
        old, self._told_state = self._told_state, state
        for name, payload in state_messages(old, state, self._scene()):
            self._say(name, "printer.state", payload)

    def _reconcile(self, before: PrinterState) -> None:
        """A room that goes or comes back changes what its printers show, without a fact.

        *before*: what was shown; a picture that has not changed is only late.
        """
        shown = self._picture.state
        if shown in CONNECTED:
            self._catch_up()
        if shown is not before and PrinterState.OFFLINE in (shown, self._told_state):
            self._change_state(shown)

    def _scene(self) -> Scene:
        return Scene(self._picture, self._job_file or self._file(), self._progress)

    def _file(self) -> dict[str, Any] | None:
        payload = file_payload(self._picture)
        return None if payload is None else dict(payload)

    def _say(self, name: str, kind: str, payload: Any) -> None:
        text = document.event(name, payload)
        self._put(Message(name, kind, self._stage.printer_id, text))
        if name in MARKINGS:
            kind_of_marking, label = MARKINGS[name]
            marking = {"type": kind_of_marking, "label": label}
            self.markings.put({**marking, "time": self._clock.now().timestamp()})
            told = document.event("ChartMarked", marking)
            self._put(Message("ChartMarked", kind, self._stage.printer_id, told))

    def _put(self, message: Message) -> None:
        self.ring.put(message, self._clock.monotonic())
