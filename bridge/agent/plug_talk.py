"""What plugs in the room's network are asked, and how they answer (v1 contract, 2.3).

Tasmota speaks commands in the address, Shelly relays (first generation) or calls (later ones). A
plug is a small thing that may hang, lie or send anything: every question ends within `ANSWER_S`,
an answer is at most `MAX_ANSWER_BYTES`, and what does not make sense is a `PlugError`.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from bridge.errors import BridgeError
from schemas.plugs import PlugKind

#: A plug that does not answer for so long is not there.
ANSWER_S = 4.0
MAX_ANSWER_BYTES = 16 * 1024
_WATT_MINUTES_PER_KWH = 60_000.0
_WATT_HOURS_PER_KWH = 1000.0
_OK, _UNAUTHORIZED, _NOT_FOUND = 200, 401, 404


class PlugError(BridgeError):
    """The plug cannot be asked, or says what makes no sense; the text is for a person."""


class Absent(PlugError):
    """The plug has nothing of that name."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How a plug stands: *power_w* now and *energy_kwh* ever; None where it does not measure."""

    is_on: bool
    power_w: float | None = None
    energy_kwh: float | None = None


#: Asks the plug for a path and returns the JSON object that it answers. Raises `PlugError`.
Ask = Callable[[str], Awaitable[Mapping[str, Any]]]


class Dialect(Protocol):
    """How one kind of plug is spoken to. Both raise `PlugError`."""

    async def read(self, ask: Ask) -> Reading:
        """How it stands."""

    async def switch(self, ask: Ask, on: bool) -> None:
        """Turn it *on*, or off."""


class Tasmota:
    """Tasmota: commands by ``/cm``; the first relay of devices that have several."""

    async def read(self, ask: Ask) -> Reading:
        """How it stands."""
        is_on = _relay(await self._tell(ask, "Power"))
        sensors = (await self._tell(ask, "Status%208")).get("StatusSNS")
        energy = sensors.get("ENERGY") if isinstance(sensors, dict) else None
        energy = energy if isinstance(energy, dict) else {}
        return Reading(is_on, _number(energy.get("Power")), _number(energy.get("Total")))

    async def switch(self, ask: Ask, on: bool) -> None:
        """Turn it *on*, or off."""
        await self._tell(ask, "Power%20On" if on else "Power%20Off")

    @staticmethod
    async def _tell(ask: Ask, command: str) -> Mapping[str, Any]:
        said = await ask(f"/cm?cmnd={command}")
        if "WARNING" in said:  # "Need user=<username>&password=<password>"
            raise PlugError(_LOCKED)
        return said


class Shelly:
    """Shelly, both ways: ``/rpc`` since the second generation, ``/relay`` before."""

    async def read(self, ask: Ask) -> Reading:
        """How it stands."""
        if await self._has_calls(ask):
            said = await ask("/rpc/Switch.GetStatus?id=0")
            counted = said.get("aenergy")
            counted = counted.get("total") if isinstance(counted, dict) else None
            total = _number(counted)
            kwh = None if total is None else total / _WATT_HOURS_PER_KWH
            return Reading(_flag(said, "output"), _number(said.get("apower")), kwh)
        is_on = _flag(await ask("/relay/0"), "ison")
        try:
            meter = await ask("/meter/0")
        except Absent:
            return Reading(is_on)
        total = _number(meter.get("total"))
        kwh = None if total is None else total / _WATT_MINUTES_PER_KWH
        return Reading(is_on, _number(meter.get("power")), kwh)

    async def switch(self, ask: Ask, on: bool) -> None:
        """Turn it *on*, or off."""
        if await self._has_calls(ask):
            await ask(f"/rpc/Switch.Set?id=0&on={'true' if on else 'false'}")
        else:
            await ask(f"/relay/0?turn={'on' if on else 'off'}")

    @staticmethod
    async def _has_calls(ask: Ask) -> bool:
        return isinstance((await ask("/shelly")).get("gen"), int)


DIALECTS: Mapping[str, Dialect] = {PlugKind.TASMOTA: Tasmota(), PlugKind.SHELLY: Shelly()}
_LOCKED = "the plug asks for a password: switch that off in its own settings"


def asker(address: tuple[str, int], timeout_s: float = ANSWER_S) -> Ask:
    """How the plug at *address* is asked."""

    async def ask(path: str) -> Mapping[str, Any]:
        try:
            async with asyncio.timeout(timeout_s):
                status, body = await _get(address, path)
        except TimeoutError:
            raise PlugError("the plug does not answer: is it plugged in?") from None
        except asyncio.LimitOverrunError:
            raise PlugError("the plug's answer is too long") from None
        except (OSError, asyncio.IncompleteReadError) as error:
            raise PlugError(f"the plug cannot be reached: {_plain(error)}") from None
        return _said(status, body)

    return ask


async def _get(address: tuple[str, int], path: str) -> tuple[int, bytes]:
    """The status and the body of a GET; HTTP/1.0, so that nothing comes in chunks."""
    host, port = address
    reader, writer = await asyncio.open_connection(host, port, limit=MAX_ANSWER_BYTES)
    try:
        name = f"[{host}]" if ":" in host else host
        request = f"GET {path} HTTP/1.0\r\nHost: {name}\r\nConnection: close\r\n\r\n"
        writer.write(request.encode("ascii"))
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        status, length = _head(head)
        if length is not None:
            return status, await reader.readexactly(length)
        return status, await _rest(reader)
    finally:
        writer.close()


async def _rest(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while chunk := await reader.read(MAX_ANSWER_BYTES):
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise PlugError("the plug's answer is too long")
    return body


def _head(head: bytes) -> tuple[int, int | None]:
    """The status and the length of the body, None where it ends with the connection."""
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ", 2)
    if not words[0].startswith("HTTP/1.") or len(words) < 2 or not words[1].isdigit():
        raise PlugError("what answers there is no plug: it does not speak HTTP")
    headers = {name.lower(): value.strip() for name, _, value in (s.partition(":") for s in lines)}
    if "transfer-encoding" in headers:
        raise PlugError("the plug answers in chunks although it was asked not to")
    length = headers.get("content-length")
    if length is None:
        return int(words[1]), None
    if not (length.isascii() and length.isdigit()) or int(length[:9]) > MAX_ANSWER_BYTES:
        raise PlugError("the plug's answer is too long")
    return int(words[1]), int(length[:9])


def _said(status: int, body: bytes) -> Mapping[str, Any]:
    if status == _UNAUTHORIZED:
        raise PlugError(_LOCKED)
    if status == _NOT_FOUND:
        raise Absent("what answers there is no plug of this kind (404)")
    if status != _OK:
        raise PlugError(f"the plug answers with status {status}")
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise PlugError("what answers there is no plug of this kind: it says no JSON object")
    return said


def _relay(said: Mapping[str, Any]) -> bool:
    for name in ("POWER", "POWER1"):
        if said.get(name) in ("ON", "OFF"):
            return bool(said[name] == "ON")
    raise PlugError("the plug does not say whether it is on")


def _flag(said: Mapping[str, Any], name: str) -> bool:
    value = said.get(name)
    if not isinstance(value, bool):
        raise PlugError("the plug does not say whether it is on")
    return value


#: More than any socket gives or ever counts: what is above is no measurement.
_MAX_MEASURED = 1e9


def _number(value: Any) -> float | None:
    """What a plug measures; Tasmota lists several relays, of which the first feeds the printer."""
    if isinstance(value, list):
        value = value[0] if value else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return round(float(value), 3) if 0 <= value <= _MAX_MEASURED else None


def _plain(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) else None
    return (text or "it hangs up").lower()
