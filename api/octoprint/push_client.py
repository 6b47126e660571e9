"""One client of OctoPrint's push, whatever carries its frames (contract, 8).

Before it has signed in it is told `connected` and nothing else, and after `SIGN_IN_S` it is let go
(safety S41). Then: `history`, and from there events as they happen and `current` at most once per
throttle, of which only the newest is kept. What the client says is a JSON object; broken JSON,
unknown keys and odd values are ignored, as OctoPrint does.
"""

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from api.clock import Clock
from api.feed.sender import CLOSE_REVOKED, CLOSE_SLOW
from api.feed.words import hears
from api.octoprint import push_document as document
from api.octoprint.permissions import holds
from api.octoprint.push_channel import Channel, Message
from api.principal import Principal

SIGN_IN_S = 10.0
THROTTLE_S = 0.5  # between two `current`, times the client's throttle
MAX_THROTTLE = 1000
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


@dataclass(frozen=True, slots=True)
class Subscription:
    """What the client wants. True: all; False: nothing; else the names."""

    state: bool = True
    events: bool | frozenset[str] = True
    plugins: bool | frozenset[str] = True

    def wants_event(self, name: str) -> bool:
        """Whether events of this type are wanted."""
        return self.events if isinstance(self.events, bool) else name in self.events

    def wants_plugin(self, name: str) -> bool:
        """Whether messages of this plugin are wanted."""
        return self.plugins if isinstance(self.plugins, bool) else name in self.plugins


def subscription(wanted: Mapping[str, Any]) -> Subscription:
    """The client's wish; what is not listed is off."""
    return Subscription(
        state=bool(wanted.get("state")),
        events=_names(wanted.get("events")),
        plugins=_names(wanted.get("plugins")),
    )


def _names(value: Any) -> bool | frozenset[str]:
    if isinstance(value, list):
        return frozenset(each for each in value if isinstance(each, str))
    return value is True


class PushClient:
    """What one client is to be sent: the source of its transport, a follower of its channel."""

    closed: str | None = None
    by: Principal | None = None

    def __init__(self, clock: Clock) -> None:
        self.transport: Transport
        self._clock = clock
        self._direct: deque[str] = deque([document.connected()])
        self._sign_in_by = clock.monotonic() + SIGN_IN_S
        self._wants = Subscription()
        self._throttle_s = THROTTLE_S
        self._channel: Channel | None = None
        self._is_history_due = True
        self._is_new = False  # signed in, but not told what stands at the beginning
        self._next_at = float("-inf")
        self._place = self._version = self._samples = self._markings = 0
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
        if isinstance(wanted, dict):
            self._subscribe(subscription(wanted))
        return _credentials(said.get("auth"))

    def _subscribe(self, wants: Subscription) -> None:
        self._wants = wants
        if wants.state:
            self._is_history_due = True
        self.transport.notify()

    # Signing in.

    def refused(self) -> None:
        """The credentials are no good."""
        self._say(document.reauth_required("stale"))

    def signed_in(self, by: Principal, channel: Channel) -> None:
        """*by* it is, on *channel*, from now on."""
        self.by, self._channel = by, channel
        self._place = channel.end_place
        self._is_history_due = self._is_new = True
        self._next_at = float("-inf")
        self.transport.notify()

    def revoked(self) -> None:
        """The credential is over."""
        self._say(document.reauth_required("modified"))
        self.transport.end(CLOSE_REVOKED, "this credential is over; sign in again")

    # As a follower.

    def news(self) -> None:
        """There is something in the channel."""
        if self._channel is not None and self._place < self._channel.start_place:
            self.transport.cut(CLOSE_SLOW, "too slow; connect again")
        self.transport.notify()

    def gone(self) -> None:
        """The printer or pool has been deleted."""
        self.revoked()

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
        if self._is_history_due and self._sees_state(by):
            self._is_history_due = False
            self._catch_up(channel, version=-1)
            if self._is_new:
                self._is_new = False
                self._direct.append(document.timelapse())
            return channel.history()
        while channel.start_place <= self._place < channel.end_place:
            message = channel.at(self._place)
            self._place += 1
            if self._hears(by, message):
                return message.text
        if self._is_current_due(channel, by) and self._clock.monotonic() >= self._next_at:
            self._next_at = self._clock.monotonic() + self._throttle_s
            text = channel.current(self._samples, self._markings)
            self._catch_up(channel, version=channel.version)
            return text
        return None

    def _catch_up(self, channel: Channel, version: int) -> None:
        self._version = version
        self._samples, self._markings = channel.samples.end, channel.markings.end

    def _hears(self, by: Principal, message: Message) -> bool:
        wants = self._wants
        ask = wants.wants_plugin if message.is_plugin else wants.wants_event
        wanted = ask(message.name)
        return wanted and hears(by, message.kind, message.printer_id)

    def _sees_state(self, by: Principal) -> bool:
        return self._wants.state and holds(by, "STATUS")

    def _is_current_due(self, channel: Channel, by: Principal) -> bool:
        return channel.version != self._version and self._sees_state(by)

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
