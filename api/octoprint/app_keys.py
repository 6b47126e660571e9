"""Apps that ask for a key, and people who decide (OctoPrint contract, 7; safety S56).

A request is a row, so the app may poll another process than the person's. It dies 5 s after its
last poll and 10 min after it was made. The key is made when the app fetches it, acts as whoever
granted it, has no more rights than they had in granting it, and is told exactly once.
"""

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from api.accounts.keys import digest
from api.accounts.people import checked_label
from api.accounts.service import Accounts
from api.errors import NotFound, Problem, TooMany
from api.events.service import Ledger
from api.octoprint.models import AppKeyRequest
from api.principal import Principal

__all__ = ["RIGHT", "AppKeyRequest", "AppKeyRequests"]

RIGHT = "app_keys.grant"
PATIENCE = timedelta(seconds=5)
LONGEST = timedelta(minutes=10)
PER_MINUTE = 3  # requests of one address
MAX_PENDING = 5  # for one person, and for nobody in particular
_PENDING, _GRANTED, _OVER = "pending", "granted", "over"


class AppKeyRequests:
    """The requests of all organizations."""

    def __init__(self, accounts: Accounts, ledger: Ledger, now: Callable[[], datetime]) -> None:
        self._accounts = accounts
        self._ledger = ledger
        self._now = now

    async def ask(
        self,
        organization_id: int,
        app: str,
        username: str,
        remote: str,
        *,
        printer_id: int | None,
    ) -> str:
        """A new request; the token that polls it. Raises `Invalid` (the name), `TooMany`."""
        name = checked_label(app, "An app")
        token = secrets.token_urlsafe(32)
        now = self._now()
        async with self._ledger.change() as change:
            await AppKeyRequest.filter(created_at__lt=now - LONGEST).delete()
            await self._check_rate(remote, now)
            await self._check_pending(organization_id, username, now)
            row = await AppKeyRequest.create(
                organization_id=organization_id,
                sha256=digest(token),
                user_token=secrets.token_urlsafe(24),
                app=name,
                username=username[:100],
                printer_id=printer_id,
                remote_address=remote[:64],
                created_at=now,
                polled_at=now,
            )
            change.wake(f"app_keys:{row.organization_id}")
        return token

    async def poll(self, token: str) -> str | None:
        """The key, exactly once; None while nobody has decided.

        Raises `NotFound`: denied, died, fetched already, or never asked for.
        """
        row = await self._alive(sha256=digest(token))
        if row.state == _GRANTED:
            return await self._fetch(row)
        async with self._ledger.change():
            await AppKeyRequest.filter(id=row.id).update(polled_at=self._now())
        return None

    async def of_token(self, token: str) -> AppKeyRequest:
        """The pending request that *token* polls. Raises `NotFound`."""
        row = await self._alive(sha256=digest(token))
        if row.state != _PENDING:
            raise _unknown()
        return row

    async def pending(self, by: Principal) -> Sequence[AppKeyRequest]:
        """The requests that *by* may decide, oldest first."""
        if not by.may(RIGHT):
            return []
        now = self._now()
        rows = AppKeyRequest.filter(
            organization_id=by.organization_id,
            state=_PENDING,
            username__in=("", by.username),
            polled_at__gte=now - PATIENCE,
            created_at__gte=now - LONGEST,
        )
        return await rows.order_by("id")

    async def decide(self, by: Principal, user_token: str, *, grant: bool) -> None:
        """Let the app have its key, or not. Raises `NotFound` for what *by* may not decide,
        `Forbidden` (reauth_required among its codes).
        """
        by.require(RIGHT)
        row = await self._alive(user_token=user_token)
        if row.organization_id != by.organization_id or row.username not in ("", by.username):
            raise _unknown()
        if grant:
            await self._accounts.require_fresh(by)
        state = _GRANTED if grant else _OVER
        async with self._ledger.change() as change:
            open_still = AppKeyRequest.filter(id=row.id, state=_PENDING)
            if not await open_still.update(state=state, granted_by=by.credential_id):
                raise _unknown()
            action = "app_key.granted" if grant else "app_key.denied"
            change.note(by, action, ("app", row.app), remote=row.remote_address)
            change.wake(f"app_keys:{row.organization_id}")

    async def _fetch(self, row: AppKeyRequest) -> str:
        async with self._ledger.change():
            mine = AppKeyRequest.filter(id=row.id, state=_GRANTED)
            if not await mine.update(state=_OVER):
                raise _unknown()
        try:
            by = await self._accounts.behind(row.granted_by or 0)
            return await self._accounts.add_app_key(by, row.app, row.printer_id)
        except Problem:  # whoever granted it has lost the right since
            raise _unknown() from None

    async def _alive(self, **which: Any) -> AppKeyRequest:
        now = self._now()
        row = await AppKeyRequest.get_or_none(**which)
        if row is None or row.state == _OVER:
            raise _unknown()
        if now - row.polled_at > PATIENCE or now - row.created_at > LONGEST:
            raise _unknown()
        return row

    async def _check_rate(self, remote: str, now: datetime) -> None:
        since = now - timedelta(minutes=1)
        recent = AppKeyRequest.filter(remote_address=remote[:64], created_at__gt=since)
        if await recent.count() >= PER_MINUTE:
            raise TooMany(
                f"At most {PER_MINUTE} requests for keys a minute. Try again soon.",
                retry_after_s=60,
            )

    async def _check_pending(self, organization_id: int, username: str, now: datetime) -> None:
        pending = AppKeyRequest.filter(
            organization_id=organization_id,
            username=username[:100],
            state=_PENDING,
            polled_at__gte=now - PATIENCE,
        )
        if await pending.count() >= MAX_PENDING:
            raise TooMany(
                f"{MAX_PENDING} apps wait for a decision already. Try again soon.",
                retry_after_s=int(PATIENCE.total_seconds()),
            )


def _unknown() -> NotFound:
    return NotFound("There is no such request, or it is over.")
