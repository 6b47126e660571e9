"""Devices that open sessions by themselves, behind a face or a finger (v1 2.1).

The device keeps a token that only it is good for; the server keeps its SHA-256. It opens sessions
that count as never confirmed by the password, until it ends, is revoked, or the password changes.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

from api.accounts import keys
from api.accounts.credentials import Grant
from api.accounts.factor_rows import must_enrol
from api.accounts.keys import CredentialKind
from api.accounts.models import Credential, User
from api.accounts.remembered import NEVER_CONFIRMED
from api.accounts.sessions import Login, Sessions
from api.errors import Forbidden, Invalid, NotAuthenticated
from api.principal import Principal

DEVICE_LIFE = timedelta(days=30)
MAX_DEVICES = 20  # of one person; the oldest goes


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceToken:
    """What a device keeps; shown this once."""

    token: str
    device_id: str
    expires_at: datetime


class Devices(Sessions):
    """Phones that are known."""

    async def trust_device(self, by: Principal, device_id: str, agent: str) -> DeviceToken:
        """A token by which this device opens sessions of the caller; an older one of it ends.

        Raises `Invalid`, `Forbidden` (reauth_required) for what is no session.
        """
        by.require("self.write")
        if by.kind != CredentialKind.SESSION:
            raise Forbidden("A device is made known by who is logged in.", code="reauth_required")
        if not device_id.strip() or not device_id.isprintable():
            raise Invalid("device_id names the device, in printable characters.")
        now, user = self._clock.now(), await self._myself(by)
        token = keys.new_key()
        grant = Grant(
            user=user,
            kind=CredentialKind.DEVICE,
            name=device_id,
            expires_at=now + DEVICE_LIFE,
            user_agent=agent,
        )
        async with self._ledger.change() as change:
            await self._credentials.revoke_in(change, **_device(by.user_id, device_id))
            mine = Credential.filter(user_id=user.id, kind=CredentialKind.DEVICE)
            await mine.filter(expires_at__lt=now).delete()
            live = await mine.filter(revoked_at=None).order_by("-id").offset(MAX_DEVICES - 1)
            await self._credentials.revoke_in(change, id__in=[row.id for row in live])
            while (row := await self._credentials.add(change, token, grant)) is None:
                token = keys.new_key()  # the public prefix is short, so two can meet
            change.note(by, "device.trusted", ("device", row.id), name=device_id)
        return DeviceToken(token=token, device_id=device_id, expires_at=now + DEVICE_LIFE)

    async def forget_device(self, by: Principal, device_id: str) -> None:
        """This device opens nothing any more; one that is not known is no error."""
        by.require("self.write")
        async with self._ledger.change() as change:
            if await self._credentials.revoke_in(change, **_device(by.user_id, device_id)):
                change.note(by, "device.forgotten", ("device", ""), name=device_id)

    async def enter_by_device(self, token: str, device_id: str, remote: str, agent: str) -> Login:
        """A session for the owner of *token*, on the device that it was made for.

        Raises `NotAuthenticated`, the same for every reason.
        """
        row = await self._device_row(token, device_id)
        user = await User.get_or_none(id=row.user_id, is_active=True)
        if user is None or await must_enrol(user):
            raise NotAuthenticated("Not authenticated")
        async with self._ledger.change() as change:
            alive = Credential.filter(id=row.id, revoked_at=None)
            if not await alive.update(last_used_at=self._clock.now()):
                raise NotAuthenticated("Not authenticated")
            login = await self._open_session(change, user, remote, agent)
            session = Credential.filter(id=login.principal.credential_id)
            await session.update(confirmed_at=NEVER_CONFIRMED)
            change.note(login.principal, "auth.login", ("user", user.id), device=device_id)
        return login

    async def _device_row(self, token: str, device_id: str) -> Credential:
        row = await self._credentials.take_once(CredentialKind.DEVICE, token)
        if not hmac.compare_digest(row.name.encode(), device_id.encode("utf-8", "replace")):
            raise NotAuthenticated("Not authenticated")
        return row


def _device(user_id: int, device_id: str) -> dict[str, object]:
    return {"user_id": user_id, "kind": CredentialKind.DEVICE, "name": device_id}
