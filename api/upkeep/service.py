"""The log of the process that answers, as a superadmin sees it (v1 2.2 `/admin/logs`).

With several processes each answer, and each stream, is of one of them.
"""

import logging
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from api.clock import Clock
from api.errors import Forbidden, Invalid, TooMany
from api.principal import Principal
from api.upkeep.ring import Line, LogRing, Wish

#: What the dialect calls the log of the server; there is no other.
SOURCES = ("backend", "api")
LEVELS = {
    **{"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING},
    **{"warn": logging.WARNING, "error": logging.ERROR, "critical": logging.CRITICAL},
}
MAX_FOLLOWERS = 8
#: How often a stream without news shows that it lives, and asks whether its reader still may.
ALIVE_EVERY_S = 4.0
#: A stream ends by itself after so long; its reader asks again.
LONGEST_S = 3600.0


class AccountsRoom(Protocol):
    """Who knows whether somebody still may ask."""

    async def ended(self, by: Principal) -> bool:
        """Whether nobody acts like *by* any more."""


class Logs:
    """The log of this process."""

    def __init__(self, accounts: AccountsRoom, clock: Clock) -> None:
        self._accounts = accounts
        self._clock = clock
        self._ring = LogRing()
        #: How long one stream lasts, in seconds.
        self.longest_s = LONGEST_S
        self._is_kept = False

    def start(self) -> None:
        """Keep what is logged from now on."""
        self._is_kept = True
        logging.getLogger().addHandler(self._ring)

    def stop(self) -> None:
        """Keep nothing more; streams end."""
        self._is_kept = False
        logging.getLogger().removeHandler(self._ring)
        self._ring.part()

    def part(self) -> None:
        """Streams end, so that their readers go elsewhere."""
        self._ring.part()

    def last(self, by: Principal, wish: Wish, most: int) -> list[Line]:
        """The newest lines that fit, at most so many, oldest first."""
        by.require("farm.admin")
        return self._ring.last(wish, most)

    def follow(self, by: Principal, wish: Wish) -> AsyncIterator[Sequence[Line]]:
        """New lines that fit as they come; nothing now and then, to show that it lives.

        It ends when *by* may not ask any more, with the process, or after `longest_s`. Raises
        `Forbidden` (feature_disabled) where no process lives between two requests, `TooMany`.
        """
        by.require("farm.admin")
        if not self._is_kept:
            raise Forbidden(
                "No process stays here that could be followed: the cloud's own log has its lines.",
                code="feature_disabled",
            )
        if self._ring.following >= MAX_FOLLOWERS:
            raise TooMany(f"{MAX_FOLLOWERS} streams are open already.", retry_after_s=30)
        return self._follow(by, wish)

    async def _follow(self, by: Principal, wish: Wish) -> AsyncIterator[Sequence[Line]]:
        began_s = asked_s = self._clock.monotonic()
        with self._ring.followed() as follower:
            yield []
            while not follower.is_over and self._clock.monotonic() - began_s < self.longest_s:
                fresh = await follower.lines(ALIVE_EVERY_S)
                now_s = self._clock.monotonic()
                if now_s - asked_s >= ALIVE_EVERY_S:
                    asked_s = now_s
                    if await self._accounts.ended(by):
                        return
                yield [line for line in fresh if wish.takes(line)]


def wish_of(source: str, level: str | None, search: str | None) -> Wish:
    """What somebody asks for in v1's words. Raises `Invalid`."""
    if source not in SOURCES:
        raise Invalid(f"There is no log {source[:50]!r} here; source takes {', '.join(SOURCES)}.")
    least = LEVELS.get((level or "debug").lower())
    if least is None:
        raise Invalid(f"level takes {', '.join(LEVELS)}.")
    return Wish(level=least, search=search or "")
