"""Pairing: how a bridge comes in, by a person's approval or by an enrolment token.

Room link contract, "Identity"; RFC 8628 (device authorization grant) with a proof of key in place
of a client secret. A code lives ten minutes, is approved by one admin, and is spent by the agent
that proves the key it asked with. Guessing is bounded (safety S57).
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tortoise.expressions import F

from api.bridges.keys import canonical_key, digest, fingerprint, proves
from api.bridges.service import Bridge, Bridges
from api.clock import Clock
from api.errors import Conflict, Forbidden, Invalid, NotFound, Problem, TooMany
from api.events.service import Change, Happened, Ledger
from api.pairing.codes import new_user_code, typed
from api.pairing.models import EnrolmentToken, PairingRequest, PairingTry
from api.pairing.tries import Tries
from api.principal import Principal, system

__all__ = ["Asking", "EnrolmentToken", "Pairing", "PairingRequest", "Started"]

CODE_S = 600
INTERVAL_S = 2
TOO_FAST_S = 1.0  # a poll sooner than this after the last one is told to slow down
MAX_OPEN = 1000  # codes that wait at the same time, over all addresses
MAX_BAD_PROOFS = 5
MAX_ENROLMENT_HOURS = 24 * 90
MAX_ENROLMENT_USES = 1000

_Tokens = list[EnrolmentToken]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What an agent says of itself; only *public_key* is ever proven."""

    public_key: str
    room: str
    hostname: str = ""
    os: str = ""
    agent_version: str = ""


@dataclass(frozen=True, slots=True)
class Started:
    """A pairing that waits for approval; *device_code* is the agent's secret."""

    device_code: str
    user_code: str
    fingerprint: str


class Pairing:
    """The door for new bridges."""

    def __init__(self, bridges: Bridges, ledger: Ledger, clock: Clock) -> None:
        self._bridges = bridges
        self._ledger = ledger
        self._clock = clock
        minute = timedelta(minutes=1)  # by address
        self._starts = Tries("start", 30, minute, ledger=ledger, clock=clock)
        self._guesses = Tries("guess", 10, minute, ledger=ledger, clock=clock)

    # The agent's side.

    async def begin(self, asking: Asking, remote: str) -> Started:
        """A fresh code for this key; an older one of the same key is void.

        Raises `Invalid` for what is no key, `TooMany`.
        """
        key = _key(asking)
        now, device_code, user_code = self._clock.now(), secrets.token_urlsafe(32), new_user_code()
        async with self._ledger.change():
            await self._starts.begin_in(remote)
            await PairingRequest.filter(public_key=key, state="pending").delete()
            await PairingRequest.filter(expires_at__lt=now).delete()
            if await PairingRequest.all().count() >= MAX_OPEN:
                raise TooMany("Too many bridges wait for approval.", retry_after_s=60)
            await PairingRequest.create(
                device_sha256=digest(device_code),
                user_code=user_code,
                public_key=key,
                room=asking.room[:100],
                hostname=asking.hostname[:100],
                os=asking.os[:100],
                agent_version=asking.agent_version[:32],
                remote_address=remote[:64],
                created_at=now,
                expires_at=now + timedelta(seconds=CODE_S),
            )
        return Started(device_code, user_code, fingerprint(key))

    async def redeem(self, device_code: str, signature: str) -> Bridge:
        """The bridge, once approved; the same answer again if the first one was lost.

        Raises `Problem` with RFC 8628's codes: authorization_pending, slow_down, expired_token,
        access_denied (refused, or the key was not proven).
        """
        async with self._ledger.change():
            request = await self._poll(device_code)
        if not proves(request.public_key, signature, b"gantry-pair-v1\n" + device_code.encode()):
            await self._bad_proof(request)
        if request.state == "pending":
            raise Problem("Nobody has approved this bridge yet.", code="authorization_pending")
        async with self._ledger.change() as change:
            request = await PairingRequest.get(id=request.id)
            organization_id = request.organization_id
            if request.state not in ("approved", "consumed") or organization_id is None:
                raise Problem("This bridge was refused.", code="access_denied")
            if request.bridge_id is not None:
                return await self._bridges.paired(request.bridge_id)
            bridge = await self._bridges.create(
                change, organization_id, request.room, request.public_key
            )
            await PairingRequest.filter(id=request.id).update(state="consumed", bridge_id=bridge.id)
            _note_paired(change, bridge)
        return bridge

    async def _poll(self, device_code: str) -> PairingRequest:
        now = self._clock.now()
        request = await PairingRequest.get_or_none(device_sha256=digest(device_code))
        if request is None or request.expires_at <= now:
            raise Problem("This code is over; ask for a new one.", code="expired_token")
        last = request.polled_at
        if last is not None and now - last < timedelta(seconds=TOO_FAST_S):
            raise Problem(f"Ask every {INTERVAL_S} s, not faster.", code="slow_down")
        await PairingRequest.filter(id=request.id).update(polled_at=now)
        return request

    async def _bad_proof(self, request: PairingRequest) -> None:
        key = str(request.id)
        async with self._ledger.change():
            await PairingTry.create(kind="proof", key=key, at=self._clock.now())
            if await PairingTry.filter(kind="proof", key=key).count() >= MAX_BAD_PROOFS:
                await PairingRequest.filter(id=request.id).update(state="denied")
        raise Problem("The signature is not of the key that asked.", code="access_denied")

    async def enrol(self, asking: Asking, token: str, signature: str, remote: str) -> Bridge:
        """A bridge by an enrolment token. Raises `Forbidden`, `Invalid`, `Conflict`, `TooMany`.

        A key that is in already spends no use: the answer to it was lost, or it is paired again.
        """
        key = _key(asking)
        guess = await self._guesses.begin(remote)
        if not proves(key, signature, b"gantry-enrol-v1\n" + token.encode()):
            raise Forbidden("The signature is not of the key that asks.", code="access_denied")
        async with self._ledger.change() as change:
            organization_id = await self._admitted(token, key)
            if organization_id is not None:
                bridge = await self._bridges.create(change, organization_id, asking.room, key)
                _note_paired(change, bridge)
                await guess.delete()
                return bridge
        raise Forbidden(
            "This enrolment token is not valid: it is used up, too old or deleted. "
            "An admin can make a new one.",
            code="access_denied",
        )

    async def _admitted(self, token: str, key: str) -> int | None:
        """The organization that *token* lets *key* into, a use of it spent; None: into none."""
        valid = EnrolmentToken.filter(sha256=digest(token), expires_at__gt=self._clock.now())
        used = await valid.filter(uses_left__gt=0).update(uses_left=F("uses_left") - 1)
        row = await valid.get_or_none()
        if row is None:
            return None
        if not await self._bridges.is_in(row.organization_id, key):
            return row.organization_id if used else None
        if used:
            await valid.update(uses_left=F("uses_left") + 1)
        return row.organization_id

    # The admin's side.

    async def look(self, by: Principal, user_code: str, remote: str) -> PairingRequest:
        """Who asks with *user_code*: compare the fingerprint before approving.

        Raises `NotFound` for a wrong, expired or another organization's code, `TooMany`.
        """
        by.require("bridges.admin")
        guess = await self._guesses.begin(remote)
        code = typed(user_code)
        request = None if code is None else await PairingRequest.get_or_none(user_code=code)
        if (
            request is None
            or request.expires_at <= self._clock.now()
            or request.organization_id not in (None, by.organization_id)
        ):
            raise NotFound("No bridge waits with this code. Codes live ten minutes.")
        await self._guesses.succeeded(guess)
        return request

    async def decide(
        self, by: Principal, user_code: str, remote: str, *, approve: bool, name: str = ""
    ) -> PairingRequest:
        """Approve or deny, once. *name*: what the room is called, empty keeps the agent's word.

        Raises `Conflict` when somebody has decided already, and what `look` raises.
        """
        request = await self.look(by, user_code, remote)
        room = name.strip()[:100] or request.room
        state = "approved" if approve else "denied"
        async with self._ledger.change() as change:
            decided = await PairingRequest.filter(id=request.id, state="pending").update(
                state=state, organization_id=by.organization_id, room=room
            )
            if not decided:
                raise Conflict("This code is used already; start the pairing again.")
            data = {"room": room, "fingerprint": fingerprint(request.public_key)}
            change.record(_event(by, f"pairing.{state}", data))
            change.note(by, f"pairing.{state}", ("pairing", request.id), **data)
        request.state, request.room = state, room
        return request

    # Mass install.

    async def create_token(
        self, by: Principal, name: str, uses: int, hours: int
    ) -> tuple[EnrolmentToken, str]:
        """A token for *uses* bridges within *hours*, and its secret (shown once)."""
        by.require("bridges.admin")
        if not 1 <= uses <= MAX_ENROLMENT_USES or not 1 <= hours <= MAX_ENROLMENT_HOURS:
            raise Invalid(
                f"uses takes 1 to {MAX_ENROLMENT_USES}, hours 1 to {MAX_ENROLMENT_HOURS}."
            )
        secret = "gantry_enrol_" + secrets.token_urlsafe(32)
        now = self._clock.now()
        async with self._ledger.change() as change:
            row = await EnrolmentToken.create(
                organization_id=by.organization_id,
                sha256=digest(secret),
                name=name[:100],
                uses_left=uses,
                created_by=by.user_id,
                created_at=now,
                expires_at=now + timedelta(hours=hours),
            )
            change.record(_event(by, "enrolment_token.created", {"id": row.id, "uses": uses}))
            entity = ("enrolment_token", row.id)
            change.note(by, "enrolment_token.created", entity, name=row.name, uses=uses)
        return row, secret

    async def tokens(self, by: Principal) -> _Tokens:
        """The organization's enrolment tokens, spent and expired ones too."""
        by.require("bridges.admin")
        return await EnrolmentToken.filter(organization_id=by.organization_id).order_by("id")

    async def delete_token(self, by: Principal, token_id: int) -> None:
        """Let nobody in with it any more. Raises `NotFound`."""
        by.require("bridges.admin")
        async with self._ledger.change() as change:
            gone = await EnrolmentToken.filter(
                id=token_id, organization_id=by.organization_id
            ).delete()
            if not gone:
                raise NotFound("Enrolment token not found")
            change.record(_event(by, "enrolment_token.deleted", {"id": token_id}))
            change.note(by, "enrolment_token.deleted", ("enrolment_token", token_id))


def _key(asking: Asking) -> str:
    try:
        return canonical_key(asking.public_key)
    except ValueError as error:
        raise Invalid(f"public_key: {error}") from None


def _note_paired(change: Change, bridge: Bridge) -> None:
    """The agent came in by itself, with what an admin had given: nobody asked just now."""
    by = system(bridge.organization_id)
    change.note(by, "bridge.paired", ("bridge", bridge.id), name=bridge.name)


def _event(by: Principal, kind: str, data: dict[str, Any]) -> Happened:
    return Happened(organization_id=by.organization_id, kind=kind, user_id=by.user_id, data=data)
