"""Passwords of people: argon2id, in threads, two at a time (DESIGN section 4; safety S08, S10)."""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from api.errors import Invalid

MIN_CHARACTERS = 8
MAX_CHARACTERS = 1024
_AT_ONCE = 2  # each takes 64 MiB and a core for a tenth of a second


class Passwords:
    """Makes and checks password hashes without holding up the event loop."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        """The argon2id hash to keep for *password*."""
        async with self._turn:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def fits(self, password: str, kept: str | None) -> bool:
        """Whether *password* made the hash *kept*; None (nobody) costs the same time."""
        if self._nobody is None:
            self._nobody = await self.hash("nobody has this password")
        async with self._turn:
            return await asyncio.to_thread(
                self._verify, kept or self._nobody, password[:MAX_CHARACTERS]
            )

    def _verify(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except VerificationError:
            return False


def check_rule(password: str) -> None:
    """The rule for passwords that people choose. Raises `Invalid` with what is missing."""
    check_length(password)
    missing = [
        name
        for name, found in (
            (f"at least {MIN_CHARACTERS} characters", len(password) >= MIN_CHARACTERS),
            ("an upper-case letter", any(letter.isupper() for letter in password)),
            ("a lower-case letter", any(letter.islower() for letter in password)),
            ("a digit", any(letter.isdigit() for letter in password)),
        )
        if not found
    ]
    if missing:
        raise Invalid(f"The password needs {', '.join(missing)}.")


def check_length(password: str) -> None:
    """Raises `Invalid` for an empty password or one that is absurdly long."""
    if not password:
        raise Invalid("The password is empty.")
    if len(password) > MAX_CHARACTERS:
        raise Invalid(f"The password is longer than {MAX_CHARACTERS} characters.")
