"""Three API processes decide at the same time: every print starts once, on one printer.

Jobs come in through all of them, people start jobs by hand on several at once, and each runs the
queue. Meanwhile PostgreSQL ends every connection again and again, and one process is killed.
"""

import asyncio
import itertools
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from api.config import Settings
from infra.bench.replicas import Api, Furnished, furnish
from tests.fakes import databases
from tests.fakes.printing import PrintingRoom, printing

pytestmark = [pytest.mark.flow, pytest.mark.timeout(300)]

JOBS = 40
ROOMS, PRINTERS = 3, 3
CUBE = Path(__file__).parents[2] / "infra" / "demo" / "cube_small.gcode"


class Hall:
    """The processes, the rooms, and what requests were answered."""

    def __init__(self, server: databases.Server, name: str, folder: Path) -> None:
        self.server = server
        self.name = name
        self.folder = folder
        self.apis: list[Api] = []
        self.rooms: list[PrintingRoom] = []
        self.answers: Counter[int] = Counter()
        self.odd: list[str] = []
        self.is_replaced = asyncio.Event()
        self._turn = itertools.count()

    async def open(self) -> None:
        url = self.server.url(self.name)
        settings = Settings(data_dir=self.folder, database_url=url)
        made: Furnished = await furnish(settings, ROOMS, PRINTERS)
        self.apis = [await asyncio.to_thread(self._api, number) for number in range(3)]
        self.rooms = [
            printing(room, self.apis[number].url, number) for number, room in enumerate(made.rooms)
        ]
        limits = httpx.Limits(max_keepalive_connections=0)
        headers = {"X-API-Key": made.token}
        self.http = httpx.AsyncClient(headers=headers, timeout=20, trust_env=False, limits=limits)

    def _api(self, number: int) -> Api:
        files = f"file://{self.folder / 'files'}"
        url = self.server.url(self.name)
        return Api(url, self.folder / f"api{number}", GANTRY_STORAGE_URL=files)

    async def post(self, path: str, body: Any) -> httpx.Response | None:
        """Ask the next process; None: it was just killed."""
        api = self.apis[next(self._turn) % len(self.apis)]
        try:
            answer = await self.http.post(f"{api.url}/api/v1{path}", json=body)
        except httpx.HTTPError:
            return None
        self.answers[answer.status_code] += 1
        if answer.status_code >= 500:
            self.odd.append(f"{path}: {answer.status_code} {answer.text}")
        return answer

    async def kill_one(self) -> None:
        """The last process dies in the middle of things; another takes its place."""
        gone = self.apis.pop()
        gone.process.kill()
        gone.process.wait()
        self.rooms[2].url = self.apis[0].url
        await asyncio.sleep(1)
        self.apis.append(await asyncio.to_thread(self._api, 3))
        self.is_replaced.set()

    async def rows(self, query: str) -> list[Any]:
        return await self.server.run(query, database=self.name)

    def stop(self) -> None:
        for api in self.apis:
            api.process.kill()
            api.process.wait()


@pytest.fixture
def hall(tmp_path: Path) -> Iterator[Hall]:
    with databases.running_server() as server, ExitStack() as stack:
        hall = Hall(server, asyncio.run(server.migrated_database()), tmp_path)
        stack.callback(hall.stop)
        yield hall


async def _upload(hall: Hall) -> int:
    files = {"file": ("cube.gcode", CUBE.read_bytes())}
    url = f"{hall.apis[0].url}/api/v1/print-files/upload"
    made = (await hall.http.post(url, files=files)).raise_for_status().json()
    return int(made["id"])


async def _submit(hall: Hall, file_id: int) -> None:
    """A job, by whichever process can be asked; then two people start it at the same time."""
    printers = [printer for room in hall.rooms for printer in room.printers]
    answer = None
    while answer is None:
        answer = await hall.post("/jobs", {"item_name": "Cube", "print_file_id": file_id})
    if answer.status_code != 201:
        return
    job = answer.json()["id"]
    chance = hall.rooms[0].chance
    await asyncio.gather(
        *(
            hall.post(f"/jobs/{job}/dispatch", {"printer_id": printer})
            for printer in chance.sample(printers, 2)
        )
    )


async def _disturb(hall: Hall) -> None:
    for turn in itertools.count():
        await asyncio.sleep(0.7)
        await hall.server.end_backends(hall.name)
        if turn == 2:
            await hall.kill_one()


async def _all_done(hall: Hall) -> None:
    query = "SELECT count(*) AS n FROM job WHERE state <> 'completed'"
    while True:
        with suppress(asyncpg.PostgresConnectionError, OSError):
            if not (await hall.rows(query))[0]["n"]:
                return
        await asyncio.sleep(0.2)


async def test_three_processes_start_every_print_once(hall: Hall) -> None:
    """Doubled starts, lost connections, a killed process (safety I5, R19, R21, R23, R48)."""
    await hall.open()
    async with hall.http:
        rooms = [asyncio.create_task(room.run()) for room in hall.rooms]
        await asyncio.gather(*(room.linked.wait() for room in hall.rooms))
        file_id = await _upload(hall)
        trouble = asyncio.create_task(_disturb(hall))
        gate = asyncio.Semaphore(6)

        async def one() -> None:
            async with gate:
                await _submit(hall, file_id)

        await asyncio.gather(*(one() for _ in range(JOBS)))
        await hall.is_replaced.wait()
        trouble.cancel()
        await asyncio.gather(trouble, return_exceptions=True)
        async with asyncio.timeout(60):
            await _all_done(hall)
        for task in rooms:
            task.cancel()
        await asyncio.gather(*rooms, return_exceptions=True)
    assert hall.odd == []
    await _check(hall)


async def _check(hall: Hall) -> None:
    assert [wrong for room in hall.rooms for wrong in room.wrong] == []
    starts: Counter[int] = sum((room.starts for room in hall.rooms), Counter())
    jobs = await hall.rows("SELECT id FROM job")
    assert len(jobs) >= JOBS
    assert starts == Counter(row["id"] for row in jobs)
    states = await hall.rows("SELECT job_id, state FROM attempt WHERE state <> 'completed'")
    assert {row["state"] for row in states} <= {"not_started", "cancelled"}
    held = await hall.rows("SELECT id FROM printer WHERE active_grant IS NOT NULL")
    assert held == []
    [numbers] = await hall.rows(
        "SELECT min(number) AS first, max(number) AS last, count(*) AS n, "
        "count(DISTINCT number) AS kinds FROM event WHERE organization_id = 1"
    )
    assert (numbers["first"], numbers["last"]) == (1, numbers["n"])
    assert numbers["kinds"] == numbers["n"]
