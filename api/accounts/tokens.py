"""API tokens, keys of printers, a person's own OctoPrint key, and keys of apps (v1 1.3).

A second grant to the same app adds a key, and revoking the app ends all of them. Nothing is ever
read back: lists show that a key exists.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tortoise.queryset import QuerySet

from api.accounts import keys
from api.accounts.credentials import Grant
from api.accounts.keys import CredentialKind
from api.accounts.models import Credential, User
from api.accounts.office import Office, expiry
from api.accounts.people import checked_label, scopes_for
from api.errors import Forbidden, Invalid, NotFound
from api.events.service import Change
from api.principal import Principal, Role

MAX_EXPIRES_DAYS = 3650


@dataclass(frozen=True, slots=True, kw_only=True)
class AppKey:
    """A key that a person has given to an app. *prefix*: its public beginning."""

    id: int
    app: str
    user_id: int
    username: str
    prefix: str
    created_at: datetime


class Tokens(Office):
    """What programs prove themselves with."""

    async def create_token(
        self, by: Principal, name: str, scopes: Sequence[str], expires_days: int | None
    ) -> tuple[Credential, str]:
        """A token that acts as the caller, and its secret, which is never shown again.

        Raises `Invalid` for an unknown scope or a bad name or life, `Forbidden` for more than the
        caller has, or for a session that is not fresh.
        """
        by.require("self.write")
        wanted = scopes_for(by, scopes)
        label = checked_label(name, "A token")
        if expires_days is not None and not 1 <= expires_days <= MAX_EXPIRES_DAYS:
            raise Invalid(f"expires_days takes 1 to {MAX_EXPIRES_DAYS}, or nothing for ever.")
        await self.require_fresh(by)
        grant = Grant(
            user=await self._myself(by),
            kind=CredentialKind.TOKEN,
            name=label,
            scopes=wanted,
            expires_at=expiry(self._clock.now(), expires_days),
        )
        async with self._ledger.change() as change:
            return await self._issue(change, by, grant)

    async def list_tokens(self, by: Principal) -> list[Credential]:
        """The caller's API tokens that are not revoked, oldest first."""
        by.require("self.read")
        rows = Credential.filter(user_id=by.user_id, kind=CredentialKind.TOKEN, revoked_at=None)
        return list(await rows.order_by("id"))

    async def revoke_token(self, by: Principal, token_id: int) -> None:
        """Revoke the caller's own token; an admin any of the organization. Raises `NotFound`."""
        by.require("self.write")
        rows = Credential.filter(id=token_id, kind=CredentialKind.TOKEN, revoked_at=None)
        if not by.may("users.admin"):
            rows = rows.filter(user_id=by.user_id)
        elif not by.is_superadmin:
            rows = rows.filter(organization_id=by.organization_id)
        async with self._ledger.change() as change:
            if not await self._revoke_noted(change, by, list(await rows)):
                raise NotFound("Token not found")

    async def create_octoprint_key(self, by: Principal, printer_id: int | None, name: str) -> str:
        """A key for OctoPrint clients that acts as the caller, limited to *printer_id* if given.

        The caller has checked that the printer is theirs. Shown this once. Raises `Forbidden`.
        """
        by.require("self.write")
        await self.require_fresh(by)
        grant = Grant(
            user=await self._myself(by),
            kind=CredentialKind.OCTOPRINT_KEY,
            name=name[:100],
            scopes=by.scopes,
            printer_id=printer_id,
        )
        async with self._ledger.change() as change:
            _, secret = await self._issue(change, by, grant)
        return secret

    async def revoke_printer_keys(self, change: Change, printer_id: int) -> int:
        """The keys that are bound to this printer die with it; how many there were."""
        return await self._credentials.revoke_in(change, printer_id=printer_id)

    # A person's own key

    async def generate_user_key(self, by: Principal, user_id: int) -> str:
        """A new OctoPrint key for this person, in place of the old one; shown this once.

        People make their own; an admin makes one for a person of lower or equal reach. Raises
        `NotFound`, `Forbidden`.
        """
        user = await self._acts_as(by, user_id)
        scopes = by.scopes if user.id == by.user_id else frozenset[str]()
        grant = Grant(user=user, kind=CredentialKind.USER_KEY, scopes=scopes)
        async with self._ledger.change() as change:
            await self._revoke_noted(change, by, await _keys_of(user.id))
            _, secret = await self._issue(change, by, grant)
        return secret

    async def revoke_user_key(self, by: Principal, user_id: int) -> bool:
        """End this person's own OctoPrint key; False when there was none. Raises like above."""
        user = await self._whose(by, user_id)
        async with self._ledger.change() as change:
            return bool(await self._revoke_noted(change, by, await _keys_of(user.id)))

    async def has_user_key(self, user_id: int) -> bool:
        """Whether this person has a key of their own."""
        return bool(await _keys_of(user_id))

    async def with_user_key(self, user_ids: Sequence[int]) -> set[int]:
        """Those of *user_ids* that have a key of their own, with one query."""
        rows = Credential.filter(
            user_id__in=user_ids, kind=CredentialKind.USER_KEY, revoked_at=None
        )
        return {row.user_id for row in await rows.only("user_id")}

    # Apps

    async def add_app_key(
        self,
        by: Principal,
        app: str,
        printer_id: int | None = None,
        *,
        user_id: int | None = None,
    ) -> str:
        """A key for *app* that acts as the caller (or, made by an admin, as *user_id*).

        It never reaches further than the caller: not beyond *printer_id* if given, nor their own
        key's printer and scopes. Shown this once. Raises `Invalid`, `NotFound`, `Forbidden`.
        """
        name = checked_label(app, "An app")
        user = await self._acts_as(by, user_id or by.user_id)
        grant = Grant(
            user=user,
            kind=CredentialKind.APP_KEY,
            name=name,
            scopes=by.scopes,
            printer_id=printer_id,
        )
        async with self._ledger.change() as change:
            _, secret = await self._issue(change, by, grant)
        return secret

    async def app_keys(self, by: Principal, everybody: bool = False) -> list[AppKey]:
        """The caller's keys of apps, oldest first; with *everybody* those of the organization.

        Raises `Forbidden`.
        """
        by.require("users.admin" if everybody else "self.read")
        rows = Credential.filter(kind=CredentialKind.APP_KEY, revoked_at=None)
        mine = {"organization_id": by.organization_id} if everybody else {"user_id": by.user_id}
        found = await rows.filter(**mine).order_by("id")
        ids = {row.user_id for row in found}
        names = {user.id: user.username for user in await User.filter(id__in=ids)}
        return [
            AppKey(
                id=row.id,
                app=row.name,
                user_id=row.user_id,
                username=names.get(row.user_id, ""),
                prefix=row.prefix,
                created_at=row.created_at,
            )
            for row in found
        ]

    async def revoke_app(self, by: Principal, app: str, user_id: int | None = None) -> int:
        """End all keys of *app* (in any case) of the caller or, by an admin, of *user_id*.

        How many there were. Raises `NotFound` for an unknown person, `Forbidden`.
        """
        user = await self._whose(by, user_id or by.user_id)
        wanted = app.strip().casefold()
        async with self._ledger.change() as change:
            rows = await _live(CredentialKind.APP_KEY).filter(user_id=user.id)
            ours = [row for row in rows if row.name.casefold() == wanted]
            return await self._revoke_noted(change, by, ours)

    async def revoke_app_key(self, by: Principal, secret: str) -> bool:
        """End the app's key *secret*, the caller's own or, for an admin, one of the organization's.

        False when there is none.
        """
        by.require("self.write")
        digest = keys.digest(secret)
        rows = _live(CredentialKind.APP_KEY).filter(prefix=keys.prefix_of(secret), sha256=digest)
        rows = rows.filter(organization_id=by.organization_id)
        if not by.may("users.admin"):
            rows = rows.filter(user_id=by.user_id)
        async with self._ledger.change() as change:
            return bool(await self._revoke_noted(change, by, list(await rows)))

    async def _whose(self, by: Principal, user_id: int) -> User:
        """The person whose keys *by* handles: themselves, or as admin others of no more reach."""
        by.require("self.write")
        if user_id != by.user_id:
            by.require("users.admin")
        user = await self.user(by, user_id)
        if user.is_superadmin and not by.is_superadmin:
            raise Forbidden("Only a superadmin handles a superadmin's keys.")
        return user

    async def _acts_as(self, by: Principal, user_id: int) -> User:
        """The person as whom a key made by *by* may act. Raises like `_whose`."""
        user = await self._whose(by, user_id)
        if user.id != by.user_id and user.role == Role.ADMIN and not by.is_superadmin:
            raise Forbidden("An admin's keys are made by that admin.")
        await self.require_fresh(by)
        return user


def _live(kind: CredentialKind) -> QuerySet[Credential]:
    return Credential.filter(kind=kind, revoked_at=None)


async def _keys_of(user_id: int) -> list[Credential]:
    return list(await _live(CredentialKind.USER_KEY).filter(user_id=user_id))
