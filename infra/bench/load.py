"""A load of GET requests over kept connections, as cheap as Python allows, in its own process."""

import asyncio
import multiprocessing
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rate:
    """What a load run saw: requests per second, and the latency's median and 99th in ms."""

    per_second: float
    p50_ms: float
    p99_ms: float
    bytes_each: int


class BadAnswer(RuntimeError):
    """The server answered something else than 200."""


def measure(
    port: int, path: str, headers: dict[str, str], *, connections: int = 16, seconds: float = 3.0
) -> Rate:
    """GET *path* as often as *connections* allow for *seconds*. Raises `BadAnswer`."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_run, (port, path, headers, connections, seconds))


def _run(port: int, path: str, headers: dict[str, str], connections: int, seconds: float) -> Rate:
    return asyncio.run(_measure(port, path, headers, connections, seconds))


async def _measure(
    port: int, path: str, headers: dict[str, str], connections: int, seconds: float
) -> Rate:
    lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    request = ("\r\n".join(lines) + "\r\n\r\n").encode()
    latencies: list[float] = []
    sizes: set[int] = set()

    async def one(until: float, keep: bool) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
        while (started := time.perf_counter()) < until:
            writer.write(request)
            sizes.add(await _answer(reader))
            if keep:
                latencies.append(time.perf_counter() - started)
        writer.close()

    async def many(for_s: float, keep: bool) -> None:
        until = time.perf_counter() + for_s
        await asyncio.gather(*(one(until, keep) for _ in range(connections)))

    await many(0.5, keep=False)
    started = time.perf_counter()
    await many(seconds, keep=True)
    took = time.perf_counter() - started
    latencies.sort()
    return Rate(
        per_second=len(latencies) / took,
        p50_ms=latencies[len(latencies) // 2] * 1000,
        p99_ms=latencies[int(len(latencies) * 0.99)] * 1000,
        bytes_each=max(sizes),
    )


async def _answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise BadAnswer(head.decode("latin-1"))
    lowered = head.lower()
    at = lowered.find(b"content-length:")
    length = int(lowered[at + 15 : lowered.find(b"\r", at)])
    await reader.readexactly(length)
    return length
