"""Bridges: who they are, whether they are there, and the positions of their link.

"Identity" and "Fencing" of the room link contract. A bridge proves its key at every connect: it
signs a nonce (one use, 60 s). An accepted hello raises the epoch; older ones are not listened to.
"""

import re
import secrets
from datetime import timedelta
from enum import Enum

import msgspec
from tortoise.expressions import F
from ulid import ULID

from api.bridges import bulk_tokens, clones, sightings
from api.bridges.bulk_tokens import BulkTokens, by_uid
from api.bridges.keys import canonical_key, proves
from api.bridges.models import Bridge
from api.bridges.nonces import Nonces
from api.bridges.opening import Cloned, Late, OpenedLink, is_late, machines_of, opening_of
from api.bridges.presence import Presence
from api.bridges.replicas import PRESENCE, Replicas
from api.bus.local import Bus
from api.clock import Clock, phase
from api.config import Settings
from api.errors import Conflict, Forbidden, Invalid, NotAuthenticated, NotFound
from api.events.service import Change, Happened, Ledger
from api.principal import Principal
from api.spelled import Rows, ask, update
from schemas.facts import Port
from schemas.link import AUTH_SCHEME, Hello, signed_text

__all__ = ["Bridge", "Bridges", "Cloned", "Late", "OpenedLink", "Standing"]

LAPSED_AT_ONCE = 20  # told in one change: a farm that loses its line keeps no writer waiting
SEEN_EVERY_S = 60.0  # how often "last seen" is written for a room that is connected

_CREDENTIALS = re.compile(
    rf'{AUTH_SCHEME} bridge="([0-9A-Za-z]{{1,64}})", nonce="([\w-]{{1,128}})", '
    r'signature="([A-Za-z0-9+/=]{1,128})"',
    re.ASCII,
)

_Bridges = list[Bridge]
_Ports = list[Port]

#: Read where it is written: what an UPDATE of the ORM has made is a second question.
_NEXT_SEQ = "UPDATE bridge SET command_seq = command_seq + 1 WHERE id = $1 RETURNING command_seq"
_BY_ID = Rows(Bridge, "id = $1")
_HELD = Rows(Bridge, "id = $1 FOR UPDATE")


class Standing(Enum):
    """What the link of one epoch is worth now."""

    CURRENT = "current"
    REPLACED = "replaced"
    REVOKED = "revoked"


class Bridges:
    """The rooms of the farm."""

    def __init__(self, ledger: Ledger, clock: Clock, settings: Settings, bus: Bus) -> None:
        self._ledger = ledger
        self._clock = clock
        self._bus = bus
        self._presence = Presence(settings.bridge_grace_s)
        self.replicas = Replicas(self._presence, clock, bus)
        self.tokens = BulkTokens(ledger, clock)
        self._nonces = Nonces(clock)
        self._seen_written: dict[int, float] = {}

    async def load(self) -> None:
        """At start: rooms that were connected when the API stopped get the grace to come back."""
        now = self._clock.monotonic()
        left = Bridge.filter(
            revoked_at__isnull=True, connected_at__isnull=False, disconnected_at__isnull=True
        )
        for bridge_id, epoch in await left.values_list("id", "epoch"):
            self._presence.left_before(bridge_id, epoch, now)

    async def refresh(self, silent_s: float) -> None:
        """Who is there, from rows: for a process that holds no links (`api.bridges.sightings`)."""
        await sightings.read(self._presence, self._clock, max(silent_s, 2 * SEEN_EVERY_S))

    # Rooms as people see them.

    async def list(self, by: Principal) -> _Bridges:
        """The organization's bridges, oldest first; revoked ones are not among them."""
        by.require("bridges.read")
        return await Bridge.filter(
            organization_id=by.organization_id, revoked_at__isnull=True
        ).order_by("id")

    async def get(self, by: Principal, bridge_id: int) -> Bridge:
        """One bridge. Raises `NotFound`, for a foreign or revoked one too."""
        by.require("bridges.read")
        return await self._own(by, bridge_id)

    async def paired(self, bridge_id: int) -> Bridge:
        """The bridge that a pairing made. Raises `NotFound` when it was removed since."""
        bridge = await Bridge.get_or_none(id=bridge_id, revoked_at__isnull=True)
        if bridge is None:
            raise NotFound("Bridge not found", code="bridge_not_found")
        return bridge

    async def is_in(self, organization_id: int, key: str) -> bool:
        """Whether the bridge of this canonical *key* belongs to the organization now."""
        mine = Bridge.filter(public_key=key, organization_id=organization_id, revoked_at=None)
        return await mine.exists()

    async def ports(self, by: Principal, bridge_id: int) -> _Ports:
        """The serial ports of the room as the agent last listed them."""
        bridge = await self.get(by, bridge_id)
        return msgspec.convert(bridge.ports, list[Port])

    async def rename(self, by: Principal, bridge_id: int, name: str) -> Bridge:
        """Another name for people. Raises `NotFound`."""
        by.require("bridges.admin")
        async with self._ledger.change() as change:
            bridge = await self._own(by, bridge_id)
            before, bridge.name = bridge.name, name[:100]
            await Bridge.filter(id=bridge.id).update(name=bridge.name)
            change.record(_happened(bridge, "bridge.renamed", by.user_id))
            change.note(by, "bridge.renamed", ("bridge", bridge.id), name=name, before=before)
        return bridge

    async def revoke(self, by: Principal, bridge_id: int) -> None:
        """Turn a bridge away for good: its link closes, its keys die, its prints go on."""
        by.require("bridges.admin")
        async with self._ledger.change() as change:
            bridge = await self._own(by, bridge_id)
            await Bridge.filter(id=bridge.id).update(
                revoked_at=self._clock.now(), bulk_sha256="", previous_bulk_sha256=""
            )
            change.record(_happened(bridge, "bridge.revoked", by.user_id))
            change.note(by, "bridge.revoked", ("bridge", bridge.id), name=bridge.name)
            change.wake(f"bridge:{bridge.id}")
        self._presence.forget(bridge_id)

    async def choose_survivor(self, by: Principal, bridge_id: int, *, other: bool) -> Bridge:
        """Two machines have this identity: which one stays. *other*: the one turned away so far.

        Raises `Conflict` when there is only one.
        """
        by.require("bridges.admin")
        async with self._ledger.change() as change:
            bridge = await self._own(by, bridge_id)
            if not bridge.quarantined_boot:
                raise Conflict("Only one machine has the identity of this bridge.")
            if other:
                columns = clones.other_stays(machines_of(bridge)).columns()
                await Bridge.filter(id=bridge.id).update(epoch=F("epoch") + 1, **columns)
                change.wake(f"bridge:{bridge.id}")
            data: dict[str, object] = {"other": other}
            change.record(_happened(bridge, "bridge.survivor_chosen", by.user_id, data))
            entity = ("bridge", bridge.id)
            change.note(by, "bridge.survivor_chosen", entity, name=bridge.name, other=other)
        return await self._own(by, bridge_id)

    async def _own(self, by: Principal, bridge_id: int) -> Bridge:
        bridge = await Bridge.get_or_none(
            id=bridge_id, organization_id=by.organization_id, revoked_at__isnull=True
        )
        if bridge is None:
            raise NotFound("Bridge not found", code="bridge_not_found")
        return bridge

    async def create(
        self, change: Change, organization_id: int, name: str, public_key: str
    ) -> Bridge:
        """Take a bridge in whose key is proven.

        A key that is known already keeps its bridge (an agent that was paired again), with every
        older link fenced off. So does one that was turned away, under a new id: its printers are
        there still, and what they print is told to its end. Raises `Conflict` when it belongs to
        another organization, `Invalid` for what is no key.
        """
        try:
            key = canonical_key(public_key)
        except ValueError as error:
            raise Invalid(str(error)) from None
        known = await Bridge.get_or_none(public_key=key)
        if known is not None and known.revoked_at is None:
            return await self._again(change, known, organization_id)
        if known is not None and known.organization_id == organization_id:
            return await self._taken_back(change, known, name)
        if known is not None:
            await Bridge.filter(id=known.id).update(public_key=f"revoked {known.uid}")
        bridge = await Bridge.create(
            organization_id=organization_id,
            uid=str(ULID()),
            name=name[:100],
            public_key=key,
            created_at=self._clock.now(),
        )
        change.record(_happened(bridge, "bridge.paired"))
        return bridge

    async def _taken_back(self, change: Change, bridge: Bridge, name: str) -> Bridge:
        fresh = {"uid": str(ULID()), "name": name[:100], "revoked_at": None}
        nobody = clones.Machines("", (), "").columns()
        await Bridge.filter(id=bridge.id).update(epoch=F("epoch") + 1, **fresh, **nobody)
        bridge = await Bridge.get(id=bridge.id)
        change.record(_happened(bridge, "bridge.paired_again"))
        change.wake(f"bridge:{bridge.id}")
        return bridge

    async def _again(self, change: Change, bridge: Bridge, organization_id: int) -> Bridge:
        if bridge.organization_id != organization_id:
            raise Conflict("This bridge belongs to another organization; it must be removed there.")
        await Bridge.filter(id=bridge.id).update(
            epoch=F("epoch") + 1, bulk_sha256="", previous_bulk_sha256=""
        )
        change.record(_happened(bridge, "bridge.paired_again"))
        change.wake(f"bridge:{bridge.id}")
        return bridge

    # Proof at every connect.

    async def make_nonce(self, uid: str) -> str:
        """A challenge for *uid*. Unknown bridges get one too; it is kept nowhere and never works.

        Raises `TooMany` when the bridge has too many outstanding.
        """
        if len(uid) > bulk_tokens.UID_LENGTH:
            return secrets.token_urlsafe(32)
        return await self._nonces.make(uid)

    async def verify(self, authorization: str) -> Bridge:
        """The bridge that signed its nonce. Raises `NotAuthenticated`; `Forbidden` if revoked."""
        match = _CREDENTIALS.fullmatch(authorization)
        if match is None:
            raise NotAuthenticated("The bridge did not say who it is.")
        uid, nonce, signature = match.groups()
        bridge = await by_uid(uid)
        if bridge is None or bridge.public_key.startswith("revoked "):
            raise NotAuthenticated("This bridge is not known here; pair it.")
        if not proves(bridge.public_key, signature, signed_text(uid, nonce)):
            raise NotAuthenticated("The bridge's signature is wrong.")
        if not await self._nonces.use(uid, nonce):
            raise NotAuthenticated("The nonce is used or expired; ask for a new one.")
        if bridge.revoked_at is not None:
            raise Forbidden("This bridge was removed from the farm; pair it again.", code="revoked")
        return bridge

    # The link.

    async def open_session(self, bridge: Bridge, hello: Hello) -> OpenedLink:
        """Accept *hello*: the epoch rises, an older link of this bridge is worth nothing now.

        *bridge*: its row as it was at the upgrade. Raises `Cloned` for a machine whose identity
        another one has, and `Late` for one that has started anew since.
        """
        opening = opening_of(bridge, hello, self._clock.now(), self._bus.origin)
        if opening.tells:
            return await self._open_and_tell(bridge, hello)
        # Mostly nothing is worth telling: one statement then, which stands or falls alone, for a
        # thousand rooms that come back at once. What a greeting decides by must be as it was read.
        as_read = {
            "id": bridge.id,
            "epoch": bridge.epoch,
            "boot_id": bridge.boot_id,
            "quarantined_boot": bridge.quarantined_boot,
            "fact_journal": bridge.fact_journal,
            "fact_seq": bridge.fact_seq,
            "shown_online": True,
            "revoked_at": None,
        }
        if not await update(Bridge, opening.columns, as_read):
            return await self._open_and_tell(bridge, hello)
        self._presence.came(bridge.id, opening.link.epoch, self._clock.monotonic())
        self._bus.wake([f"bridge:{bridge.id}", PRESENCE])
        return opening.link

    async def _open_and_tell(self, bridge: Bridge, hello: Hello) -> OpenedLink:
        async with self._ledger.change(bridge.organization_id) as change:
            (row,) = await _HELD.of(bridge.id)  # the one statement waits
            if is_late(bridge, row, hello):
                raise Late
            opening = opening_of(row, hello, self._clock.now(), self._bus.origin)
            await Bridge.filter(id=row.id).update(**opening.columns)
            for kind, data in opening.tells.items():
                change.record(_happened(row, kind, data=data))
            change.wake(f"bridge:{row.id}", PRESENCE)
            self._presence.came(row.id, opening.link.epoch, self._clock.monotonic())
        return opening.link

    async def standing(self, bridge_id: int, epoch: int) -> tuple[Standing, Bridge]:
        """What the link of *epoch* is worth, and the bridge as it is now."""
        (bridge,) = await _BY_ID.of(bridge_id)
        return _standing(bridge, epoch)

    async def held(self, bridge_id: int, epoch: int) -> tuple[Standing, Bridge]:
        """The same in a transaction: no newer link is opened before its end."""
        (bridge,) = await _HELD.of(bridge_id)
        return _standing(bridge, epoch)

    def outdated(self, bridge_id: int, epoch: int) -> bool:
        """From memory: a newer link than that of *epoch* is known."""
        return self._presence.outdated(bridge_id, epoch)

    async def touch(self, bridge_id: int) -> None:
        """The room gave a sign of life; written once or twice a minute."""
        now = self._clock.monotonic()
        if now - self._seen_written.get(bridge_id, float("-inf")) < SEEN_EVERY_S:
            return
        self._seen_written[bridge_id] = now - SEEN_EVERY_S / 2 * phase(bridge_id)
        # One statement, which stands or falls alone: no transaction, so nobody waits for it.
        await update(Bridge, {"last_seen_at": self._clock.now()}, {"id": bridge_id})

    async def close_session(self, bridge_id: int, epoch: int, silent_s: float = 0.0) -> None:
        """The link of *epoch* ended, *silent_s* after its last word; old links change nothing."""
        if not self._presence.left(bridge_id, epoch, self._clock.monotonic() - silent_s):
            return
        self._seen_written.pop(bridge_id, None)
        away_since = self._clock.now() - timedelta(seconds=silent_s)
        async with self._ledger.change() as change:
            await Bridge.filter(id=bridge_id, epoch=epoch).update(disconnected_at=away_since)
            change.wake(PRESENCE)

    def online(self, bridge_id: int) -> bool:
        """From memory: connected, or away for less than the grace."""
        return self._presence.online(bridge_id, self._clock.monotonic())

    def last_there(self, bridge_id: int) -> float | None:
        """The monotonic second in which the room was there last; None: not since the start."""
        return self._presence.last_there(bridge_id, self._clock.monotonic())

    async def report_lapsed(self) -> None:
        """Tell of rooms whose grace ran out; call it every second or so."""
        lapsed = sorted(self._presence.lapsed(self._clock.monotonic()))
        for start in range(0, len(lapsed), LAPSED_AT_ONCE):
            some = lapsed[start : start + LAPSED_AT_ONCE]
            async with self._ledger.change() as change:
                gone = Bridge.filter(id__in=some, revoked_at=None, shown_online=True)
                for bridge in await gone:
                    await Bridge.filter(id=bridge.id).update(shown_online=False)
                    change.record(_happened(bridge, "bridge.offline"))
                change.wake(PRESENCE)
            self._presence.told(some)

    # Positions. All take part in somebody's transaction.

    async def next_command_seq(self, change: Change, bridge_id: int) -> int:
        """The number of the bridge's next command; wakes its link after the commit."""
        rows = await ask(_NEXT_SEQ, bridge_id)
        change.wake(f"bridge:{bridge_id}")
        seq: int = rows[0]["command_seq"]
        return seq

    async def raise_desired(self, change: Change, bridge_id: int) -> None:
        """The room's configuration changed: the agent gets it with a new version."""
        await Bridge.filter(id=bridge_id).update(desired_version=F("desired_version") + 1)
        change.wake(f"bridge:{bridge_id}")

    async def reported(self, change: Change, bridge: Bridge, version: int) -> None:
        """The agent of *bridge*, a row of this transaction, works by *version*."""
        if bridge.reported_version < version <= bridge.desired_version:
            await Bridge.filter(id=bridge.id).update(reported_version=version)
            change.record(_happened(bridge, "bridge.configured", data={"version": version}))

    async def knows(self, bridge: Bridge, version: int) -> bool:
        """Whether it is written already that the room's agent works by *version*.

        *bridge*: its row of whenever; what is written there once is never taken back.
        """
        if version <= bridge.reported_version:
            return True
        return await Bridge.filter(id=bridge.id, reported_version=version).exists()

    async def ack_facts(self, change: Change, bridge_id: int, journal: str, seq: int) -> None:
        """Facts of *journal* up to *seq* are in this transaction."""
        await update(Bridge, {"fact_seq": seq}, {"id": bridge_id, "fact_journal": journal})
        change.wake(f"facts:{bridge_id}")

    async def record_ports(self, change: Change, bridge: Bridge, ports: _Ports) -> None:
        """A port of the room came or went."""
        await Bridge.filter(id=bridge.id).update(ports=msgspec.to_builtins(ports))
        change.record(_happened(bridge, "bridge.ports", data={"count": len(ports)}))


def _standing(bridge: Bridge, epoch: int) -> tuple[Standing, Bridge]:
    if bridge.revoked_at is not None:
        return Standing.REVOKED, bridge
    return (Standing.CURRENT if bridge.epoch == epoch else Standing.REPLACED), bridge


def _happened(
    bridge: Bridge, kind: str, user_id: int | None = None, data: dict[str, object] | None = None
) -> Happened:
    return Happened(
        organization_id=bridge.organization_id,
        kind=kind,
        user_id=user_id,
        data={"bridge_id": bridge.id, "name": bridge.name, **(data or {})},
    )
