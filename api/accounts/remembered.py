"""Browsers that are remembered: a new session without the password (OctoPrint contract, 2).

A remember token opens one session and is replaced as it does; it never is a credential itself. It
ends with the session that it was given with, unless that ended by its age.
"""

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from api.accounts import keys
from api.accounts.credentials import Grant
from api.accounts.factor_rows import must_enrol
from api.accounts.keys import CredentialKind
from api.accounts.models import Credential, User
from api.accounts.sessions import Login, Sessions
from api.errors import NotAuthenticated
from api.events.service import Change
from api.principal import Principal

REMEMBERED_FOR = timedelta(days=90)
NEVER_CONFIRMED = datetime(1970, 1, 1, tzinfo=UTC)  # such a session has not seen the password


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembrance:
    """A remember token, shown this once, and when it ends."""

    token: str
    expires_at: datetime


class Remembered(Sessions):
    """Who comes back."""

    async def check_octoprint_limit(self, remote: str) -> None:
        """Raises `TooMany` (429) for an address with too many failed logins of late."""
        await self._throttle.check_octoprint(remote)

    async def remember(self, by: Principal, agent: str) -> Remembrance:
        """A token that opens a session like that of *by* later on. Raises `NotFound`."""
        by.require("self.write")
        user = await self._myself(by)
        async with self._ledger.change() as change:
            return await self._give(change, user, by.credential_id, agent)

    async def recall(self, token: str, remote: str, agent: str) -> tuple[Login, Remembrance]:
        """A session for the owner of *token*, which is used up, and the token that replaces it.

        The session counts as never confirmed by the password. Raises `NotAuthenticated`.
        """
        row = await self._remembering(token)
        user = await User.get_or_none(id=row.user_id, is_active=True)
        if user is None or await must_enrol(user):
            raise NotAuthenticated("Not authenticated")
        async with self._ledger.change() as change:
            now = self._clock.now()
            unused = Credential.filter(id=row.id, revoked_at=None)
            if not await unused.update(revoked_at=now, last_used_at=now):
                raise NotAuthenticated("Not authenticated")
            login = await self._open_session(change, user, remote, agent)
            session = Credential.filter(id=login.principal.credential_id)
            await session.update(confirmed_at=NEVER_CONFIRMED)
            again = await self._give(change, user, login.principal.credential_id, agent)
            change.note(login.principal, "auth.login", ("user", user.id), remembered=True)
        return login, again

    async def forget_browser(self, token: str) -> None:
        """End the remember token *token*, whoever's it is; what is none is no error."""
        try:
            row = await self._remembering(token)
        except NotAuthenticated:
            return
        await self._credentials.revoke(id=row.id)

    async def _remembering(self, token: str) -> Credential:
        if not keys.plausible(token):
            raise NotAuthenticated("Not authenticated")
        row = await Credential.get_or_none(
            prefix=keys.prefix_of(token),
            kind=CredentialKind.REMEMBER,
            revoked_at=None,
            expires_at__gt=self._clock.now(),
        )
        if row is None or not hmac.compare_digest(row.sha256, keys.digest(token)):
            raise NotAuthenticated("Not authenticated")
        return row

    async def _give(self, change: Change, user: User, session_id: int, agent: str) -> Remembrance:
        now = self._clock.now()
        old = Credential.filter(user_id=user.id, kind=CredentialKind.REMEMBER)
        await old.filter(expires_at__lt=now).delete()
        grant = Grant(
            user=user,
            kind=CredentialKind.REMEMBER,
            expires_at=now + REMEMBERED_FOR,
            user_agent=agent,
            parent_id=session_id,
        )
        row = None
        while row is None:  # the public prefix is short, so two can meet
            token = keys.new_key()
            row = await self._credentials.add(change, token, grant)
        return Remembrance(token=token, expires_at=now + REMEMBERED_FOR)
