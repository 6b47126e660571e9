"""Plugs as they answer over HTTP: Tasmota 13, Shelly of both generations, and broken ones."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from urllib.parse import parse_qs, unquote, urlsplit

#: What a plug answers to a path: status and body.
Answers = Callable[[str], tuple[int, bytes]]


class FakePlug:
    """A plug: *asked* are the paths in their order, *raw* replaces what it sends, as it is."""

    def __init__(self, kind: str, *, is_on: bool = True, measures: bool = True) -> None:
        self.kind = kind
        self.is_on = is_on
        self.measures = measures
        self.obeys = True
        self.asked: list[str] = []
        self.raw: bytes | None = None
        self.hold: Callable[[], Awaitable[object]] | None = None
        self.port = 0

    def address(self, host: str) -> tuple[str, int]:
        """Where it is, whatever *host* it is given as."""
        return "127.0.0.1", self.port

    @property
    def orders(self) -> list[str]:
        """The paths that switch."""
        words = ("Power On", "Power Off", "turn=", "Switch.Set")
        return [path for path in map(unquote, self.asked) if any(word in path for word in words)]

    def answer(self, path: str) -> tuple[int, bytes]:
        """Status and body of a GET."""
        said = {"tasmota": self._tasmota, "shelly1": self._shelly1, "shelly2": self._shelly2}
        answer = said[self.kind](path)
        return (404, b"not found") if answer is None else (200, json.dumps(answer).encode())

    def _set(self, on: bool) -> None:
        if self.obeys:
            self.is_on = on

    def _tasmota(self, path: str) -> dict[str, object] | None:
        if urlsplit(path).path != "/cm":
            return None
        command = parse_qs(urlsplit(path).query)["cmnd"][0]
        if command in ("Power On", "Power Off"):
            self._set(command.endswith("On"))
        if command.startswith("Power"):
            return {"POWER": "ON" if self.is_on else "OFF"}
        energy = {"Total": 3.185, "Yesterday": 0.2, "Power": 121, "Voltage": 229, "Current": 0.5}
        sensors: dict[str, object] = {"Time": "2026-11-22T07:00:00"}
        return {"StatusSNS": sensors | ({"ENERGY": energy} if self.measures else {})}

    def _shelly1(self, path: str) -> dict[str, object] | None:
        where = urlsplit(path)
        if where.path == "/shelly":
            return {"type": "SHPLG-S", "mac": "A4CF12F45E1A", "auth": False, "fw": "1.14"}
        if where.path == "/meter/0" and self.measures:
            return {"power": 61.5, "is_valid": True, "total": 120_000}
        if where.path != "/relay/0":
            return None
        turn = parse_qs(where.query).get("turn")
        if turn is not None:
            self._set(turn[0] == "on")
        return {"ison": self.is_on, "has_timer": False, "source": "http"}

    def _shelly2(self, path: str) -> dict[str, object] | None:
        where = urlsplit(path)
        if where.path == "/shelly":
            return {"id": "shellyplusplugs-a1", "gen": 2, "auth_en": False}
        if where.path == "/rpc/Switch.Set":
            was_on = self.is_on
            self._set(parse_qs(where.query)["on"] == ["true"])
            return {"was_on": was_on}
        if where.path != "/rpc/Switch.GetStatus":
            return None
        measured = {"apower": 8.9, "voltage": 237.5, "aenergy": {"total": 6532.0}}
        return {"id": 0, "output": self.is_on, **(measured if self.measures else {})}


@asynccontextmanager
async def plugged_in(plug: FakePlug) -> AsyncIterator[FakePlug]:
    """While this lasts, *plug* answers at its `port`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = (await reader.readuntil(b"\r\n\r\n")).decode("ascii")
            path = request.split(" ", 2)[1]
            plug.asked.append(path)
            if plug.hold is not None:
                await plug.hold()
            status, body = plug.answer(path)
            head = f"HTTP/1.1 {status} x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
            writer.write(plug.raw if plug.raw is not None else head + body)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # whoever asked did not wait
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    plug.port = server.sockets[0].getsockname()[1]
    try:
        yield plug
    finally:
        server.close()
        await server.wait_closed()
