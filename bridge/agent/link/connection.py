"""One connection: a reader and a writer over one socket, and the journal work between them.

The reader only decodes and sorts; a remote stop goes from here straight to its sender. The writer
owns the socket's outgoing side. The third task does what the API asked, in order.
"""

import asyncio
import logging
from collections.abc import Callable

from websockets.exceptions import ConnectionClosed

from bridge.agent.errors import JournalError, LinkError, Refused
from bridge.agent.journal import Journal
from bridge.agent.journal_thread import JOURNAL_RETRY_S, JournalThread
from bridge.agent.link.dial import Socket
from bridge.agent.link.inbox import Inbox, Room
from bridge.agent.link.uplink import Uplink, aged, worn
from bridge.agent.together import until_one_ends
from schemas.link import (
    Body,
    BulkToken,
    Cmd,
    CmdGot,
    Desired,
    FactAck,
    Goaway,
    Nak,
    Refuse,
    RemoteStop,
    Reported,
    Token,
    Welcome,
)
from schemas.watching import Interest

log = logging.getLogger(__name__)

_Work = list[Cmd] | Desired | FactAck
REPLACED = 4409
REVOKED = 4401


class GoneAway(LinkError):
    """The API drains. *window_s*: come back within it; *url*: there, if not None."""

    def __init__(self, goaway: Goaway) -> None:
        super().__init__("the API asked to reconnect")
        self.window_s = goaway.window_s
        self.url = goaway.url


class Connection:
    """Runs one open socket until it ends. *clock* is monotonic seconds."""

    def __init__(
        self,
        socket: Socket,
        uplink: Uplink,
        room: Room,
        journal: JournalThread,
        clock: Callable[[], float],
    ) -> None:
        self._socket = socket
        self._uplink = uplink
        self._room = room
        self._journal = journal
        self._clock = clock
        self._inbox = Inbox(clock)
        self._wake = asyncio.Event()
        self._logged: set[str] = set()  # kinds of refused frames
        self._trouble: str | None = None  # why the journal takes nothing
        self.on_token: Callable[[BulkToken], None] = lambda bulk: None
        self.on_open: Callable[[Welcome], None] = lambda welcome: None
        self.on_ack: Callable[[], None] = lambda: None
        self.on_got: Callable[[], None] = lambda: None
        self.on_trouble: Callable[[str | None], None] = lambda why: None
        self.heard_at = clock()

    def wake(self, *, facts: bool = False) -> None:
        """Something may be ready to send; *facts*: the outbox has grown."""
        if facts:
            self._uplink.facts_wait()
        self._wake.set()

    def refused(self) -> int:
        """How many frames were not taken."""
        return sum(self._uplink.refused.values())

    def waiting(self) -> int:
        """What waits for the journal."""
        return len(self._inbox)

    async def run(self) -> None:
        """Serve the socket. Ends only by an exception: `LinkError` and its children."""
        jobs = [
            asyncio.create_task(job, name=f"link {name}")
            for name, job in (
                ("reader", self._read()),
                ("writer", self._write()),
                ("work", self._work()),
            )
        ]
        await until_one_ends(jobs)

    async def _read(self) -> None:
        try:
            while True:
                text = await self._socket.recv()
                self.heard_at = self._clock()
                body = self._uplink.receive(text, self.heard_at)
                if body is not None:
                    self._sort(body)
                else:
                    self._note_refused()
                self._wake.set()
        except ConnectionClosed as error:
            raise _ended(error) from error

    def _note_refused(self) -> None:
        """What the session did not take is counted; each kind is logged once a link."""
        for code in self._uplink.refused.keys() - self._logged:
            self._logged.add(code)
            log.warning("a frame of the API is not taken: %s", code)

    def _sort(self, body: Body) -> None:
        match body:
            case RemoteStop():
                self._room.remote_stop(body)
            case Cmd() | Desired() | FactAck():
                self._inbox.put(body)
            case Interest():
                self._room.interest(body)
            case Welcome():
                self._inbox.put(body.fact_ack)
                self.on_token(body.bulk)
                self.on_open(body)
            case Token():
                self.on_token(body.bulk)
            case Goaway() | Refuse():
                raise GoneAway(body) if isinstance(body, Goaway) else refused(body)
            case Nak():
                log.warning("the API did not take a %s: %s", body.type or "frame", body.reason)
            case _:
                pass  # a beat or a confirmation; the session or the lane has noted it

    async def _write(self) -> None:
        try:
            while True:
                self._wake.clear()
                await self._drain()
                if self._uplink.closed is not None:
                    raise LinkError(self._uplink.closed)
                delay_s = max(0.0, self._uplink.deadline() - self._clock())
                try:
                    async with asyncio.timeout(delay_s):
                        await self._wake.wait()
                except TimeoutError:
                    pass
                outbox, _ = await self._journal.run(Journal.fact_load)
                self._uplink.tick(self._clock(), outbox)
        except ConnectionClosed as error:
            raise _ended(error) from error

    async def _drain(self) -> None:
        """Send until nothing is ready: the session's own frames, facts, pictures, terminals."""
        while True:
            frame = self._uplink.next_frame()
            if frame is not None:
                await self._socket.send(frame)
                continue
            after = self._uplink.facts_after()
            if after is not None:
                batch = await self._journal.run(Journal.facts_after, after)
                self._uplink.facts(batch, self._clock())
            elif not (self._uplink.picture(self._clock()) or self._uplink.terminal(self._clock())):
                return

    async def _work(self) -> None:
        while True:
            work = await self._inbox.take()
            if isinstance(work, Desired):
                whole = self._uplink.desired(work)
                if whole is None:
                    continue
                work = whole
            while not await self._is_done(work):
                began = self._clock()
                await asyncio.sleep(JOURNAL_RETRY_S)
                work = _older(work, self._clock() - began)
            self._wake.set()

    async def _is_done(self, work: _Work) -> bool:
        """Do *work*; False: the journal refuses, nothing has happened, and the link goes on."""
        doing = asyncio.ensure_future(self._do(work))
        try:
            await asyncio.shield(doing)
        except JournalError as error:
            self._in_trouble(str(error))
            return False
        except asyncio.CancelledError:
            # What the journal has got must reach its printer, also when the link ends now.
            await asyncio.wait((doing,))
            if not doing.cancelled() and (failed := doing.exception()) is not None:
                log.warning("the link ended amid this: %s; the API will say it again", failed)
            raise
        self._in_trouble(None)
        return True

    def _in_trouble(self, why: str | None) -> None:
        if why == self._trouble:
            return
        self._trouble = why
        self.on_trouble(why)
        if why is None:
            log.info("the journal takes again what the API says")
        else:
            log.error("%s; what the API says waits: is the disk full?", why)

    async def _do(self, work: _Work) -> None:
        if isinstance(work, list):
            seq = await self._room.commands(work)
            self._uplink.say(CmdGot(seq=seq), self._clock())
            self.on_got()
        elif isinstance(work, FactAck):
            await self._acknowledge(work)
        else:
            await self._room.configure(work)
            self._uplink.say(Reported(version=work.version), self._clock())

    async def _acknowledge(self, ack: FactAck) -> None:
        _, newest = await self._journal.run(Journal.fact_span)
        journal_id = await self._journal.run(Journal.journal_id)
        if ack.journal_id != journal_id:
            return
        if ack.seq > newest:
            await self._journal.run(Journal.renew, self._journal.now())
            raise LinkError(
                f"the API has fact {ack.seq}, this journal ends at {newest}: it was rolled back "
                "and goes on under a new id"
            )
        await self._room.acknowledged(ack.seq)
        self.on_ack()


def _older(work: _Work, waited_s: float) -> _Work:
    """*work* after it has waited: the life of commands and leases goes on meanwhile."""
    waited_ms = int(waited_s * 1000)
    if isinstance(work, list):
        return [aged(command, waited_ms) for command in work]
    return worn(work, waited_ms) if isinstance(work, Desired) else work


def refused(refuse: Refuse) -> Refused:
    """Why, and what to do about it, in one line."""
    text = f"the API refused this bridge ({refuse.code}): {refuse.reason}"
    return Refused(refuse.code, text, refuse.retry_after_s, refuse.action)


def _ended(error: ConnectionClosed) -> LinkError:
    """What the end of a socket means, by the code that the API closed it with."""
    close = error.rcvd
    if close is None:
        return LinkError("the line to the API broke: it ended without a word")
    if close.code == REVOKED:
        return Refused("revoked", "the API has revoked this bridge")
    if close.code == REPLACED:
        return Refused("replaced", "another connection of this bridge has taken over")
    return LinkError(f"the API ended the link ({close.code}): {close.reason or 'without a reason'}")
