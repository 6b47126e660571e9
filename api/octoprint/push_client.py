"""One client of OctoPrint's push, whatever carries its frames (contract, 8).

Before it has signed in it is told `connected` and nothing else, and after `SIGN_IN_S` it is let go
(safety S41). Then: what was told to others since its socket is open, so far as somebody was there
to be told (nothing is done for a stranger), `history`, and from there events as they happen and
`current` at most once per throttle, of which only the newest is kept. What the client says is a
JSON object; broken JSON, unknown keys and odd values are ignored, as OctoPrint does.
"""

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from api.accounts.service import Ending
from api.clock import Clock
from api.feed.sender import CLOSE_REVOKED, CLOSE_SLOW
from api.feed.words import hears
from api.octoprint import push_document as document
from api.octoprint.permissions import holds
from api.octoprint.push_channel import Channel, Reach, View
from api.octoprint.push_ring import Message
from api.octoprint.push_wishes import Subscription, subscription
from api.permissions import EVERYTHING
from api.principal import Principal

SIGN_IN_S = 10.0
THROTTLE_S = 0.5  # between two `current`, times the client's throttle
MAX_THROTTLE = 1000
HELD_BACK = 100  # messages of the time before the sign-in, the newest
MAX_DIRECT = 64  # own messages that wait to be written; more are left out


class Transport(Protocol):
    """What carries the frames."""

    def notify(self) -> None:
        """There is something to write."""

    def end(self, code: int, reason: str) -> None:
        """End as soon as what was said is written."""

    def cut(self, code: int, reason: str) -> None:
        """End now."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What an `auth` message says."""

    username: str
    ticket: str


#: Without a `subscribe` message.
UNFILTERED = Subscription()
#: Of somebody who may not see the terminal.
NO_TERMINAL = View(None, None)


class PushClient:
    """What one client is to be sent: the source of its transport, a follower of its channel."""

    closed: str | None = None
    by: Principal | None = None

    def __init__(self, clock: Clock) -> None:
        self.transport: Transport
        self._clock = clock
        self._direct: deque[str] = deque([document.connected()])
        self._opened_s = clock.monotonic()
        self._sign_in_by = self._opened_s + SIGN_IN_S
        self._held: deque[int] = deque()  # places of what was told before the sign-in
        self._wants = UNFILTERED
        self._has_subscribed = False
        self._throttle_s = THROTTLE_S
        self._channel: Channel | None = None
        self._is_history_due = True
        self._is_new = False  # signed in, but not told what stands at the beginning
        self._next_at = float("-inf")
        self._place = self._version = 0
        self._reach = Reach()
        self._may_see_terminal = self._is_admin = False
        self._requests: dict[str, None] = {}  # of apps, that were told

    # What the client says.

    def receive(self, text: str | bytes | None) -> Credentials | None:
        """Take a message; credentials are the caller's to check."""
        try:
            said = orjson.loads(text or "")
        except orjson.JSONDecodeError:
            return None
        if not isinstance(said, dict):
            return None
        throttle, wanted = said.get("throttle"), said.get("subscribe")
        if isinstance(throttle, int) and 1 <= throttle <= MAX_THROTTLE:
            self._throttle_s = THROTTLE_S * throttle
        if isinstance(wanted, dict) and (wants := subscription(wanted)) is not None:
            self._subscribe(wants)
        return _credentials(said.get("auth"))

    def _subscribe(self, wants: Subscription) -> None:
        before, self._wants = self._wants, wants
        state, old = ((each.state, each.logs, each.messages) for each in (wants, before))
        if wants.state and (state != old or not self._has_subscribed):
            self._is_history_due = True
        self._has_subscribed = True
        if self._channel is not None:
            self._channel.read()
        self.transport.notify()

    # Signing in.

    def refused(self) -> None:
        """The credentials are no good."""
        self._say(document.reauth_required("stale"))

    def look_back(self, channel: Channel) -> None:
        """It is about to sign in for *channel*: what that has told meanwhile, the first time."""
        if self.by is None:
            self._held.extend(channel.ring.since(self._opened_s, HELD_BACK))

    def signed_in(self, by: Principal, channel: Channel) -> None:
        """*by* it is, on *channel*, from now on."""
        self.by, self._channel = by, channel
        self._is_admin = holds(by, EVERYTHING)
        self._may_see_terminal = holds(by, "STATUS") and holds(by, "MONITOR_TERMINAL")
        self._place = channel.ring.end
        self._is_history_due = self._is_new = True
        self._next_at = float("-inf")
        channel.read()
        self.transport.notify()

    def left(self) -> None:
        """The sign-in is over: nothing of its channel is told any more."""
        self._channel = None

    def revoked(self, why: Ending) -> None:
        """Nobody acts through the credential any more as they did."""
        is_session = self.by is not None and self.by.kind == "session"
        has_left = is_session and why is Ending.OVER
        self._say(document.reauth_required("logout" if has_left else "modified"))
        self.transport.end(CLOSE_REVOKED, "this credential is over; sign in again")

    # As a follower.

    @property
    def reads_terminal(self) -> bool:
        """Whether it wants the terminal's lines, and may see them."""
        return self._may_see_terminal and self._wants.terminal

    def news(self) -> None:
        """There is something in the channel."""
        if self._channel is not None and self._place < self._channel.ring.start:
            self.transport.cut(CLOSE_SLOW, "too slow; connect again")
        self.transport.notify()

    def gone(self) -> None:
        """The printer or pool has been deleted."""
        self.revoked(Ending.CHANGED)

    def asks(self, requests: Collection[tuple[str, Mapping[str, Any]]]) -> None:
        """The apps that ask for a key now, by their token: what is new and what is over is told."""
        now = dict(requests)
        for token in [each for each in self._requests if each not in now]:
            del self._requests[token]
            self._tell_app({"type": "end_request", "user_token": token})
        for token, facts in now.items():
            if token not in self._requests:
                self._requests[token] = None
                self._tell_app({"type": "request_access", **facts, "user_token": token})

    def _tell_app(self, data: Mapping[str, Any]) -> None:
        if self._wants.wants_plugin("appkeys"):
            self._say(document.plugin("appkeys", data))

    def _say(self, text: str) -> None:
        if len(self._direct) < MAX_DIRECT:
            self._direct.append(text)
        self.transport.notify()

    # As a source.

    def data_to_send(self) -> str | None:
        """The next message: its own, `history`, events in order, then the newest `current`."""
        if self._direct:
            return self._direct.popleft()
        channel, by = self._channel, self.by
        if channel is None or by is None:
            return None
        if (held := self._held_back(by, channel)) is not None:
            return held
        if self._is_history_due and self._sees_state(by):
            self._is_history_due = False
            self._catch_up(channel, version=-1)
            if self._is_new:
                self._is_new = False
                self._direct.append(document.timelapse())
            return channel.history(self._view())
        while channel.ring.start <= self._place < channel.ring.end:
            message = channel.ring.at(self._place)
            self._place += 1
            if self._hears(by, message):
                return self._words(message)
        if self._is_current_due(channel, by) and self._clock.monotonic() >= self._next_at:
            self._next_at = self._clock.monotonic() + self._throttle_s
            text = channel.current(self._reach, self._view())
            self._catch_up(channel, version=channel.version)
            return text
        return None

    def _held_back(self, by: Principal, channel: Channel) -> str | None:
        while self._held:
            place = self._held.popleft()
            if place >= channel.ring.start and self._hears(by, message := channel.ring.at(place)):
                return self._words(message)
        return None

    def _catch_up(self, channel: Channel, version: int) -> None:
        self._version, self._reach = version, channel.reach()

    def _view(self) -> View:
        if not self._may_see_terminal:
            return NO_TERMINAL
        return View(self._wants.logs, self._wants.messages)

    def _hears(self, by: Principal, message: Message) -> bool:
        wants = self._wants
        ask = wants.wants_plugin if message.is_plugin else wants.wants_event
        wanted = ask(message.name)
        return wanted and hears(by, message.kind, message.printer_id)

    def _words(self, message: Message) -> str:
        return message.text if self._is_admin or message.plain is None else message.plain

    def _sees_state(self, by: Principal) -> bool:
        return self._wants.state and holds(by, "STATUS")

    def _is_current_due(self, channel: Channel, by: Principal) -> bool:
        has_lines = self.reads_terminal and channel.reach().lines != self._reach.lines
        return (has_lines or channel.version != self._version) and self._sees_state(by)

    def waiting(self) -> int:
        """Messages that wait for this client alone."""
        return len(self._direct)

    def deadline(self) -> float:
        """When something is due by time alone."""
        if self.by is None:
            return self._sign_in_by
        if self._channel is not None and self._is_current_due(self._channel, self.by):
            return self._next_at
        return float("inf")

    def tick(self, now: float) -> None:
        """Let go of who has not signed in."""
        if self.by is None and now >= self._sign_in_by:
            self.closed = f"nobody signed in within {SIGN_IN_S:.0f} s"


def _credentials(said: Any) -> Credentials | None:
    if not isinstance(said, str):
        return None
    username, colon, ticket = said.partition(":")
    return Credentials(username, ticket) if colon and username and ticket else None
