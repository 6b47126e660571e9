"""What every part of the room works with, and who may reach whom (v1 1.4; safety S15, S26)."""

from datetime import datetime, timedelta

from api.accounts import keys, passwords
from api.accounts.credentials import Credentials, Grant
from api.accounts.keys import CredentialKind, SessionTokens
from api.accounts.models import Credential, Organization, User
from api.accounts.passwords import Passwords
from api.accounts.throttle import LoginThrottle
from api.clock import Clock
from api.config import Settings
from api.errors import Conflict, Forbidden, NotFound
from api.events.service import Change, Ledger
from api.mail.service import Post
from api.principal import Principal

FIRST_ORGANIZATION = 1
#: How long after typing the password a session may do what is worth asking again for.
FRESH = timedelta(minutes=10)
_MAX_CREDENTIALS = 500  # tokens and keys of one person that are not revoked


class Office:
    """The furniture of the room; its parts are in the modules that `Accounts` is made of."""

    def __init__(
        self, ledger: Ledger, clock: Clock, settings: Settings, hasher: Passwords | None = None
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._settings = settings
        self._passwords = hasher or Passwords()
        self._credentials = Credentials(ledger, clock)
        self._throttle = LoginThrottle(ledger, clock)
        self.post = Post(ledger, clock, settings)
        self._session_tokens = SessionTokens(settings.data_dir.absolute(), settings.secret_key)

    async def user(self, by: Principal, user_id: int) -> User:
        """A person of the caller's organization; a superadmin's is every one. Raises `NotFound`."""
        found = await User.get_or_none(id=user_id)
        if found is None or not _same_house(by, found.organization_id):
            raise NotFound("User not found", code="user_not_found")
        return found

    async def require_fresh(self, by: Principal) -> None:
        """A session must have seen the password within `FRESH`; tokens and keys never saw one.

        Raises `Forbidden` (reauth_required).
        """
        if by.kind != CredentialKind.SESSION:
            return
        row = await Credential.get_or_none(id=by.credential_id)
        since = None if row is None else row.confirmed_at or row.created_at
        if since is None or self._clock.now() - since > FRESH:
            raise Forbidden(
                "This asks for the password again: POST /auth/reauthenticate, or log in again.",
                code="reauth_required",
            )

    async def check_new_password(self, password: str, username: str, organization_id: int) -> None:
        """Raises `Invalid` for a password against the rule (`passwords.check_rule`)."""
        farm = await Organization.get_or_none(id=organization_id)
        passwords.check_rule(password, username, farm.name if farm is not None else "")

    async def tell(self, change: Change, user: User, what: str) -> None:
        """A notice to *user*, as the row was before, of what *change* does with their account."""
        await self.post.put(change, "notice", user.email, what=what, username=user.username)

    async def _myself(self, by: Principal) -> User:
        return await self.user(by, by.user_id)

    async def _issue(self, change: Change, by: Principal, grant: Grant) -> tuple[Credential, str]:
        """A new secret within *change*, noted as an act of *by*."""
        live = Credential.filter(user_id=grant.user.id, revoked_at=None)
        if await live.exclude(kind=CredentialKind.SESSION).count() >= _MAX_CREDENTIALS:
            raise Conflict(f"{grant.user.username} has {_MAX_CREDENTIALS} keys: revoke some first.")
        make = keys.new_token if grant.kind is CredentialKind.TOKEN else keys.new_key
        row = None
        while row is None:  # the public prefix is short, so two can meet
            secret = make()
            row = await self._credentials.add(change, secret, grant)
        if grant.kind is not CredentialKind.WS_TICKET:
            change.note(
                by,
                f"{_NAME_OF.get(grant.kind, grant.kind)}_created",
                (grant.kind, row.id),
                name=grant.name,
                prefix=row.prefix,
                owner=grant.user.username,
                printer_id=grant.printer_id,
            )
        return row, secret

    async def _revoke_noted(
        self, change: Change, by: Principal, rows: list[Credential], action: str = ""
    ) -> int:
        """End *rows* within *change*; one entry each. How many were still valid."""
        ended = 0
        for row in rows:
            if not await self._credentials.revoke_in(change, id=row.id):
                continue
            ended += 1
            name = action or f"{_NAME_OF.get(row.kind, row.kind)}_revoked"
            facts = {"name": row.name} if row.name else {}
            change.note(by, name, (row.kind, row.id), owner_id=row.user_id, **facts)
        return ended


#: How v1's audit trail calls them.
_NAME_OF: dict[str, str] = {CredentialKind.TOKEN: "api_token"}


def _same_house(by: Principal, organization_id: int) -> bool:
    return by.is_superadmin or by.organization_id == organization_id


def expiry(now: datetime, days: int | None) -> datetime | None:
    """*days* from *now*; None for ever."""
    return None if days is None else now + timedelta(days=days)
