"""Keeping the link up: dial, serve, wait, for ever (room link contract, "Reconnect")."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from bridge.agent import address as addresses
from bridge.agent.address import Address
from bridge.agent.errors import LinkError, PairingError, Refused
from bridge.agent.journal import Journal
from bridge.agent.journal_thread import JournalThread
from bridge.agent.link.backoff import Backoff
from bridge.agent.link.connection import Connection, GoneAway
from bridge.agent.link.dial import Socket
from bridge.agent.link.inbox import Room
from bridge.agent.link.uplink import Uplink
from bridge.agent.live import LiveSlots
from schemas import leases, plugs
from schemas.link import PROTOCOL, BulkToken, Hello, Resume, Welcome

log = logging.getLogger(__name__)

#: A bridge that was refused asks this seldom, unless the API names another time.
REFUSED_WAIT_S = 60.0
#: Close codes: the agent ends, or begins another link.
GOING_AWAY, NORMAL = 1001, 1000


class Dialler(Protocol):
    """Opens sockets."""

    async def dial(self, address: Address | None = None) -> Socket:
        """A fresh socket. Raises `LinkError`."""


@dataclass(slots=True)
class LinkStatus:
    """How the link is, for `bridge status`. Times are monotonic seconds, None before the first.

    *opened_at*: since when it stands; *got_at*: when a command was last confirmed to the API,
    *acked_at*: when the API last confirmed facts. *refused*: frames that were not taken on links
    that are over.
    """

    state: str = "connecting"
    epoch: int = 0
    opened_at: float | None = None
    heard_at: float | None = None
    acked_at: float | None = None
    got_at: float | None = None
    refused: int = 0
    last_error: str | None = None


@dataclass(frozen=True, slots=True)
class Greeting:
    """What does not change in this agent's hellos."""

    bridge_id: str
    boot_id: str
    boot_count: int
    agent_version: str
    os: str
    run_id: str = ""


class LinkClient:
    """The agent's link. `run()` never ends by itself."""

    def __init__(
        self,
        dialler: Dialler,
        greeting: Greeting,
        room: Room,
        journal: JournalThread,
        live: LiveSlots,
        *,
        backoff: Backoff,
        clock: Callable[[], float],
    ) -> None:
        self._dialler = dialler
        self._greeting = greeting
        self._room = room
        self._journal = journal
        self._live = live
        self._backoff = backoff
        self._clock = clock
        self._connection: Connection | None = None
        self._session: str | None = None
        self._elsewhere: Address | None = None
        self._is_ending = False
        self._gone_at: float | None = clock()  # None: the link stands, or the API has said no
        self.insecure = False
        self.sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
        self.on_token: Callable[[BulkToken], None] = lambda bulk: None
        self.on_greeted: Callable[[Welcome], None] = lambda welcome: None
        self.status = LinkStatus()

    def wake(self, *, facts: bool = False) -> None:
        """A picture is urgent, or with *facts* the outbox has grown."""
        if self._connection is not None:
            self._connection.wake(facts=facts)

    async def run(self) -> None:
        """Keep one connection up, for ever."""
        while True:
            delay_s = await self._once()
            self.status.state = "waiting"
            await self.sleep(delay_s)

    async def _once(self) -> float:
        """One connection from dial to end; seconds to wait before the next."""
        self.status.state = "connecting"
        elsewhere, self._elsewhere = self._elsewhere, None
        try:
            await self._serve(await self._dialler.dial(elsewhere))
        except GoneAway as error:
            self._backoff.lost(self._clock())
            self._note(error)
            self._elsewhere = self._other(error.url)
            return self._backoff.spread(error.window_s)
        except LinkError as error:
            self._backoff.lost(self._clock())
            self._note(error)
            wait_s = error.retry_after_s
            if isinstance(error, Refused):
                self._gone_at = None
                wait_s = REFUSED_WAIT_S if wait_s is None else wait_s
            return self._backoff.delay(self._clock(), wait_s)
        return 0.0

    async def _serve(self, socket: Socket) -> None:
        hello = await self._hello()
        uplink = Uplink(hello, self._live, self._clock())
        connection = Connection(socket, uplink, self._room, self._journal, self._clock)
        connection.on_token = self.on_token
        connection.on_open = self._opened
        connection.on_ack = self._acked
        connection.on_got = self._got
        connection.on_trouble = self._in_trouble
        self._connection = connection
        try:
            await connection.run()
        finally:
            if self.status.opened_at is not None:
                self._gone_at = self._clock()
            self.status.heard_at, self.status.opened_at = connection.heard_at, None
            self.status.refused += connection.refused()
            self._connection = None
            await socket.close(GOING_AWAY if self._is_ending else NORMAL)

    def ending(self) -> None:
        """The agent ends on purpose: the link is closed with that word."""
        self._is_ending = True

    def _opened(self, welcome: Welcome) -> None:
        self._backoff.connected(self._clock())
        self.status.opened_at, self._gone_at = self._clock(), None
        self._session = welcome.session
        self.status.state, self.status.epoch = "open", welcome.epoch
        self.status.last_error = None
        self.on_greeted(welcome)
        log.info("the link stands, epoch %d", welcome.epoch)

    def _acked(self) -> None:
        self.status.acked_at = self._clock()

    def _got(self) -> None:
        self.status.got_at = self._clock()

    def _in_trouble(self, why: str | None) -> None:
        self.status.last_error = why

    async def _hello(self) -> Hello:
        journal_id = await self._journal.run(Journal.journal_id)
        oldest, newest = await self._journal.run(Journal.fact_span)
        version, _ = await self._journal.run(Journal.desired)
        greeting = self._greeting
        return Hello(
            protocols=(PROTOCOL, PROTOCOL),
            bridge_id=greeting.bridge_id,
            boot_id=greeting.boot_id,
            boot_count=greeting.boot_count,
            agent_version=greeting.agent_version,
            run_id=greeting.run_id,
            os=greeting.os,
            ports=self._room.ports(),
            resume=Resume(
                session=self._session,
                desired_version=version,
                command_seq=await self._journal.run(Journal.command_seq),
                journal_id=journal_id,
                oldest_fact=oldest,
                newest_fact=newest,
            ),
            capabilities=[leases.CAPABILITY, leases.HOURS_CAPABILITY, plugs.CAPABILITY],
        )

    def away_s(self) -> float | None:
        """How long the link has been gone. None: it stands, or the API was there and refused us:
        then it knows of us, and nothing goes on alone.
        """
        return None if self._gone_at is None else self._clock() - self._gone_at

    def heard_at(self) -> float | None:
        """When the API was last heard, monotonic seconds; None: never."""
        return self._connection.heard_at if self._connection else self.status.heard_at

    def refused(self) -> int:
        """Frames of the API that were not taken, in all."""
        now = self._connection.refused() if self._connection else 0
        return self.status.refused + now

    def waiting(self) -> int:
        """What the API has said and the journal has not got yet."""
        return self._connection.waiting() if self._connection else 0

    def _note(self, error: LinkError) -> None:
        if str(error) != self.status.last_error:
            log.warning("%s", error)
        self.status.last_error = str(error)

    def _other(self, url: str | None) -> Address | None:
        try:
            return addresses.parse(url, insecure=self.insecure) if url else None
        except PairingError as error:
            log.warning("the API named a new address that is not used: %s", error)
            return None
