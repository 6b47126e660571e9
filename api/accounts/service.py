"""People and what they prove themselves with: set-up, login, sessions, tokens, keys (v1 1.1-1.4).

The front door of the room. `authenticate` is what both faces ask; everything else authorises the
principal that it is given.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from tortoise.exceptions import IntegrityError

from api.accounts import keys, passwords
from api.accounts.credentials import Credentials, Grant, principal_of
from api.accounts.keys import CredentialKind, SessionTokens
from api.accounts.models import Credential, Organization, User
from api.accounts.passwords import Passwords
from api.accounts.people import MAX_USERNAME, NewUser, checked_email, checked_username, scopes_for
from api.accounts.throttle import LoginThrottle
from api.clock import Clock
from api.config import Settings
from api.errors import Forbidden, Invalid, NotAuthenticated, NotFound
from api.events.service import Change, Happened, Ledger
from api.principal import Principal, Role

FIRST_ORGANIZATION = 1
MAX_EXPIRES_DAYS = 3650
_KEEP_OLD_SESSIONS = timedelta(days=30)  # so that a device stays known for a while


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """A session just opened. *token* is shown this once; *csrf_token* belongs to its cookie."""

    token: str
    principal: Principal
    csrf_token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupState:
    """How far the first hour has come."""

    has_users: bool
    is_complete: bool


class Accounts:
    """Who is who."""

    def __init__(
        self, ledger: Ledger, clock: Clock, settings: Settings, hasher: Passwords | None = None
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._session_life = timedelta(hours=settings.session_hours)
        self._passwords = hasher or Passwords()
        self._credentials = Credentials(ledger, clock)
        self._throttle = LoginThrottle(ledger, clock)
        self._session_tokens = SessionTokens(settings.data_dir.absolute())

    # Set-up

    async def setup_needed(self) -> bool:
        """True until the first admin is made."""
        return not await User.exists()

    async def setup_state(self) -> SetupState:
        """Whether there are people, and whether the set-up was declared complete."""
        farm = await Organization.get_or_none(id=FIRST_ORGANIZATION)
        completed = farm is not None and farm.completed_at is not None
        return SetupState(has_users=await User.exists(), is_complete=completed)

    async def setup(self, username: str, email: str, password: str, remote: str) -> Login:
        """Make the first admin and log them in. Works exactly once, however many try at a time.

        Raises `Invalid`, or `Forbidden` (setup_complete) when somebody was first.
        """
        username, email = checked_username(username), checked_email(email)
        passwords.check_rule(password)
        if not await self.setup_needed():
            raise _already_set_up()
        password_hash = await self._passwords.hash(password)
        async with self._ledger.change() as change:
            await self._claim_setup()
            user = await User.create(
                organization_id=FIRST_ORGANIZATION,
                username=username,
                email=email,
                password_hash=password_hash,
                role=Role.ADMIN,
                is_superadmin=True,
                created_at=self._clock.now(),
            )
            change.record(_happened(user, "user.created", {"username": username}))
            return await self._open_session(change, user, remote, "")

    async def complete_setup(self, by: Principal) -> None:
        """Declare the set-up complete. Raises `Forbidden` (setup_complete) the second time."""
        by.require("users.admin")
        async with self._ledger.change():
            farm = Organization.filter(id=FIRST_ORGANIZATION, completed_at=None)
            if not await farm.update(completed_at=self._clock.now()):
                raise _already_set_up()

    async def _claim_setup(self) -> None:
        """Only one of many may go on, on every database: the conditional update decides."""
        now = self._clock.now()
        try:
            if not await Organization.filter(id=FIRST_ORGANIZATION).exists():
                await Organization.create(id=FIRST_ORGANIZATION, name="Farm", created_at=now)
        except IntegrityError:
            raise _already_set_up() from None
        claimed = await Organization.filter(id=FIRST_ORGANIZATION, set_up_at=None).update(
            set_up_at=now
        )
        if not claimed or await User.exists():
            raise _already_set_up()

    # Sessions

    async def login(self, username: str, password: str, remote: str, agent: str) -> Login:
        """Open a session. Raises `NotAuthenticated`, or `TooMany` after too many failures.

        An unknown name takes as long, and reads the same, as a wrong password.
        """
        possible = len(username) <= MAX_USERNAME  # a row cannot even be asked for a longer one
        user = await User.get_or_none(username=username) if possible else None
        known = user is not None and await self._has_been_here(user, remote)
        attempt = await self._throttle.begin(username, remote, known_device=known)
        fits = await self._passwords.fits(password, user.password_hash if user else None)
        if user is None or not fits:
            raise NotAuthenticated("Invalid credentials")
        await self._throttle.succeeded(attempt)
        if not user.is_active:
            raise NotAuthenticated("Account disabled")
        async with self._ledger.change() as change:
            now = self._clock.now()
            await User.filter(id=user.id).update(last_login_at=now)
            change.record(_happened(user, "auth.login", {"remote_address": remote}))
            return await self._open_session(change, user, remote, agent)

    async def logout(self, by: Principal) -> None:
        """End the session that asks; a token or key stays what it is."""
        if by.kind == CredentialKind.SESSION:
            await self._credentials.revoke(id=by.credential_id)

    async def authenticate(self, secret: str) -> Principal:
        """The owner of a session's token, API token or key. Raises `NotAuthenticated`."""
        return await self._credentials.authenticate(secret)

    async def list_sessions(self, by: Principal) -> list[Credential]:
        """The caller's open sessions, newest first."""
        by.require("self.read")
        rows = await Credential.filter(
            user_id=by.user_id,
            kind=CredentialKind.SESSION,
            revoked_at=None,
            expires_at__gt=self._clock.now(),
        ).order_by("-id")
        return list(rows)

    async def revoke_session(self, by: Principal, session_id: int) -> None:
        """End one of the caller's sessions. Raises `NotFound`."""
        by.require("self.write")
        if not await self._credentials.revoke(
            id=session_id, user_id=by.user_id, kind=CredentialKind.SESSION
        ):
            raise NotFound("Session not found")

    async def revoke_other_sessions(self, by: Principal) -> int:
        """End all of the caller's sessions but the one that asks; how many."""
        by.require("self.write")
        return await self._credentials.revoke(
            user_id=by.user_id, kind=CredentialKind.SESSION, id__not=by.credential_id
        )

    def push_ticket(self, by: Principal) -> str:
        """What opens the push of the OctoPrint face as *by*, and nothing else.

        It says which credential it stands for, so it dies with that.
        """
        return self._session_tokens.ticket(by.credential_id)

    async def csrf_fits(self, by: Principal, token: str) -> bool:
        """Whether *token* is the CSRF token of the session that *by* came with."""
        row = await Credential.get_or_none(id=by.credential_id, kind=CredentialKind.SESSION)
        return row is not None and hmac.compare_digest(row.csrf_sha256, keys.digest(token))

    async def _has_been_here(self, user: User, remote: str) -> bool:
        return await Credential.filter(
            user_id=user.id, kind=CredentialKind.SESSION, remote_address=remote
        ).exists()

    async def _open_session(self, change: Change, user: User, remote: str, agent: str) -> Login:
        now = self._clock.now()
        expires_at = now + self._session_life
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
        )
        row = await self._credentials.add(change, secret, grant)
        assert row is not None, "two sessions cannot share a digest"
        return Login(
            token=secret,
            principal=principal_of(user, row),
            csrf_token=csrf_token,
            expires_at=expires_at,
        )

    # Tokens and keys

    async def create_token(
        self, by: Principal, name: str, scopes: Sequence[str], expires_days: int | None
    ) -> tuple[Credential, str]:
        """A token that acts as the caller, and its secret, which is never shown again.

        Raises `Invalid` for an unknown scope or a bad name or life, `Forbidden` for more than the
        caller has.
        """
        by.require("self.write")
        wanted = scopes_for(by, scopes)
        if not name.strip() or len(name) > 100:
            raise Invalid("A token needs a name of 1 to 100 characters.")
        expires_at = None
        if expires_days is not None:
            if not 1 <= expires_days <= MAX_EXPIRES_DAYS:
                raise Invalid(f"expires_days takes 1 to {MAX_EXPIRES_DAYS}, or nothing for ever.")
            expires_at = self._clock.now() + timedelta(days=expires_days)
        grant = Grant(
            user=await self._myself(by),
            kind=CredentialKind.TOKEN,
            name=name.strip(),
            scopes=wanted,
            expires_at=expires_at,
        )
        return await self._issue(grant)

    async def list_tokens(self, by: Principal) -> list[Credential]:
        """The caller's API tokens that are not revoked, oldest first."""
        by.require("self.read")
        rows = Credential.filter(user_id=by.user_id, kind=CredentialKind.TOKEN, revoked_at=None)
        return list(await rows.order_by("id"))

    async def revoke_token(self, by: Principal, token_id: int) -> None:
        """Revoke the caller's own token; an admin any of the organization. Raises `NotFound`."""
        by.require("self.write")
        which = {"id": token_id, "kind": CredentialKind.TOKEN}
        if by.may("users.admin"):
            ended = await self._credentials.revoke(organization_id=by.organization_id, **which)
        else:
            ended = await self._credentials.revoke(user_id=by.user_id, **which)
        if not ended:
            raise NotFound("Token not found")

    async def create_octoprint_key(self, by: Principal, printer_id: int | None, name: str) -> str:
        """A key for OctoPrint clients that acts as the caller, limited to *printer_id* if given.

        The caller has checked that the printer is theirs. Shown this once. Raises `Forbidden`.
        """
        by.require("self.write")
        grant = Grant(
            user=await self._myself(by),
            kind=CredentialKind.OCTOPRINT_KEY,
            name=name[:100],
            scopes=by.scopes,
            printer_id=printer_id,
        )
        _, secret = await self._issue(grant)
        return secret

    async def revoke_printer_keys(self, change: Change, printer_id: int) -> int:
        """The keys that are bound to this printer die with it; how many there were."""
        return await self._credentials.revoke_in(change, printer_id=printer_id)

    async def _issue(self, grant: Grant) -> tuple[Credential, str]:
        make = keys.new_token if grant.kind is CredentialKind.TOKEN else keys.new_key
        async with self._ledger.change() as change:
            row = None
            while row is None:  # the public prefix is short, so two can meet
                secret = make()
                row = await self._credentials.add(change, secret, grant)
            facts = {"name": grant.name, "prefix": row.prefix}
            change.record(_happened(grant.user, f"{grant.kind}.created", facts))
        return row, secret

    # People

    async def user(self, by: Principal, user_id: int) -> User:
        """A person of the caller's organization. Raises `NotFound`."""
        found = await User.get_or_none(id=user_id, organization_id=by.organization_id)
        if found is None:
            raise NotFound("User not found", code="user_not_found")
        return found

    async def users(self, by: Principal, skip: int, limit: int) -> tuple[list[User], int]:
        """People of the caller's organization, and how many there are."""
        by.require("users.admin")
        rows = User.filter(organization_id=by.organization_id)
        return list(await rows.order_by("id").offset(skip).limit(limit)), await rows.count()

    async def create_user(self, by: Principal, new: NewUser) -> User:
        """Add a person to the caller's organization. Raises `Invalid`."""
        by.require("users.admin")
        username, email = checked_username(new.username), checked_email(new.email)
        passwords.check_length(new.password)
        password_hash = await self._passwords.hash(new.password)
        async with self._ledger.change() as change:
            if await User.filter(username=username).exists():
                raise Invalid(f"The user name {username!r} is taken.", code="name_taken")
            user = await User.create(
                organization_id=by.organization_id,
                username=username,
                email=email,
                password_hash=password_hash,
                role=new.role,
                created_at=self._clock.now(),
            )
            change.record(_happened(user, "user.created", {"username": username}))
        return user

    async def _myself(self, by: Principal) -> User:
        return await self.user(by, by.user_id)


def _already_set_up() -> Forbidden:
    return Forbidden("Setup already completed", code="setup_complete")


def _happened(user: User, kind: str, data: dict[str, str]) -> Happened:
    return Happened(user.organization_id, kind, user_id=user.id, data=data)
