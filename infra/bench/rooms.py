"""Many rooms at once, each a real link and nothing behind it: a load for the API.

A room proves its key, greets, works by its configuration, journals and finishes every command at
once, and sends a picture of all its printers every second. One process holds hundreds of them.
"""

import asyncio
import base64
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, WebSocketException

from schemas.commands import CommandState
from schemas.facts import CommandFact, Fact, FactBatch, FactBody, Port, PrinterFact
from schemas.link import (
    AUTH_SCHEME,
    LINK_PATH,
    NONCE_PATH,
    Body,
    Cmd,
    CmdGot,
    Desired,
    FactAck,
    Hello,
    LiveSnap,
    RemoteStop,
    Reported,
    Resume,
    Sender,
    Welcome,
    signed_text,
)
from schemas.printer import Live, PrinterState, Temperature
from schemas.session import LinkSession

BATCH_FACTS = 100
BACK_S = 0.5  # before a room that lost its link dials again, with its own jitter added


def new_key() -> tuple[Ed25519PrivateKey, str]:
    """A private key, and its public half as the API keeps it."""
    key = Ed25519PrivateKey.generate()
    return key, base64.b64encode(key.public_key().public_bytes_raw()).decode()


class Refused(RuntimeError):
    """An API that is there has not given a nonce; the text is its answer."""


async def _ask_nonce(url: str, uid: str) -> str:
    """A nonce, asked for by hand: a thousand rooms of one process must cost it little."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        body = json.dumps({"bridge_id": uid}).encode()
        head = (
            f"POST {NONCE_PATH} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        answer = await reader.read()
    finally:
        writer.close()
    if not answer:
        raise EOFError
    if not answer.startswith(b"HTTP/1.1 2"):
        raise Refused(answer.decode("utf-8", "replace"))
    return str(json.loads(answer.partition(b"\r\n\r\n")[2])["nonce"])


@dataclass(slots=True)
class Room:
    """One bridge. *printers*: their numbers; *url*: of an API, or a proxy in front of several.

    *is_deaf*: it says and does nothing any more, though its connection stands. *untold*: how many
    facts it has gathered while it was away, told batch by batch once the link stands.
    """

    url: str
    uid: str
    key: Ed25519PrivateKey
    ports: list[str]
    printers: list[int]
    live_s: float = 1.0
    sees: bool = True  # False: nothing changes, so nothing is shown
    state: PrinterState = PrinterState.OPERATIONAL  # of all its printers
    is_deaf: bool = False
    untold: int = 0
    up_at: float = 0.0
    linked: asyncio.Event = field(default_factory=asyncio.Event)
    cut: asyncio.Event = field(default_factory=asyncio.Event)  # not linked
    drops: int = 0
    done: list[str] = field(default_factory=list)
    stopped_at: dict[int, float] = field(default_factory=dict)  # monotonic, by printer, the first
    frames_up: int = 0
    frames_down: int = 0
    last_fact: int = 0
    acked: int = 0
    refusals: int = 0  # of dials that were answered with an error by an API that is there
    _was_acked: asyncio.Event = field(default_factory=asyncio.Event)
    _socket: ClientConnection | None = None
    _turn: int = 0

    async def run(self) -> None:
        """Keep the link up until cancelled."""
        while True:
            try:
                async with await self._dial() as socket:
                    await self._serve(socket)
            except (Refused, InvalidHandshake, TimeoutError):
                self.refusals += 1
            except (WebSocketException, EOFError, OSError):
                pass  # nobody is there
            self.up_at = 0.0
            self.linked.clear()
            self.cut.set()
            self.drops += 1
            await asyncio.sleep(BACK_S * (1 + hash(self.uid) % 100 / 100))

    def hang_up(self) -> None:
        """The connection breaks; it dials again by itself."""
        if self._socket is not None:
            self._socket.transport.abort()

    async def has_told(self, seq: int) -> None:
        """Wait until the API has every fact up to *seq*."""
        while self.acked < seq:
            self._was_acked.clear()
            await self._was_acked.wait()

    async def _dial(self) -> connect:
        nonce = await _ask_nonce(self.url, self.uid)
        signature = base64.b64encode(self.key.sign(signed_text(self.uid, nonce))).decode()
        proof = f'{AUTH_SCHEME} bridge="{self.uid}", nonce="{nonce}", signature="{signature}"'
        return connect(
            "ws" + self.url.removeprefix("http") + LINK_PATH,
            additional_headers={"Authorization": proof},
            compression=None,
            ping_interval=None,
            proxy=None,
            open_timeout=30,
        )

    async def _serve(self, socket: ClientConnection) -> None:
        self._socket = socket
        session = LinkSession(Sender.AGENT, time.monotonic())
        session.say(self._hello(), time.monotonic())
        await self._flush(session, socket)
        shown = asyncio.create_task(self._show(session, socket))
        try:
            async for text in socket:
                if self.is_deaf:
                    continue
                self.frames_down += 1
                body = session.receive(text, time.monotonic())
                if isinstance(body, Welcome):
                    self.up_at = time.monotonic()
                    self.linked.set()
                    self.cut.clear()
                    self._begin(session)
                elif body is not None:
                    self._answer(session, body)
                await self._flush(session, socket)
        finally:
            shown.cancel()

    def _hello(self) -> Hello:
        ports = [Port(port_id=name, device=f"/dev/{name}") for name in self.ports]
        return Hello(
            protocols=(1, 1),
            bridge_id=self.uid,
            boot_id="bench",
            boot_count=1,
            agent_version="bench",
            ports=ports,
            resume=Resume(journal_id=self.uid[:16], oldest_fact=1, newest_fact=self.last_fact),
        )

    def _begin(self, session: LinkSession) -> None:
        """What is true when the link stands: what every printer does."""
        session.say(self._snap(), time.monotonic())
        if self.last_fact == 0:
            state = self.state
            self._tell(session, [PrinterFact(printer=each, state=state) for each in self.printers])
        elif self.untold:
            self._tell_more(session)

    def _answer(self, session: LinkSession, body: Body) -> None:
        now = time.monotonic()
        if isinstance(body, Desired) and body.part == body.parts:
            session.say(Reported(version=body.version), now)
        elif isinstance(body, Cmd):
            session.say(CmdGot(seq=body.seq), now)
            self._finish(session, body.id, CommandState.STARTED, CommandState.DONE)
        elif isinstance(body, RemoteStop):
            self.stopped_at.setdefault(body.printer, now)
            self._finish(session, body.id, CommandState.DONE)
        elif isinstance(body, FactAck):
            self.acked = body.seq
            self._was_acked.set()
            if self.untold and self.acked == self.last_fact:
                self._tell_more(session)

    def _tell_more(self, session: LinkSession) -> None:
        """The next batch of what happened while it was away: printers that came and went."""
        count = min(self.untold, BATCH_FACTS)
        self.untold -= count
        states = (PrinterState.OFFLINE, PrinterState.OPERATIONAL)
        printers = [self.printers[number % len(self.printers)] for number in range(count)]
        turns = (number // len(self.printers) for number in range(count))
        pairs = zip(printers, turns, strict=True)
        self._tell(session, [PrinterFact(printer=each, state=states[n % 2]) for each, n in pairs])

    def _finish(self, session: LinkSession, command: str, *states: CommandState) -> None:
        self._tell(session, [CommandFact(id=command, state=state) for state in states])
        self.done.append(command)

    def _tell(self, session: LinkSession, bodies: Sequence[FactBody]) -> None:
        facts = []
        for body in bodies:
            self.last_fact += 1
            facts.append(Fact(seq=self.last_fact, at_ms=self.last_fact, boot_id="bench", body=body))
        session.say(FactBatch(journal_id=self.uid[:16], facts=facts), time.monotonic())

    async def _show(self, session: LinkSession, socket: ClientConnection) -> None:
        while True:
            await asyncio.sleep(self.live_s)
            if not self.up_at or self.is_deaf:
                continue
            session.tick(time.monotonic())
            if self.sees:
                session.say(self._snap(), time.monotonic())
            await self._flush(session, socket)

    def _snap(self) -> LiveSnap:
        self._turn += 1
        temps = {
            "tool0": Temperature(200 + self._turn % 10 / 10, 200.0),
            "bed": Temperature(60 + self._turn % 7 / 10, 60.0),
        }
        return LiveSnap(
            printers=[
                Live(printer=each, state=self.state, temps=temps, temps_age_s=0.1)
                for each in self.printers
            ]
        )

    async def _flush(self, session: LinkSession, socket: ClientConnection) -> None:
        while (text := session.data_to_send()) is not None:
            self.frames_up += 1
            await socket.send(text)
