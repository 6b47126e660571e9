"""Logins that fail are counted in rows, before the password is looked at (v1 1.2; safety S09).

An attempt counts from its beginning and is taken back when it succeeds, so a burst of guesses in
one tick is bounded too. A restart forgets nothing; without the database nobody logs in.
"""

from datetime import datetime, timedelta

from api.accounts import keys
from api.accounts.models import LoginAttempt
from api.clock import Clock
from api.errors import TooMany
from api.events.service import Ledger

ADDRESS_LIMIT = 10
ADDRESS_WINDOW = timedelta(minutes=5)
USER_LIMIT = 5
USER_WINDOW = timedelta(minutes=15)
#: What OctoPrint's own limiter allows an address besides (OctoPrint contract, 0): the same numbers.
OCTOPRINT_LIMITS = (
    (3, timedelta(minutes=1)),
    (5, timedelta(minutes=10)),
    (10, timedelta(hours=1)),
)
_KEPT = timedelta(hours=1)


class LoginThrottle:
    """How often an address and a user name may fail."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    async def begin(self, username: str, address: str, *, known_device: bool) -> int:
        """Count an attempt; the number to give to `succeeded`.

        Raises `TooMany`: `rate_limited` for the address, `locked_out` for the user name. An address
        from which this person has logged in before (*known_device*) is not locked out by what
        others do to the name.
        """
        now = self._clock.now()
        subject = keys.digest(username)
        async with self._ledger.change():
            await self._check_address(address, now)
            if not known_device:
                await self._check_subject(subject, now)
            await LoginAttempt.filter(at__lt=now - _KEPT).delete()
            row = await LoginAttempt.create(subject=subject, remote_address=address, at=now)
        return row.id

    async def succeeded(self, attempt_id: int) -> None:
        """Take the attempt back, and whatever failed before it from the same address."""
        async with self._ledger.change():
            attempt = await LoginAttempt.get_or_none(id=attempt_id)
            if attempt is not None:
                await LoginAttempt.filter(
                    subject=attempt.subject, remote_address=attempt.remote_address
                ).delete()

    async def check_octoprint(self, address: str) -> None:
        """Raises `TooMany` for an address that failed more often than OctoPrint takes."""
        now = self._clock.now()
        for limit, window in OCTOPRINT_LIMITS:
            await self._check_address(address, now, limit, window)

    async def _check_address(
        self,
        address: str,
        now: datetime,
        limit: int = ADDRESS_LIMIT,
        window: timedelta = ADDRESS_WINDOW,
    ) -> None:
        recent = LoginAttempt.filter(remote_address=address, at__gt=now - window).order_by("-at")
        times = [row.at for row in await recent.limit(limit)]
        if len(times) == limit:
            wait_s = _seconds(times[-1] + window - now)
            raise TooMany(
                f"Too many failed logins from this address. Try again in {wait_s} s.",
                retry_after_s=wait_s,
            )

    async def _check_subject(self, subject: str, now: datetime) -> None:
        since = now - USER_WINDOW
        recent = LoginAttempt.filter(subject=subject, at__gt=since).order_by("-at")
        times = [row.at for row in await recent.limit(USER_LIMIT)]
        if len(times) == USER_LIMIT:
            wait_s = _seconds(times[-1] + USER_WINDOW - now)
            raise TooMany(
                f"Too many failed logins for this user name. Try again in {wait_s} s, "
                "or from a device that you have logged in from before.",
                code="locked_out",
                retry_after_s=wait_s,
            )


def _seconds(span: timedelta) -> int:
    return max(1, int(span.total_seconds() + 0.999))
