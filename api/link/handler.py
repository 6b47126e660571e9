"""The room link as the API speaks it, without a transport and without memory between messages.

Every method takes its state from rows, so that the same handler serves a socket in a container and
a socket event of a cloud function. What it answers are bodies for that link; who calls it puts
them on the wire.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from functools import partial

import msgspec

from api.bridges.service import Bridge, Cloned, Late, Standing
from api.clock import Clock, iso
from api.commands.carrying import NOTHING, Told
from api.config import Settings
from api.db import PASSING, persistently
from api.link.facts import FOREIGN, FactRecorder
from api.link.rooms import CommandRow, LinkRooms
from api.outage import ASK_S, AWAY, briefly
from schemas.codec import MAX_FRAME_BYTES, encoded_size
from schemas.commands import VERBS, Expect, Verb
from schemas.facts import FactBatch
from schemas.leases import NOTHING_LENT, Lease, Lent
from schemas.link import (
    PROTOCOL,
    Beat,
    Body,
    BulkToken,
    Cmd,
    CmdGot,
    Desired,
    Hello,
    LiveSnap,
    Nak,
    Refuse,
    RemoteStop,
    Reported,
    Token,
    Welcome,
)
from schemas.printer import PrinterConfig
from schemas.watching import Interest, InterestLevel, TerminalGot, TerminalLines

PART_BYTES = 24 * 1024
HEADER_BYTES = 200  # what a frame adds to its body, generously
UPGRADE_RETRY_S = 300.0
CLONE_RETRY_S = 60.0
LATE_RETRY_S = 2.0
IDLE_S = 30.0  # pictures of a room that nobody watches

_log = logging.getLogger("gantry.link")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """What waits for a link, what the link is worth, and what it has *told* with that."""

    standing: Standing
    bodies: list[Body]
    told: Told


class LinkHandler:
    """Answers bridges."""

    def __init__(self, rooms: LinkRooms, clock: Clock, settings: Settings) -> None:
        self._rooms = rooms
        self._clock = clock
        self._settings = settings
        self._facts = FactRecorder(rooms)

    async def connect(self, authorization: str) -> Bridge:
        """Who asks for a link. Raises `NotAuthenticated` or `Forbidden`."""
        return await persistently(partial(self._rooms.bridges.verify, authorization))

    async def hello(self, bridge: Bridge, hello: Hello) -> Welcome | Refuse:
        """The answer to a greeting; a welcome makes this link the bridge's only one."""
        if hello.bridge_id != bridge.uid:
            return Refuse(
                code="wrong_bridge", reason="the hello names another bridge", action="repair"
            )
        lowest, highest = hello.protocols
        if not lowest <= PROTOCOL <= highest:
            return Refuse(
                code="protocol",
                reason=f"this API speaks protocol {PROTOCOL}, the agent {lowest} to {highest}",
                action="upgrade",
                retry_after_s=UPGRADE_RETRY_S,
            )
        try:
            opened = await persistently(partial(self._rooms.bridges.open_session, bridge, hello))
        except Late:
            return Refuse(
                code="late",
                reason="the machine has greeted anew since this link was opened",
                retry_after_s=LATE_RETRY_S,
            )
        except Cloned:
            return Refuse(
                code="clone",
                reason="another machine, or agent, has the same identity and was here first",
                action="clone",
                retry_after_s=CLONE_RETRY_S,
            )
        return Welcome(
            session=opened.session,
            epoch=opened.epoch,
            protocol=PROTOCOL,
            server_time=iso(self._clock.now()) or "",
            fact_ack=opened.fact_ack,
            bulk=opened.bulk,
            beat_s=self._settings.beat_s,
            dead_s=self._settings.dead_s,
            live_s=self._settings.live_interval_s,
            idle_s=max(IDLE_S, self._settings.live_interval_s),
            desired_version=opened.desired_version,
        )

    async def outgoing(self, bridge_id: int, epoch: int, told: Told = NOTHING) -> Outgoing:
        """What the link of *epoch* has to carry now; commands are marked as sent by that.

        *told* is what this link has carried already.
        """
        return await persistently(partial(self._outgoing, bridge_id, epoch, told))

    async def _outgoing(self, bridge_id: int, epoch: int, told: Told) -> Outgoing:
        standing, bridge = await self._rooms.bridges.standing(bridge_id, epoch)
        if standing is not Standing.CURRENT:
            return Outgoing(standing, [], told)
        bodies: list[Body] = []
        if told.desired < bridge.desired_version:
            told = replace(told, desired=bridge.desired_version)
            printers = await self._rooms.printers.desired(bridge_id)
            self._rooms.telemetry.know_room(bridge_id, [printer.id for printer in printers])
            lent = await self._rooms.jobs.leases.of_room(bridge_id)
            bodies += desired_parts(told.desired, printers, lent)
        bodies += await self._commands(bridge_id, epoch, told)
        if (bulk := await self._fresh_token(bridge)) is not None:
            bodies.append(Token(bulk=bulk))
        return Outgoing(standing, bodies, told)

    async def _fresh_token(self, bridge: Bridge) -> BulkToken | None:
        """It can wait for the next look; commands that are marked as sent cannot."""
        try:
            return await self._rooms.bridges.tokens.renew(bridge)
        except PASSING as error:
            _log.info("bridge %d: its file token is renewed later: %s", bridge.id, error)
            return None

    async def _commands(self, bridge_id: int, epoch: int, told: Told) -> list[Body]:
        fitting: dict[str, Body] = {}
        rows = []
        for command in await self._rooms.commands.pending(bridge_id, epoch, told.commands):
            body = self._command(command)
            if encoded_size(body) + HEADER_BYTES > MAX_FRAME_BYTES:
                _log.error("command %s does not fit a frame and will expire", command.id)
                continue
            rows.append(command)
            fitting[command.id] = body
        carried = await self._rooms.commands.mark_sent(rows, epoch)
        return [body for command_id, body in fitting.items() if command_id in carried]

    def direct_stops(
        self, bridge_id: int, epoch: int, say: Callable[[RemoteStop], None]
    ) -> AbstractContextManager[None]:
        """While this lasts, stops of this room can be said by *say* without the rows.

        And its commands are sent on the link of *epoch* by their birth, so that link has to
        remember which it has told.
        """
        return self._rooms.commands.direct.link(bridge_id, say, epoch)

    async def waits(self, bridge: Bridge) -> bool:
        """Whether a command or a fresh token may have to be carried to *bridge*."""
        if self._rooms.bridges.tokens.is_old(bridge):
            return True
        return await self._rooms.commands.waits(bridge.id)

    async def unconfirmed(self, bridge_id: int, epoch: int) -> list[Body]:
        """Commands that the link of *epoch* carried a while ago and nobody confirmed, again.

        For a transport that can lose a frame although the link stands.
        """
        rows = await self._rooms.commands.unconfirmed(bridge_id, epoch)
        return [self._command(command) for command in rows]

    def _command(self, command: CommandRow) -> Body:
        verb = Verb(command.verb)
        if verb is Verb.REMOTE_STOP:
            return RemoteStop(id=command.id, printer=command.printer_id)
        return Cmd(
            seq=command.seq,
            id=command.id,
            printer=command.printer_id,
            verb=verb,
            args=msgspec.Raw(msgspec.json.encode(command.args)),
            expect=Expect(grant=command.grant if VERBS[verb].needs_grant else None),
            ttl_left_ms=self._rooms.commands.ttl_left_ms(command),
            actor=command.actor,
        )

    def interest(self, bridge_id: int) -> list[Body]:
        """Whether somebody watches the room now, for its agent; nothing when nobody does."""
        telemetry = self._rooms.telemetry
        left_s = telemetry.interests.left_s(bridge_id)
        terminals = telemetry.terminals.wanted(bridge_id)
        if not left_s and not terminals:
            return []
        left_s = max([left_s, *(watch.lease_s for watch in terminals)])
        return [Interest(level=InterestLevel.DETAIL, lease_s=left_s, terminals=terminals)]

    async def incoming(self, bridge: Bridge, epoch: int, body: Body) -> list[Body]:
        """Take what the bridge said on the link of *epoch*; the answers to it."""
        return await persistently(partial(self._take, bridge, epoch, body))

    async def _take(self, bridge: Bridge, epoch: int, body: Body) -> list[Body]:
        match body:
            case LiveSnap():
                return await self._live(bridge, epoch, body)
            case TerminalLines():
                return await self._terminal(bridge, epoch, body)
            case FactBatch():
                return await self._facts.record(bridge, epoch, body)
            case CmdGot() | Reported():
                await self._position(bridge, epoch, body)
            case Beat():
                with suppress(*AWAY):  # a sign of life that is not written is followed by others
                    await briefly(self._rooms.bridges.touch(bridge.id), within_s=ASK_S)
            case Nak():
                _log.warning("bridge %d did not take %s: %s", bridge.id, body.type, body.reason)
            case _:
                pass  # the session lets nothing else through
        return []

    async def _live(self, bridge: Bridge, epoch: int, snap: LiveSnap) -> list[Body]:
        if self._rooms.bridges.outdated(bridge.id, epoch):
            return []
        return _judged(bridge, await self._rooms.telemetry.record(bridge, snap), "live")

    async def _terminal(self, bridge: Bridge, epoch: int, said: TerminalLines) -> list[Body]:
        if self._rooms.bridges.outdated(bridge.id, epoch):
            return []
        foreign = await self._rooms.telemetry.hear(bridge, said)
        return [TerminalGot(number=said.number), *_judged(bridge, foreign, "terminal")]

    async def _position(self, bridge: Bridge, epoch: int, body: CmdGot | Reported) -> None:
        if isinstance(body, Reported) and await self._rooms.bridges.knows(bridge, body.version):
            return
        # Forgotten, a command is sent and not delivered: what became of it, its facts say anyway.
        is_flushed = not isinstance(body, CmdGot)
        ledger = self._rooms.ledger
        async with ledger.change(bridge.organization_id, is_flushed=is_flushed) as change:
            standing, row = await self._rooms.bridges.held(bridge.id, epoch)
            if standing is not Standing.CURRENT:
                return
            if isinstance(body, CmdGot):
                await self._rooms.commands.delivered(change, bridge.id, body.seq)
            else:
                await self._rooms.bridges.reported(change, row, body.version)

    async def closed(self, bridge: Bridge, epoch: int, silent_s: float = 0.0) -> None:
        """The link of *epoch* ended, *silent_s* seconds after the last word of the bridge."""
        await self._rooms.bridges.close_session(bridge.id, epoch, silent_s)


def _judged(bridge: Bridge, foreign: list[int], type_name: str) -> list[Body]:
    """What *bridge* hears when it reports printers that are somebody else's."""
    if not foreign:
        return []
    reason = f"printers {foreign[:10]} are not of this bridge"
    return [Nak(code=FOREIGN, reason=reason, type=type_name)]


@dataclass(slots=True)
class _Part:
    """What goes into one frame."""

    used: int = 0
    printers: list[PrinterConfig] = field(default_factory=list)
    leases: list[Lease] = field(default_factory=list)
    recalled: dict[str, int] = field(default_factory=dict)


def desired_parts(
    version: int, printers: Sequence[PrinterConfig], lent: Lent = NOTHING_LENT
) -> list[Desired]:
    """The configuration in as few parts as fit a frame; an empty room is one part."""
    parts = [_Part()]

    def place(each: object) -> _Part:
        size = len(msgspec.json.encode(each)) + 1
        if parts[-1].used and parts[-1].used + size > PART_BYTES:
            parts.append(_Part())
        parts[-1].used += size
        return parts[-1]

    for printer in printers:
        place(printer).printers.append(printer)
    for lease in lent.leases:
        place(lease).leases.append(lease)
    for grant, number in lent.recalled.items():
        place((grant, number)).recalled[grant] = number
    return [
        Desired(
            version=version,
            printers=part.printers,
            leases=part.leases,
            recalled=part.recalled,
            part=number,
            parts=len(parts),
        )
        for number, part in enumerate(parts, start=1)
    ]
