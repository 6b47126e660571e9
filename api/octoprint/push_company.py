"""Who comes to a push and goes, and who logs in and out, told to those who are there (contract, 8).

Each printer and each pool is an OctoPrint of its own, so its clients hear of each other; of logins
all clients of the organization hear that may. A socket on which nobody has signed in is nobody's:
it is told of to nobody, so strangers cannot make a farm talk.

Nothing of this is kept. Other processes hear of it over the bus: lossy, and of two of a kind within
a tenth of a second the newer.
"""

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import msgspec

from api.bus.local import Bus
from api.clock import Clock
from api.principal import Principal

KEY = "company:"
#: Told of in one organization by one process; who comes and goes faster is not told of.
MAX_PER_S = 10

_log = logging.getLogger("gantry.push")


class News(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An event *name* for the clients of *stage*; "": for all of the organization."""

    organization: int
    stage: str
    name: str
    payload: dict[str, str]


_decoder = msgspec.json.Decoder(News)


class Hearer(Protocol):
    """A printer's or pool's push."""

    @property
    def organization_id(self) -> int:
        """Whose it is."""

    @property
    def key(self) -> str:
        """The stage's."""

    def company(self, name: str, payload: dict[str, Any]) -> None:
        """Somebody came or went; quick, never fails."""


class Company:
    """The pushes of this process, and what they tell of people."""

    def __init__(self, bus: Bus, clock: Clock) -> None:
        self._bus = bus
        self._clock = clock
        self._hearers: dict[Hearer, None] = {}
        self._second = 0
        self._told: Counter[int] = Counter()  # in this second, by organization
        bus.on_live(self._hear)

    @contextmanager
    def joined_by(self, hearer: Hearer) -> Iterator[None]:
        """*hearer* hears of everybody until the end."""
        self._hearers[hearer] = None
        try:
            yield
        finally:
            del self._hearers[hearer]

    @contextmanager
    def visit(self, hearer: Hearer, username: str, address: str) -> Iterator[None]:
        """A client of *username* is at *hearer* until the end."""
        where = {"remoteAddress": address}

        def tell(name: str, payload: dict[str, str]) -> None:
            self._tell(News(hearer.organization_id, hearer.key, name, payload))

        tell("ClientOpened", where)
        tell("ClientAuthed", {"username": username, **where})
        try:
            yield
        finally:
            tell("ClientClosed", where)

    def logged_in(self, by: Principal) -> None:
        """*by* has typed a password that fits."""
        self._tell(News(by.organization_id, "", "UserLoggedIn", {"username": by.username}))

    def logged_out(self, by: Principal) -> None:
        """*by* has ended a session."""
        self._tell(News(by.organization_id, "", "UserLoggedOut", {"username": by.username}))

    def _tell(self, news: News) -> None:
        second = int(self._clock.monotonic())
        if second != self._second:
            self._second, self._told = second, Counter()
        self._told[news.organization] += 1
        if self._told[news.organization] > MAX_PER_S:
            return
        self._show(news)
        key = f"{KEY}{news.organization}:{news.stage}:{news.name}"
        self._bus.live(key, msgspec.json.encode(news))

    def _hear(self, key: str, payload: bytes) -> None:
        """What another process tells; what is none of ours is logged and dropped."""
        if not key.startswith(KEY):
            return
        try:
            self._show(_decoder.decode(payload))
        except msgspec.MsgspecError as error:
            _log.warning("%s on the bus tells of nobody: %s", key, error)

    def _show(self, news: News) -> None:
        for each in tuple(self._hearers):
            if each.organization_id == news.organization and news.stage in ("", each.key):
                each.company(news.name, news.payload)
