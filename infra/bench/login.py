"""A login storm beside other work: what it does to the latency of a cheap route."""

import asyncio
import multiprocessing
import time
from typing import Any

import httpx

from infra.bench.api import served
from infra.bench.load import measure
from infra.bench.table import Figure, show

#: People who log in again and again, all at once: as many as one address may have on their way, so
#: that nobody is refused and two passwords are hashed at every moment.
STORM = 8
SECONDS = 4.0


def run(*, as_json: bool = False) -> None:
    """Measure and print."""
    with served(1) as facts:
        port = facts["port"]
        token = {"X-API-Key": facts["token"]}
        calm = measure(port, "/api/v1/printers", token, connections=2, seconds=SECONDS)
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            storm = pool.apply_async(_storm, (port, facts["password"], SECONDS + 2.0))
            time.sleep(1.0)
            stormy = measure(port, "/api/v1/printers", token, connections=2, seconds=SECONDS)
            logins = storm.get(60.0)
    figures = [
        Figure("logins that succeed", logins / (SECONDS + 2.0), "/s"),
        Figure("GET /printers, p99", calm.p99_ms, "ms"),
        Figure("  during the storm", stormy.p99_ms, "ms", calm.p99_ms, "ms", "at most 20 ms more"),
    ]
    show(f"{STORM} people log in all the time", figures, as_json=as_json)


def _storm(port: int, password: str, seconds: float) -> int:
    return asyncio.run(_log_in(port, password, seconds))


async def _log_in(port: int, password: str, seconds: float) -> int:
    body: dict[str, Any] = {"username": "bench", "password": password}
    until = time.monotonic() + seconds
    answered = 0

    async def one(client: httpx.AsyncClient) -> None:
        nonlocal answered
        while time.monotonic() < until:
            answer = await client.post("/api/v1/auth/login", json=body)
            answered += answer.status_code == 200

    url = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient(base_url=url, timeout=60.0, trust_env=False) as client:
        await asyncio.gather(*(one(client) for _ in range(STORM)))
    return answered
