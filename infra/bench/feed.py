"""One change of a printer's state to two hundred sockets, beside a bare broadcast of the same run.

Dashboards on ``/ws`` and apps on OctoPrint's push of that printer, each with one among them that
never reads. Measured from the request that makes the printer change to the arrival of the news at
each socket: the new picture, and push's event (its `current` comes at most every half second). The
clients share the machine's cores with the server.
"""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection, connect

from infra.bench.api import served
from infra.bench.table import Figure, show

SOCKETS = 200
TURNS = 15
REST_S = 0.5  # between two changes
GOAL = "<= 250 ms"


@dataclass(slots=True)
class Crowd:
    """Sockets that wait for the mark of a turn: the text that only this turn's frame has."""

    mark: Callable[[int], str]
    sockets: list[ClientConnection] = field(default_factory=list)
    turn: int = 0
    came_at: list[float] = field(default_factory=list)
    all_came: asyncio.Event = field(default_factory=asyncio.Event)

    async def listen(self, socket: ClientConnection) -> None:
        """Note when this turn's frame comes, once per turn."""
        seen = 0
        async for text in socket:
            if self.turn > seen and self.mark(self.turn) in str(text):
                seen = self.turn
                self.came_at.append(time.monotonic())
                if len(self.came_at) == len(self.sockets):
                    self.all_came.set()


def run(*, as_json: bool = False) -> None:
    """Measure and print."""
    with served(2, "infra.bench.feed_served") as facts:
        figures = asyncio.run(_measure(facts))
    show(f"one change to {SOCKETS} sockets, one of them dead", figures, as_json=as_json)


async def _measure(facts: dict[str, Any]) -> list[Figure]:
    base = f"127.0.0.1:{facts['port']}"
    token = {"X-API-Key": facts["token"]}
    push = f"ws://{base}/octoprint/{facts['slug']}/sockjs/websocket"
    async with httpx.AsyncClient(base_url=f"http://{base}", trust_env=False) as http:
        login = await http.post(
            f"/octoprint/{facts['slug']}/api/login",
            json={"passive": True},
            headers={"X-Api-Key": facts["octoprint_key"]},
        )
        body = login.raise_for_status().json()
        auth = json.dumps({"auth": f"{body['name']}:{body['session']}"})
        bare = await _crowd(
            http, "shout", f"ws://{base}/bench/ws", lambda turn: f'"bare":{turn},', has_dead=False
        )
        told = await _crowd(
            http, "move", f"ws://{base}/ws", lambda turn: f'"nozzle_temp":{1000 + turn}.0', token
        )
        pushed = await _crowd(http, "move", push, lambda turn: f'"new":{turn}.0', hello=auth)
    reference = _at(bare, 0.99)
    return [
        Figure("bare broadcast p99", reference, "ms"),
        Figure("/ws p50", _at(told, 0.5), "ms", _at(bare, 0.5), "ms bare"),
        Figure("/ws p99", _at(told, 0.99), "ms", reference, "ms bare", GOAL),
        Figure("OctoPrint push p50", _at(pushed, 0.5), "ms", _at(bare, 0.5), "ms bare"),
        Figure("OctoPrint push p99", _at(pushed, 0.99), "ms", reference, "ms bare", GOAL),
    ]


async def _crowd(
    http: httpx.AsyncClient,
    verb: str,
    url: str,
    mark: Callable[[int], str],
    headers: dict[str, str] | None = None,
    *,
    hello: str = "",
    has_dead: bool = True,
) -> list[float]:
    """Milliseconds from a change to its arrival at each of `SOCKETS` sockets, over all turns."""
    crowd = Crowd(mark)
    opened = [await _open(url, headers, hello) for _ in range(SOCKETS + has_dead)]
    if has_dead:
        opened[-1].transport.pause_reading()
    crowd.sockets = opened[:SOCKETS]
    listeners = [asyncio.create_task(crowd.listen(each)) for each in crowd.sockets]
    await asyncio.sleep(2.0)
    latencies: list[float] = []
    for turn in range(1, TURNS + 1):
        crowd.came_at.clear()
        crowd.all_came.clear()
        crowd.turn = turn
        started = time.monotonic()
        (await http.post(f"/bench/{verb}/{turn}")).raise_for_status()
        async with asyncio.timeout(10):
            await crowd.all_came.wait()
        latencies += [(at - started) * 1000 for at in crowd.came_at]
        await asyncio.sleep(REST_S)
    for each in opened:
        each.transport.abort()
    await asyncio.gather(*listeners, return_exceptions=True)
    return sorted(latencies)


async def _open(url: str, headers: dict[str, str] | None, hello: str) -> ClientConnection:
    socket = await connect(url, additional_headers=headers, ping_interval=None)
    if hello:
        await socket.send(hello)
    return socket


def _at(values: Sequence[float], share: float) -> float:
    return values[min(len(values) - 1, int(len(values) * share))]
