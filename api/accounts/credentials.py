"""Credentials as rows: made, found by their secret, revoked (DESIGN section 7, Credentials).

Who a secret belongs to is remembered for a few seconds, so that hot reads cost no query, and longer
while the database is away (`api.outage`): nobody can be revoked then. What is revoked is
forgotten at once where a bus reaches. Ends wake `credential:<id>`, `ENDS`: sockets ask `ended_of`.
"""

import asyncio
import hmac
import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from typing import Any
from weakref import WeakValueDictionary

from api.accounts import keys
from api.accounts.keys import CredentialKind
from api.accounts.models import Credential, User
from api.accounts.standing import Standing, standing_of
from api.clock import Clock
from api.db import Busy
from api.errors import NotAuthenticated
from api.events.service import Change, Ledger
from api.outage import AGAIN_S, ASK_S, AWAY, REMEMBERED_S, briefly
from api.principal import Principal, Role
from api.spelled import update

CACHE_S = 5.0
#: A session that nobody has used for so long is over, whatever its life.
IDLE = timedelta(hours=24)
#: The wake after any credential or person has changed.
ENDS = "credentials"
_CACHE_ENTRIES = 10_000
_USED_EVERY = timedelta(minutes=1)  # how exact last_used_at is
_NOTE_S = 0.1  # so long its note is waited for; it is seen through all the same

_TICKET = CredentialKind.WS_TICKET
#: They open something; nobody acts by them.
_OPENERS = frozenset(
    {
        *(_TICKET, CredentialKind.REMEMBER, CredentialKind.HALF_LOGIN, CredentialKind.MAIL_TOKEN),
        *(CredentialKind.DEVICE, CredentialKind.SIGN_ON),
    }
)
#: What lets somebody in as this person beside the tokens and keys that they made.
_WAYS_IN = (
    *(CredentialKind.SESSION, CredentialKind.REMEMBER),
    *(CredentialKind.HALF_LOGIN, CredentialKind.MAIL_TOKEN),
    *(CredentialKind.ENROLMENT, CredentialKind.DEVICE, CredentialKind.SIGN_ON),
)

_log = logging.getLogger("gantry.accounts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a new credential is to be. *expires_at* None: never; *scopes* empty: no limit."""

    user: User
    kind: CredentialKind
    name: str = ""
    scopes: Iterable[str] = ()
    printer_id: int | None = None
    expires_at: datetime | None = None
    csrf_token: str = ""
    remote_address: str = ""
    user_agent: str = ""
    parent_id: int | None = None
    confirmed_at: datetime | None = None


class Ending(Enum):
    """Why nobody acts through a credential any more as they did."""

    OVER = "over"  # it was ended, or has expired
    CHANGED = "changed"  # its owner may something else than before, or nothing any more


@dataclass(frozen=True, slots=True)
class _Known:
    """Times are monotonic."""

    principal: Principal
    until_s: float  # taken as it is
    ends_s: float  # taken while the database is away


@dataclass(slots=True, weakref_slot=True)
class _Asking:
    """One asks whose a secret is, and others wait for what that comes to."""

    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    failed_s: float = float("-inf")  # monotonic: when somebody asked in vain


class Credentials:
    """The table of credentials, and the memory in front of it."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._csrf_sha256: dict[int, str] = {}  # it never changes
        self._asking: WeakValueDictionary[str, _Asking] = WeakValueDictionary()
        self._generation = 0  # rises with every revocation, so that no older look-up is remembered

    async def add(self, change: Change, secret: str, grant: Grant) -> Credential | None:
        """The row of *secret*, within *change*; None when its prefix is taken: make another."""
        del change  # proof that a transaction is open
        prefix = keys.prefix_of(secret)
        if await Credential.filter(prefix=prefix).exists():
            return None
        return await Credential.create(
            organization_id=grant.user.organization_id,
            user_id=grant.user.id,
            kind=grant.kind,
            name=grant.name,
            prefix=prefix,
            sha256=keys.digest(secret),
            scopes=sorted(grant.scopes),
            printer_id=grant.printer_id,
            csrf_sha256=keys.digest(grant.csrf_token) if grant.csrf_token else "",
            remote_address=grant.remote_address[:64],
            user_agent=grant.user_agent[:200],
            created_at=self._clock.now(),
            expires_at=grant.expires_at,
            parent_id=grant.parent_id,
            confirmed_at=grant.confirmed_at,
        )

    async def authenticate(self, secret: str) -> Principal:
        """The owner of *secret*. Raises `NotAuthenticated`; never says why.

        While the database is away: who they were a few minutes ago, or what it raises.
        """
        if not keys.plausible(secret):
            raise _nobody()
        sha256 = keys.digest(secret)
        known = self._remembered(sha256)
        if known is not None:
            return known
        # Who comes while one asks waits for what it finds: a page's thirty requests cost one query.
        asking = self._asking.setdefault(sha256, _Asking())
        came_s = self._clock.monotonic()
        async with asking.turn:
            known = self._remembered(sha256)
            if known is not None:
                return known
            if asking.failed_s - came_s >= ASK_S:  # silent; one after the other is a long line
                raise Busy("the database did not answer whoever asked first")
            try:
                principal, row = await self._found(secret, sha256)
            except AWAY:
                asking.failed_s = self._clock.monotonic()
                raise
        if row is not None:
            await self._mark_used(row)  # nobody else waits for that
        return principal

    async def _found(self, secret: str, sha256: str) -> tuple[Principal, Credential | None]:
        """Who it is as the rows say; without a row who it was before the database went away."""
        within_s = ASK_S if self._counts(sha256) else None
        try:
            return await briefly(self._look_up(secret, sha256), within_s=within_s)
        except AWAY:
            if (known := self._of_before(sha256)) is not None:
                return known, None
            if within_s is None:
                raise
        return await self._look_up(secret, sha256)  # it is not remembered any more

    async def csrf_sha256(self, credential_id: int) -> str | None:
        """What a session's CSRF token is hashed to, for as long as it lives; None: no session's."""
        known = self._csrf_sha256.get(credential_id)
        if known is not None:
            return known
        row = await Credential.get_or_none(id=credential_id, kind=CredentialKind.SESSION)
        if row is None:
            return None
        if len(self._csrf_sha256) >= _CACHE_ENTRIES:
            self._csrf_sha256.clear()
        self._csrf_sha256[credential_id] = row.csrf_sha256
        return row.csrf_sha256

    async def revoke(self, **which: Any) -> int:
        """End the credentials that match the filter *which*; how many there were."""
        async with self._ledger.change() as change:
            ended = await self.revoke_in(change, **which)
        if ended:
            self.forget()
        return ended

    async def revoke_in(self, change: Change, **which: Any) -> int:
        """`revoke` in the caller's transaction; nothing looked up before it stays remembered."""
        rows = await Credential.filter(revoked_at=None, **which)
        ids = [row.id for row in rows]
        cut_short = [row.id for row in rows if not self._over(row)]
        now = self._clock.now()
        await Credential.filter(id__in=ids).update(revoked_at=now)
        remembered = Credential.filter(parent_id__in=cut_short, kind=CredentialKind.REMEMBER)
        await remembered.filter(revoked_at=None).update(revoked_at=now)
        self._wake(change, ids)
        return len(ids)

    async def end_ways_in(self, change: Change, user_id: int, *, but: int = 0) -> None:
        """End every session of a person and whatever would open one, but for the session *but*
        and the browser that was remembered with it.
        """
        rows = Credential.filter(user_id=user_id, kind__in=_WAYS_IN, revoked_at=None)
        ids = [
            row.id
            for row in await rows.only("id", "kind", "parent_id")
            if but not in (row.id, row.parent_id)
        ]
        await self.revoke_in(change, id__in=ids)

    async def take_once(self, kind: CredentialKind, secret: str) -> Credential:
        """The row of an opener that is still good; `spend` it. Raises `NotAuthenticated`."""
        if not keys.plausible(secret):
            raise _nobody()
        row = await Credential.get_or_none(prefix=keys.prefix_of(secret), kind=kind)
        fits = row is not None and hmac.compare_digest(row.sha256, keys.digest(secret))
        if row is None or not fits or self._over(row):
            raise _nobody()
        return row

    async def spend(self, change: Change, row: Credential) -> None:
        """Use an opener up, within *change*. Raises `NotAuthenticated` when somebody was first."""
        del change  # proof that a transaction is open
        unused = Credential.filter(id=row.id, revoked_at=None)
        if not await unused.update(revoked_at=self._clock.now()):
            raise _nobody()

    async def changed_in(self, change: Change, *user_ids: int) -> None:
        """Everybody who knows these people by a credential looks again after *change*."""
        rows = await Credential.filter(user_id__in=user_ids, revoked_at=None).only("id")
        self._wake(change, [row.id for row in rows])

    async def behind(self, credential_id: int) -> Principal:
        """Who acts through this credential now. Raises `NotAuthenticated`."""
        return (await self._owner(await Credential.get_or_none(id=credential_id)))[0]

    async def take_ticket(self, secret: str) -> Principal:
        """Who asked for this one-shot ticket; it is used up. Raises `NotAuthenticated`."""
        row = await self.take_once(_TICKET, secret)
        async with self._ledger.change() as change:
            await self.spend(change, row)
        return await self.behind(row.parent_id or 0)

    async def ended_of(self, principals: Collection[Principal]) -> dict[int, Ending]:
        """The ids of those credentials through which nobody acts any more as they do here, and why.

        Revoked or expired; or the person is gone, disabled, or may something else than then.
        """
        rows = {row.id: row for row in await Credential.filter(id__in=_ids(principals))}
        people = {row.user_id for row in rows.values()}
        users = {user.id: user for user in await User.filter(id__in=people, is_active=True)}
        standing = await standing_of(users.values())
        ended: dict[int, Ending] = {}
        for principal in principals:
            row = rows.get(principal.credential_id)
            user = users.get(row.user_id) if row is not None else None
            if row is None:
                ended[principal.credential_id] = Ending.OVER
            elif user is None or _reach(principal_of(user, row, standing[user.id])) != _reach(
                principal
            ):
                ended[principal.credential_id] = Ending.CHANGED
            elif self._over(row):
                ended[principal.credential_id] = Ending.OVER
        return ended

    def forget(self) -> None:
        """Look everybody up again: rights or people have changed."""
        self._generation += 1
        self._known.clear()

    def _remembered(self, sha256: str) -> Principal | None:
        known = self._known.get(sha256)
        if known is None or self._clock.monotonic() >= known.until_s:
            return None
        return known.principal

    def _counts(self, sha256: str) -> bool:
        """Whether it is known whose that was before the database went away."""
        return sha256 in self._known and self._clock.monotonic() < self._known[sha256].ends_s

    def _of_before(self, sha256: str) -> Principal | None:
        """Who it was; the database is asked again in a few seconds."""
        if not self._counts(sha256):
            return None
        known = self._known[sha256]
        until_s = min(self._clock.monotonic() + AGAIN_S, known.ends_s)
        self._known[sha256] = replace(known, until_s=until_s)
        return known.principal

    async def _look_up(self, secret: str, sha256: str) -> tuple[Principal, Credential]:
        generation = self._generation
        row = await Credential.get_or_none(prefix=keys.prefix_of(secret))
        try:
            if row is None or not hmac.compare_digest(row.sha256, sha256):
                raise _nobody()
            principal, row = await self._owner(row)
        except NotAuthenticated:
            self._known.pop(sha256, None)
            raise
        if generation == self._generation:
            self._remember(sha256, principal, row)
        return principal, row

    async def _owner(self, row: Credential | None) -> tuple[Principal, Credential]:
        """Who acts through *row*. Raises `NotAuthenticated`, for what only opens something too."""
        if row is None or row.kind in _OPENERS:
            raise _nobody()
        if self._over(row):
            if row.revoked_at is None:  # a clock that goes back must not revive it
                await self.revoke(id=row.id)
            raise _nobody()
        user = await User.get_or_none(id=row.user_id, is_active=True)
        if user is None:
            raise _nobody()
        return await acting_through(row, user), row

    def _wake(self, change: Change, ids: Sequence[int]) -> None:
        if not ids:
            return  # nothing ended: everybody else's look-ups stay remembered
        self.forget()
        change.wake(ENDS, *(f"credential:{number}" for number in ids))

    def _over(self, row: Credential) -> bool:
        now = self._clock.now()
        if row.revoked_at is not None or (row.expires_at is not None and row.expires_at <= now):
            return True
        idle = now - (row.last_used_at or row.created_at)
        return row.kind == CredentialKind.SESSION and idle > IDLE

    def _remember(self, sha256: str, principal: Principal, row: Credential) -> None:
        if len(self._known) >= _CACHE_ENTRIES:
            self._known.clear()
        life_s, now = REMEMBERED_S, self._clock.monotonic()
        if row.expires_at is not None:
            life_s = min(life_s, (row.expires_at - self._clock.now()).total_seconds())
        self._known[sha256] = _Known(principal, now + min(CACHE_S, life_s), now + life_s)

    async def _mark_used(self, row: Credential) -> None:
        now = self._clock.now()
        if row.last_used_at is not None and now - row.last_used_at < _USED_EVERY:
            return
        try:  # one statement, which stands in no line: who stops a printer waits for nobody's rows
            noting = update(Credential, {"last_used_at": now}, {"id": row.id})
            await briefly(noting, within_s=_NOTE_S)
        except AWAY as error:  # a full disk must not lock people out of reading
            _log.warning("cannot note the use of credential %s: %s", row.id, error)


async def acting_through(row: Credential, user: User) -> Principal:
    """*user* acting through their credential *row* now."""
    return principal_of(user, row, (await standing_of([user]))[user.id])


def principal_of(user: User, row: Credential, standing: Standing) -> Principal:
    """*user*, who stands so, acting through the credential *row*."""
    return Principal(
        organization_id=user.organization_id,
        user_id=user.id,
        username=user.username,
        role=Role(user.role),
        kind=row.kind,
        credential_id=row.id,
        scopes=frozenset(row.scopes),
        printer_id=row.printer_id,
        is_superadmin=user.is_superadmin,
        email=user.email,
        permissions=standing.permissions,
        grants=standing.grants,
    )


def _reach(principal: Principal) -> tuple[object, ...]:
    """What a socket that was opened by *principal* relies on."""
    return (
        principal.user_id,
        principal.organization_id,
        principal.role,
        principal.is_superadmin,
        principal.scopes,
        principal.printer_id,
        principal.permissions,
        principal.grants,
    )


def _ids(principals: Collection[Principal]) -> set[int]:
    return {principal.credential_id for principal in principals}


def _nobody() -> NotAuthenticated:
    return NotAuthenticated("Not authenticated")
