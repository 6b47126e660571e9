"""Every open socket of people and programs in this process: how many, whose, and their end.

One person has at most `MAX_PER_USER` of them, one address `MAX_PER_ADDRESS` (safety S48); the
rooms' links are counted nowhere, so nobody can keep them out. When a credential or its owner ends,
its sockets end within `LOOK_EVERY_S` (S12), whether or not the wake-up for it arrived.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from api.accounts.credentials import ENDS, Ending
from api.bus.local import Bus
from api.errors import TooMany, Unavailable
from api.principal import Principal

MAX_PER_USER = 256
MAX_PER_ADDRESS = 1024
LOOK_EVERY_S = 3.0
SETTLE_S = 0.2  # many changes of credentials in one go are looked at once
DRAIN_S = 2.0
RETRY_AFTER_S = 30

_log = logging.getLogger("gantry.feed")


class Accounts(Protocol):
    """Who knows which credentials are over."""

    async def ended_of(self, principals: Collection[Principal]) -> Mapping[int, Ending]:
        """The ids of the credentials through which nobody acts any more as they do here."""


@dataclass(slots=True, eq=False)
class Open:
    """One open socket. *principal* None: nobody has signed in on it yet.

    *revoked* is called when the credential is over, *restart* when the API stops; quick, both.
    """

    address: str
    revoked: Callable[[Ending], None]
    restart: Callable[[], None]
    principal: Principal | None = None


class Sockets:
    """The register."""

    def __init__(self, accounts: Accounts, bus: Bus) -> None:
        self._accounts = accounts
        self._bus = bus
        self._open: set[Open] = set()
        self._addresses: Counter[str] = Counter()
        self._users: Counter[int] = Counter()
        self._empty = asyncio.Event()
        self._draining = False

    def __len__(self) -> int:
        return len(self._open)

    def check(self, address: str) -> None:
        """Raises `TooMany` when *address* has enough sockets, `Unavailable` at the end."""
        if self._draining:
            raise Unavailable("The API restarts; come back in a moment.", retry_after_s=2)
        if self._addresses[address] >= MAX_PER_ADDRESS:
            raise TooMany(
                f"{MAX_PER_ADDRESS} sockets are open from this address; close some of them.",
                retry_after_s=RETRY_AFTER_S,
            )

    @contextmanager
    def opened(self, socket: Open) -> Iterator[None]:
        """*socket* counts until the end. Raises what `check` and `sign_in` raise."""
        self.check(socket.address)
        if socket.principal is not None:
            self._check_user(socket.principal)
            self._users[socket.principal.user_id] += 1
        self._addresses[socket.address] += 1
        self._open.add(socket)
        self._empty.clear()
        try:
            yield
        finally:
            self._open.discard(socket)
            self._addresses -= Counter([socket.address])
            if socket.principal is not None:
                self._users -= Counter([socket.principal.user_id])
            if not self._open:
                self._empty.set()

    def sign_in(self, socket: Open, by: Principal) -> None:
        """*socket* is *by*'s from now on. Raises `TooMany`."""
        self._check_user(by)
        if socket.principal is not None:
            self._users -= Counter([socket.principal.user_id])
        socket.principal = by
        self._users[by.user_id] += 1

    def _check_user(self, by: Principal) -> None:
        if self._users[by.user_id] >= MAX_PER_USER:
            raise TooMany(
                f"{MAX_PER_USER} of your sockets are open; close some of them.",
                retry_after_s=RETRY_AFTER_S,
            )

    async def run(self) -> None:
        """Close the sockets of credentials that are over, until cancelled."""
        with self._bus.listen(ENDS) as bell:
            while True:
                if await bell.wait(LOOK_EVERY_S):
                    await asyncio.sleep(SETTLE_S)
                try:
                    await self.look()
                except Exception:  # noqa: BLE001 - supervisor: looked at again in a moment
                    _log.exception("the open sockets' credentials could not be looked at")

    async def look(self) -> None:
        """End the sockets whose credential is over now."""
        known = {
            (each.principal.credential_id, each.principal): each.principal
            for each in self._open
            if each.principal is not None
        }
        if not known:
            return
        ended = await self._accounts.ended_of(tuple(known.values()))
        for each in tuple(self._open):
            why = ended.get(each.principal.credential_id) if each.principal is not None else None
            if why is not None:
                each.revoked(why)

    async def drain(self) -> None:
        """Take no more, and close all with 1012; at most two seconds."""
        self._draining = True
        if not self._open:
            return
        for each in tuple(self._open):
            each.restart()
        try:
            async with asyncio.timeout(DRAIN_S):
                await self._empty.wait()
        except TimeoutError:
            pass
