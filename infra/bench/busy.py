"""Printers that are busy beside the one that is measured: rooms that join a running farm.

They are paired with an enrolment token, their links are real (`rooms`), and every second they show
what all their printers do. They live in a thread of this process.
"""

import asyncio
import base64
import time
from contextlib import AbstractContextManager, ExitStack
from threading import Event, Thread
from types import TracebackType
from typing import Any

import httpx

from infra.bench.rooms import Room, new_key
from schemas.printer import PrinterState

EACH = 11
_PATIENCE_S = 60.0


class BusyPrinters(AbstractContextManager["BusyPrinters"]):
    """*count* more printers, a multiple of `EACH`, that print as far as the farm can see."""

    def __init__(self, ready: dict[str, Any], count: int) -> None:
        self._url: str = ready["url"]
        self._headers = {"X-API-Key": ready["token"]}
        self._count = count
        self._rooms: list[Room] = []
        self._done = Event()
        self._thread = Thread(target=lambda: asyncio.run(self._live()))

    def __enter__(self) -> "BusyPrinters":
        with httpx.Client(base_url=self._url, headers=self._headers, trust_env=False) as http:
            body = {"name": "bench", "uses": self._count // EACH}
            made = http.post("/api/v1/bridges/enrolment-tokens", json=body)
            token: str = made.raise_for_status().json()["token"]
            for number in range(self._count // EACH):
                self._rooms.append(self._paired(http, f"busy {number}", token))
            self._thread.start()
            with ExitStack() as unless_all_are_there:
                unless_all_are_there.callback(self._end)
                self._furnish(http)
                unless_all_are_there.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def _end(self) -> None:
        self._done.set()
        self._thread.join()

    def _paired(self, http: httpx.Client, name: str, token: str) -> Room:
        key, public = new_key()
        signature = key.sign(b"gantry-enrol-v1\n" + token.encode())
        body = {
            "enrolment_token": token,
            "public_key": public,
            "signature": base64.b64encode(signature).decode(),
            "room": name,
        }
        uid = http.post("/bridge/v1/enrol", json=body).raise_for_status().json()["bridge_id"]
        ports = [f"virtual:{name.replace(' ', '')}p{number}" for number in range(EACH)]
        return Room(self._url, uid, key, ports, [], state=PrinterState.PRINTING)

    def _furnish(self, http: httpx.Client) -> None:
        """A printer on each port, once the ports are known."""
        rows = http.get("/api/v1/bridges?limit=500").raise_for_status().json()
        bridges = {row["name"]: row["id"] for row in rows}
        for number, room in enumerate(self._rooms):
            bridge = bridges[f"busy {number}"]
            self._until_listed(http, bridge, set(room.ports))
            for port in room.ports:
                body = {"name": port, "bridge_id": bridge, "port_id": port, "api_type": "serial"}
                made = http.post("/api/v1/printers", json=body).raise_for_status().json()
                room.printers.append(made["id"])

    def _until_listed(self, http: httpx.Client, bridge: int, ports: set[str]) -> None:
        until = time.monotonic() + _PATIENCE_S
        while time.monotonic() < until:
            rows = http.get(f"/api/v1/bridges/{bridge}/ports").raise_for_status().json()
            if ports <= {row["port_id"] for row in rows}:
                return
            time.sleep(0.1)
        raise TimeoutError(f"the ports of bridge {bridge} did not appear")

    async def _live(self) -> None:
        tasks = [asyncio.create_task(room.run()) for room in self._rooms]
        await asyncio.to_thread(self._done.wait)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
