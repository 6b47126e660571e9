"""Login, sessions and their ends (v1 1.2; safety S09-S15, S43)."""

import hmac
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tortoise.queryset import QuerySet

from api.accounts import keys
from api.accounts.callers import Callers
from api.accounts.credentials import Grant, acting_through
from api.accounts.factor_rows import confirmed_factor, must_enrol
from api.accounts.keys import CredentialKind
from api.accounts.models import Credential, User
from api.accounts.office import FIRST_ORGANIZATION
from api.accounts.people import MAX_USERNAME
from api.errors import Forbidden, Invalid, NotAuthenticated, NotFound
from api.events.service import Change
from api.principal import ENROLMENT, Principal, system

HALF_LOGIN_LIFE = timedelta(minutes=5)
ENROLMENT_LIFE = timedelta(minutes=10)
_KEEP_OLD_SESSIONS = timedelta(days=30)  # so that a device stays known for a while


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A session just opened. *token* is shown this once; *csrf_token* belongs to its cookie."""

    token: str
    principal: Principal
    csrf_token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CameWith:
    """What a client sent along with a login.

    *session*: the secret of a session, which ends with the login, so that nobody keeps one that
    they planted there. *device*: a `device_mark`.
    """

    session: str = ""
    device: str = ""


NOTHING = CameWith()


class SecondFactorAsked(NotAuthenticated):
    """The password fitted; *ticket* and a code of the second factor open the session."""

    default_code = "mfa_required"

    def __init__(self, ticket: str) -> None:
        super().__init__(
            "This account has a second factor: log in with POST /api/v1/auth/login and its code, "
            "or use an API key."
        )
        self.ticket = ticket


class SecondFactorWanted(NotAuthenticated):
    """The password fitted, but a second factor is required and this person has none.

    *ticket* may set one up, and nothing else.
    """

    default_code = "mfa_setup_required"

    def __init__(self, ticket: str) -> None:
        super().__init__(
            "This farm requires a second factor: log in with POST /api/v1/auth/login and set one "
            "up, or use an API key."
        )
        self.ticket = ticket


class Sessions(Callers):
    """Who is signed in."""

    async def login(
        self, username: str, password: str, remote: str, agent: str, came_with: CameWith = NOTHING
    ) -> Login:
        """Open a session. Raises `NotAuthenticated`, or `TooMany` after too many failures.

        `SecondFactorAsked` when the person has a second factor: the password alone opens nothing;
        `SecondFactorWanted` when they have none where one is required.
        An unknown name takes as long, and reads the same, as a wrong password. Somebody on a device
        where they have logged in before is not locked out by what others do.
        """
        possible = len(username) <= MAX_USERNAME  # a row cannot even be asked for a longer one
        user = await User.get_or_none(username=username) if possible else None
        place, known = await self._place_of(user, remote, came_with)
        attempt = await self._throttle.begin(username, place, known_device=known)
        fits = await self._passwords.fits(password, user.password_hash if user else None)
        if user is None or not fits:
            await self._note_failure(user, username, "wrong name or password")
            raise NotAuthenticated("Invalid credentials")
        await self._throttle.succeeded(attempt)
        if not user.is_active:
            await self._note_failure(user, username, "disabled")
            raise NotAuthenticated("Account disabled")
        if await confirmed_factor(user.id) is not None:
            raise SecondFactorAsked(await self._half_login(user, remote))
        if await must_enrol(user):
            raise SecondFactorWanted(await self._enrolment(user, remote))
        async with self._ledger.change() as change:
            return await self._let_in(change, user, remote, agent, came_with)

    async def _place_of(
        self, user: User | None, remote: str, came_with: CameWith
    ) -> tuple[str, bool]:
        """Where failures of this login are counted, and whether the person was there before."""
        device = self._session_tokens.device_of(came_with.device, user.id if user else 0)
        known = user is not None and (device is not None or await self._has_been_here(user, remote))
        return (remote if device is None else f"device {device}"), known

    async def _half_login(self, user: User, remote: str) -> str:
        """A secret that says that the password fitted, for `HALF_LOGIN_LIFE`."""
        expires_at = self._clock.now() + HALF_LOGIN_LIFE
        kind = CredentialKind.HALF_LOGIN
        return await self._pass(
            Grant(user=user, kind=kind, expires_at=expires_at, remote_address=remote)
        )

    async def _enrolment(self, user: User, remote: str) -> str:
        """A secret by which *user* sets a second factor up, within `ENROLMENT_LIFE`."""
        grant = Grant(
            user=user,
            kind=CredentialKind.ENROLMENT,
            scopes=[ENROLMENT],
            expires_at=self._clock.now() + ENROLMENT_LIFE,
            remote_address=remote,
        )
        return await self._pass(grant)

    async def _pass(self, grant: Grant) -> str:
        """A secret in the form of a session's for *grant*, which ends."""
        user, expires_at = grant.user, grant.expires_at
        assert expires_at is not None, "no such secret lives for ever"
        secret = self._session_tokens.make(user.username, user.role, expires_at)
        async with self._ledger.change() as change:
            await self._clear_openers(user.id, grant.kind, self._clock.now() - HALF_LOGIN_LIFE)
            await self._credentials.add(change, secret, grant)
        return secret

    async def _let_in(
        self, change: Change, user: User, remote: str, agent: str, came_with: CameWith
    ) -> Login:
        """A session for whoever proved to be *user* as the row was. Raises `NotAuthenticated`."""
        now = self._clock.now()
        same = User.filter(id=user.id, password_hash=user.password_hash, is_active=True)
        if not await same.update(last_login_at=now):  # changed while we were hashing
            raise NotAuthenticated("Invalid credentials")
        if keys.plausible(came_with.session):
            old = {"prefix": keys.prefix_of(came_with.session)}
            old["sha256"] = keys.digest(came_with.session)
            await self._credentials.revoke_in(change, kind=CredentialKind.SESSION, **old)
        login = await self._open_session(change, user, remote, agent)
        change.note(login.principal, "auth.login", ("user", user.id))
        return login

    def device_mark(self, by: Principal) -> str:
        """What makes the browser of *by* a known device at the next `login`."""
        return self._session_tokens.device_mark(by.user_id)

    async def logout(self, by: Principal) -> None:
        """End the session that asks; a token or key stays what it is."""
        if by.kind != CredentialKind.SESSION:
            return
        async with self._ledger.change() as change:
            if await self._credentials.revoke_in(change, id=by.credential_id):
                change.note(by, "auth.logout", ("user", by.user_id))

    # The password again

    async def reauthenticate(self, by: Principal, password: str, remote: str) -> None:
        """The owner of a session types the password again, so the session counts as fresh.

        Raises `Invalid` for a token or key, `Forbidden`, or `TooMany` after too many failures.
        """
        by.require("self.write")
        if by.kind != CredentialKind.SESSION:
            raise Invalid("Only a session can be confirmed; a token or key never needs it.")
        await self._check_password(by, password, remote)
        async with self._ledger.change() as change:
            now = self._clock.now()
            await Credential.filter(id=by.credential_id).update(confirmed_at=now)
            change.note(by, "auth.reauthenticated", ("user", by.user_id))

    async def change_password(self, by: Principal, current: str, new: str, remote: str) -> None:
        """The caller's own password; every other session of theirs ends.

        Raises `Forbidden` for a wrong *current* one, `TooMany` after too many of those, `Invalid`
        for a *new* one against the rule.
        """
        by.require("self.write")
        await self.check_new_password(new, by.username, by.organization_id)
        await self._check_password(by, current, remote)
        user = await self._myself(by)
        password_hash = await self._passwords.hash(new)
        async with self._ledger.change() as change:
            await User.filter(id=by.user_id).update(password_hash=password_hash)
            await self._credentials.end_ways_in(change, by.user_id, but=by.credential_id)
            change.note(by, "user.password_changed", ("user", by.user_id))
            await self.tell(change, user, "password")

    async def _check_password(self, by: Principal, password: str, remote: str) -> None:
        """Counted like a login: a stolen session must not find the password out."""
        user = await self._myself(by)
        subject = f"the password of user {user.id}, asked again"  # no stranger can use these up
        attempt = await self._throttle.begin(subject, remote, known_device=False)
        if not await self._passwords.fits(password, user.password_hash):
            await self._note_failure(user, user.username, "wrong current password")
            raise Forbidden("The current password is wrong.", code="wrong_password")
        await self._throttle.succeeded(attempt)

    # Lists and ends

    async def list_sessions(self, by: Principal) -> list[Credential]:
        """The caller's open sessions, newest first."""
        by.require("self.read")
        return list(await self._open(user_id=by.user_id).order_by("-id"))

    async def all_sessions(
        self, by: Principal, skip: int, limit: int
    ) -> tuple[list[tuple[Credential, str]], int]:
        """Open sessions of the organization (a superadmin: of all) with user names, newest first;
        and how many there are.
        """
        by.require("users.admin")
        rows = self._open(**_within(by))
        page = await rows.order_by("-id").offset(skip).limit(limit)
        ids = {row.user_id for row in page}
        names = {user.id: user.username for user in await User.filter(id__in=ids)}
        return [(row, names.get(row.user_id, "")) for row in page], await rows.count()

    async def revoke_session(self, by: Principal, session_id: int) -> None:
        """End one of the caller's sessions. Raises `NotFound`."""
        by.require("self.write")
        await self._end_session(by, id=session_id, user_id=by.user_id)

    async def revoke_any_session(self, by: Principal, session_id: int) -> None:
        """End anybody's session in the organization (a superadmin: in all). Raises `NotFound`."""
        by.require("users.admin")
        await self._end_session(by, id=session_id, **_within(by))

    async def revoke_other_sessions(self, by: Principal) -> int:
        """End all of the caller's sessions but the one that asks; how many."""
        by.require("self.write")
        async with self._ledger.change() as change:
            rows = self._open(user_id=by.user_id, id__not=by.credential_id)
            return await self._revoke_noted(change, by, list(await rows), "session.revoked")

    async def _end_session(self, by: Principal, **which: int) -> None:
        async with self._ledger.change() as change:
            rows = list(await self._open(**which))
            if not await self._revoke_noted(change, by, rows, "session.revoked"):
                raise NotFound("Session not found")

    def _open(self, **which: int) -> QuerySet[Credential]:
        return Credential.filter(
            kind=CredentialKind.SESSION,
            revoked_at=None,
            expires_at__gt=self._clock.now(),
            **which,
        )

    async def csrf_fits(self, by: Principal, token: str) -> bool:
        """Whether *token* is the CSRF token of the session that *by* came with."""
        sha256 = await self._credentials.csrf_sha256(by.credential_id)
        return sha256 is not None and hmac.compare_digest(sha256, keys.digest(token))

    async def _has_been_here(self, user: User, remote: str) -> bool:
        return await Credential.filter(
            user_id=user.id, kind=CredentialKind.SESSION, remote_address=remote
        ).exists()

    async def _note_failure(self, user: User | None, username: str, why: str) -> None:
        """Who fails is noted in their organization; an unknown name in the first one.

        People type passwords into the wrong field, so of an unknown name only a digest is kept.
        """
        where = user.organization_id if user else FIRST_ORGANIZATION
        nobody = replace(system(where), username="")
        entity = ("user", user.id) if user else ("", "")
        subject = user.username if user else f"sha256:{keys.digest(username)[:16]}"
        async with self._ledger.change() as change:
            change.note(nobody, "auth.login_failed", entity, subject=subject, reason=why)

    async def _open_session(self, change: Change, user: User, remote: str, agent: str) -> Login:
        now = self._clock.now()
        expires_at = now + timedelta(hours=self._settings.session_hours)
        await Credential.filter(
            user_id=user.id, kind=CredentialKind.SESSION, expires_at__lt=now - _KEEP_OLD_SESSIONS
        ).delete()
        csrf_token = keys.new_key()
        secret = self._session_tokens.make(user.username, user.role, expires_at)
        grant = Grant(
            user=user,
            kind=CredentialKind.SESSION,
            expires_at=expires_at,
            csrf_token=csrf_token,
            remote_address=remote,
            user_agent=agent,
            confirmed_at=now,
        )
        row = await self._credentials.add(change, secret, grant)
        assert row is not None, "two sessions cannot share a digest"
        return Login(
            token=secret,
            principal=await acting_through(row, user),
            csrf_token=csrf_token,
            expires_at=expires_at,
        )


def _within(by: Principal) -> dict[str, int]:
    """The filter for rows that the admin *by* may see."""
    return {} if by.is_superadmin else {"organization_id": by.organization_id}
