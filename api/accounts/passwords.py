"""Passwords of people: argon2id, in threads, two at a time (DESIGN section 4; safety S08, S10)."""

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from api.accounts.guesses import is_guessable
from api.errors import Invalid

MIN_CHARACTERS = 8
MAX_CHARACTERS = 1024
_AT_ONCE = 2  # each takes 64 MiB and a core for a tenth of a second
_NICE = 15

T = TypeVar("T")


def _stand_back() -> None:
    """Give way to everything else: people wait for a login, printers for nobody.

    On Linux a thread has a priority of its own, and the threads that argon2 starts inherit it.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


class Passwords:
    """Makes and checks password hashes without holding up the event loop."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._threads = ThreadPoolExecutor(_AT_ONCE, "password", _stand_back)
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        """The argon2id hash to keep for *password*."""
        return await self._in_turn(lambda: self._hasher.hash(password))

    async def fits(self, password: str, kept: str | None) -> bool:
        """Whether *password* made the hash *kept*; None (nobody) costs the same time."""
        if self._nobody is None:
            self._nobody = await self.hash("nobody has this password")
        against = kept or self._nobody
        return await self._in_turn(lambda: self._verify(against, password[:MAX_CHARACTERS]))

    async def _in_turn(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _verify(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except VerificationError:
            return False


def check_rule(password: str, *names: str) -> None:
    """The rule for every new password: its length, and nothing that is guessed first.

    *names*: of the person and of the farm, which are guessed first. Any composition will do.
    Raises `Invalid` with what is wrong.
    """
    if len(password) < MIN_CHARACTERS:
        raise Invalid(f"The password needs at least {MIN_CHARACTERS} characters.")
    if len(password) > MAX_CHARACTERS:
        raise Invalid(f"The password is longer than {MAX_CHARACTERS} characters.")
    if is_guessable(password, *names):
        raise Invalid("This password is among the first that are tried: take another one.")
