"""The second factor: set up, confirmed, asked for at login, taken away (v1 2.1; safety S08, S14).

A code is taken once (its time step must be newer than that of the last one), wrong ones are counted
like wrong passwords, and recovery codes, shown once and kept as hashes, stand for it when the
device is lost. The secret is kept encrypted with a key that is not in the database.
"""

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from api.accounts import keys, totp
from api.accounts.directory import Directory, check_rank
from api.accounts.factor_rows import (
    REQUIRED,
    confirmed_factor,
    forget_second_factor,
    is_required,
    without_factor,
)
from api.accounts.keys import CredentialKind
from api.accounts.models import Organization, RecoveryCode, SecondFactor, User
from api.accounts.sessions import NOTHING, CameWith, Login
from api.errors import Conflict, Forbidden, Invalid, NotAuthenticated, NotFound
from api.events.service import Change
from api.principal import Principal

RECOVERY_CODES = 10
_RECOVERY_BYTES = 10  # 80 bits, 16 characters


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFactor:
    """What an authenticator app needs; shown this once."""

    secret: str
    provisioning_uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """The recovery codes, shown this once; *login* for who came only to set the factor up."""

    recovery_codes: list[str]
    login: Login | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorState:
    """Whether a person is asked for a second factor, and how many recovery codes are left."""

    is_enabled: bool
    recovery_codes_left: int


class SecondFactors(Directory):
    """What people prove themselves with beside the password."""

    async def second_factor(self, by: Principal) -> FactorState:
        """Of the caller."""
        by.require("self.read")
        enabled = await confirmed_factor(by.user_id) is not None
        left = await RecoveryCode.filter(user_id=by.user_id, used_at=None).count()
        return FactorState(is_enabled=enabled, recovery_codes_left=left)

    async def set_up_second_factor(self, by: Principal) -> NewFactor:
        """A new secret for the caller; it is asked for after `confirm_second_factor` only.

        Raises `Conflict` when there is one already, `Forbidden` (reauth_required) for a session
        that is not fresh, and for what is no session.
        """
        await self._require_person(by, "factor.enrol")
        user = await self._myself(by)
        secret = totp.new_secret()
        async with self._ledger.change():
            if await confirmed_factor(user.id) is not None:
                raise Conflict("There is a second factor already: take it away first.")
            await SecondFactor.filter(user_id=user.id).delete()
            await SecondFactor.create(
                user_id=user.id,
                sealed=self._session_tokens.seal(secret),
                created_at=self._clock.now(),
            )
        uri = totp.provisioning_uri(secret, user.username)
        return NewFactor(secret=secret, provisioning_uri=uri)

    async def confirm_second_factor(
        self, by: Principal, code: str, remote: str, agent: str = "", came_with: CameWith = NOTHING
    ) -> Confirmed:
        """From now on the caller is asked for it; every other session of theirs ends.

        Who came only to set it up gets a session. Raises `Invalid` without
        `set_up_second_factor`, `Forbidden` (wrong_code), `TooMany`.
        """
        await self._require_person(by, "factor.enrol")
        user = await self._myself(by)
        pending = SecondFactor.filter(user_id=user.id, confirmed_at=None)
        if not await pending.exists():
            raise Invalid("There is no second factor to confirm: POST /auth/mfa/setup first.")
        attempt = await self._begin(user, remote, known=False)
        codes, login = [_new_recovery_code() for _ in range(RECOVERY_CODES)], None
        async with self._ledger.change() as change:
            fits = await self._spend_code(change, user, code)
            if fits:
                if not await pending.update(confirmed_at=self._clock.now()):
                    raise Conflict("Somebody else has confirmed it at this moment.")
                await self._confirmed(change, by, user, codes)
                if by.kind == CredentialKind.ENROLMENT:
                    login = await self._let_in(change, user, remote, agent, came_with)
        await self._decide(user, attempt, fits=fits)
        return Confirmed(recovery_codes=codes, login=login)

    async def _confirmed(
        self, change: Change, by: Principal, user: User, codes: Sequence[str]
    ) -> None:
        """It is asked for from now on: whoever came in without it is out."""
        await RecoveryCode.filter(user_id=user.id).delete()
        await RecoveryCode.bulk_create(
            [RecoveryCode(user_id=user.id, sha256=_digest(one)) for one in codes]
        )
        kept = by.credential_id if by.kind == CredentialKind.SESSION else 0
        await self._credentials.end_ways_in(change, user.id, but=kept)
        change.note(by, "user.mfa_enabled", ("user", user.id))
        await self.tell(change, user, "mfa_on")

    async def remove_second_factor(self, by: Principal, code: str, remote: str) -> None:
        """The caller is asked for nothing but the password again, for one last code.

        Raises `NotFound` without one, `Conflict` where one is required, `Forbidden` (wrong_code,
        reauth_required), `TooMany`.
        """
        await self._require_person(by, "self.write")
        user = await self._myself(by)
        if await confirmed_factor(user.id) is None:
            raise NotFound("There is no second factor.")
        if await is_required(user.organization_id):
            raise Conflict(
                "This farm requires a second factor: an admin takes the rule back with "
                "PUT /config/require-mfa, or yours away when its device is lost."
            )
        attempt = await self._begin(user, remote, known=False)
        async with self._ledger.change() as change:
            fits = await self._spend_code(change, user, code)
            if fits:
                await forget_second_factor(user.id)
                change.note(by, "user.mfa_disabled", ("user", user.id))
                await self.tell(change, user, "mfa_off")
        await self._decide(user, attempt, fits=fits)

    async def remove_second_factor_of(self, by: Principal, user_id: int, remote: str) -> None:
        """An admin takes away the second factor of somebody who lost theirs.

        Their sessions end. Raises `NotFound`, `Forbidden` (oneself, reauth_required).
        """
        by.require("users.admin")
        user = await self.user(by, user_id)
        check_rank(by, user)
        if user.id == by.user_id:
            raise Forbidden("Your own second factor ends with one of its codes: DELETE /auth/mfa.")
        await self._confirm(by, user, None, remote)
        async with self._ledger.change() as change:
            if not await forget_second_factor(user.id):
                raise NotFound("This person has no second factor.")
            await self._credentials.end_ways_in(change, user.id)
            change.note(by, "user.mfa_disabled", ("user", user.id))
            await self.tell(change, user, "mfa_off")

    async def finish_login(
        self, ticket: str, code: str, remote: str, agent: str, came_with: CameWith = NOTHING
    ) -> Login:
        """The session for a `SecondFactorAsked.ticket` and a code. Raises `NotAuthenticated`,
        the same for every reason, or `TooMany`.
        """
        row = await self._credentials.take_once(CredentialKind.HALF_LOGIN, ticket)
        user = await User.get_or_none(id=row.user_id)
        if user is None:
            raise NotAuthenticated("Not authenticated")
        place, known = await self._place_of(user, remote, came_with)
        attempt = await self._begin(user, place, known=known)
        async with self._ledger.change() as change:
            fits = await self._spend_code(change, user, code)
            if fits:
                await self._credentials.spend(change, row)
                login = await self._let_in(change, user, remote, agent, came_with)
        if not fits:
            await self._note_failure(user, user.username, "wrong code of the second factor")
            raise NotAuthenticated("Invalid code")
        await self._throttle.succeeded(attempt)
        return login

    async def _spend_code(self, change: Change, user: User, code: str) -> bool:
        """Whether *code* is good; it never is again."""
        del change  # proof that a transaction is open
        factor = await SecondFactor.get_or_none(user_id=user.id)
        if factor is None:
            return False
        typed = "".join(code.split())
        now = self._clock.now()
        secret = self._session_tokens.unseal(factor.sealed)
        step = None if secret is None else totp.step_of(secret, typed, now, factor.last_step)
        if step is not None:
            rows = SecondFactor.filter(id=factor.id, last_step__lt=step)
            return bool(await rows.update(last_step=step))
        unused = RecoveryCode.filter(user_id=user.id, sha256=_digest(typed), used_at=None)
        return bool(await unused.update(used_at=now))

    async def _begin(self, user: User, place: str, *, known: bool) -> int:
        """Count a code before it is looked at. Raises `TooMany`."""
        subject = f"the second factor of user {user.id}"
        return await self._throttle.begin(subject, place, known_device=known)

    async def _decide(self, user: User, attempt: int, *, fits: bool) -> None:
        if not fits:
            await self._note_failure(user, user.username, "wrong code of the second factor")
            raise Forbidden("This code is wrong, or was used before.", code="wrong_code")
        await self._throttle.succeeded(attempt)

    async def _require_person(self, by: Principal, right: str) -> None:
        """A program that found a token must not lock its owner out. Raises `Forbidden`."""
        by.require(right)
        if by.kind not in (CredentialKind.SESSION, CredentialKind.ENROLMENT):
            raise Forbidden(
                "A second factor is handled in a session: log in with the password.",
                code="reauth_required",
            )
        await self.require_fresh(by)

    # The rule

    async def second_factor_required(self, by: Principal) -> bool:
        """Whether the people of the caller's organization log in with a second factor only."""
        by.require("users.admin")
        return await is_required(by.organization_id)

    async def require_second_factor(self, by: Principal, *, required: bool) -> None:
        """Set that; sessions of those without one end, but for the one that asks.

        Keys of programs stay as they are. Raises `Forbidden` (reauth_required).
        """
        by.require("users.admin")
        await self.require_fresh(by)
        async with self._ledger.change() as change:
            farm = await Organization.get(id=by.organization_id)
            was, now = bool(farm.settings.get(REQUIRED)), self._clock.now()
            kept = {**farm.settings, REQUIRED: required}
            await Organization.filter(id=farm.id).update(settings=kept, updated_at=now)
            if required and not was:
                for user_id in await without_factor(farm.id):
                    await self._credentials.end_ways_in(change, user_id, but=by.credential_id)
            entity = ("organization", farm.id)
            change.note(by, "config.require_mfa_updated", entity, required=required)


def _new_recovery_code() -> str:
    text = base64.b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode().lower()
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))


def _digest(code: str) -> str:
    """What is kept of a recovery code, however it is typed."""
    return keys.digest(code.replace("-", "").lower())
