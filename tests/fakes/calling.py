"""A bridge as a running API sees it: HTTPS calls and frames, nothing behind them."""

import asyncio
import contextlib

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from schemas.codec import decode, encode
from schemas.facts import Fact, FactBatch, FactBody, Port
from schemas.link import Body, FactAck, Frame, Welcome
from schemas.watching import Interest
from tests.fakes.agents import AgentKey, hello_of

PORT = Port(port_id="usb:1-1", device="/dev/ttyACM0")


class Agent:
    """One bridge, calling the API at *url*, which may change."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._key = AgentKey()
        self.uid = ""
        self._epoch = 0
        self._seq = 0
        self.socket: ClientConnection

    def pair(self, admin: httpx.Client) -> None:
        """By an admin's approval."""
        with httpx.Client(base_url=f"{self.url}/bridge/v1", timeout=30) as http:
            ask = {"public_key": self._key.public, "room": "Workshop"}
            code = http.post("/pairing", json=ask).raise_for_status().json()
            approval = admin.post(f"/pairing/{code['user_code']}/approve").raise_for_status()
            assert approval.json()["fingerprint"] == code["fingerprint"]
            proof = self._key.sign(b"gantry-pair-v1\n" + code["device_code"].encode())
            body = {"device_code": code["device_code"], "signature": proof}
            self.uid = http.post("/pairing/token", json=body).raise_for_status().json()["bridge_id"]

    async def dial(self) -> ClientConnection:
        """A fresh nonce, signed, and the upgrade."""
        async with httpx.AsyncClient(base_url=f"{self.url}/bridge/v1", timeout=30) as http:
            answer = await http.post("/nonce", json={"bridge_id": self.uid})
        credentials = self._key.credentials(self.uid, answer.json()["nonce"])
        url = self.url.replace("http", "ws") + "/bridge/v1/link"
        return await connect(url, additional_headers={"Authorization": credentials})

    async def connect(self) -> Welcome:
        """A link up to the welcome."""
        self.socket = await self.dial()
        hello = hello_of(self.uid, ports=[PORT], oldest=self._seq + 1, newest=self._seq)
        self._epoch = 0
        await self.say(hello)
        welcome = await self.hear()
        assert isinstance(welcome, Welcome)
        self._epoch = welcome.epoch
        return welcome

    async def say(self, body: Body) -> None:
        await self.socket.send(encode(Frame(body=body, epoch=self._epoch)))

    async def hear(self) -> Body:
        """What is said next; how much people want to see may be said at any time."""
        async with asyncio.timeout(20):
            while isinstance(body := decode(await self.socket.recv()).body, Interest):
                pass
            return body

    async def tell(self, *bodies: FactBody) -> None:
        """Facts, up to their acknowledgement."""
        await self.say(self.facts(*bodies))
        assert await self.hear() == FactAck(journal_id="J1", seq=self._seq)

    def facts(self, *bodies: FactBody) -> FactBatch:
        """The next ones in the journal."""
        facts = []
        for body in bodies:
            self._seq += 1
            facts.append(Fact(seq=self._seq, at_ms=0, boot_id="boot-1", body=body))
        return FactBatch(journal_id="J1", facts=facts)

    async def close_code(self) -> int | None:
        """How the API closes the link."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                await self.hear()
        return self.socket.close_code
