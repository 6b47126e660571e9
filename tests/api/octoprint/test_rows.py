"""Each row of the OctoPrint contract, at every address that an OctoPrint of the farm has."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from api.octoprint.app_keys import AppKeyRequest
from api.pools.service import NewPool, Pool
from tests.api.octoprint import (
    rows_absent,
    rows_files,
    rows_job,
    rows_machine,
    rows_models,
    rows_people,
    rows_uploads,
)
from tests.api.octoprint.conftest import Farm, World, opened
from tests.api.octoprint.rows import ADMIN, GIVEN, NOBODY, VIEWER, WRONG, Row, at, clear

pytestmark = pytest.mark.asyncio(loop_scope="session")

TABLES = (
    *(rows_machine, rows_job, rows_models, rows_files, rows_uploads, rows_people, rows_absent),
)
ROWS = [row for table in TABLES for row in table.ROWS]
PRINTER = "/octoprint/alpha"
PREFIX = "/shop"
READ = "max-age=0"
WRITTEN = "no-store, no-cache, must-revalidate, post-check=0, pre-check=0, max-age=0"
PROXY = {"X-Script-Name": PREFIX, "X-Forwarded-Host": "print.example"}


async def ask(farm: Farm, row: Row, root: str, headers: dict[str, str]) -> httpx.Response:
    """The row's request at *root*."""
    key = {ADMIN: farm.key, VIEWER: farm.viewer_key, WRONG: "x" * 43, NOBODY: None}[row.by]
    sent = {**headers, **row.headers, **({} if key is None else {"X-Api-Key": key})}
    return await farm.http.request(row.method, root + row.path, headers=sent, **row.request())


def check(row: Row, answer: httpx.Response, status: int, base: str) -> None:
    """The answer is what the row says."""
    assert answer.status_code == status, answer.text
    _check_manners(row, answer)
    if row.media:
        assert answer.headers["content-type"].startswith(row.media)
    elif status >= 400 and not row.path.startswith("/downloads"):
        told = answer.json()
        assert isinstance(told["error"], str) and told["error"]
    if row.lands is not None:
        assert answer.headers["location"].endswith(base + row.lands)
    if row.equals is not None:
        assert answer.json() == row.equals
    _check_object(row, answer)


def _check_manners(row: Row, answer: httpx.Response) -> None:
    """What holds for every answer, whatever was asked."""
    kind, headers = answer.headers.get("content-type", ""), answer.headers
    if answer.status_code == 204:
        assert (answer.content, kind.partition(";")[0]) == (b"", "text/html")
    if kind.startswith("application/json"):
        assert kind == "application/json"
        assert answer.text == json.dumps(answer.json(), indent=2, sort_keys=True) + "\n"
    if row.section != "8":  # SockJS has its own
        assert headers["x-robots-tag"] == "noindex, nofollow, noimageindex"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] in ("sameorigin", "DENY")  # a page is never framed
    if row.section != "8" and (kind == "application/json" or answer.status_code == 204):
        assert headers["cache-control"] == (READ if row.method in ("GET", "HEAD") else WRITTEN)
        never = (headers.get("pragma"), headers.get("expires")) == ("no-cache", "-1")
        assert never is (row.method not in ("GET", "HEAD"))
    if row.by in (ADMIN, VIEWER) and row.path != "/api/logout":
        assert "set-cookie" not in headers


def _check_object(row: Row, answer: httpx.Response) -> None:
    found: Any = answer.json() if row.keys is not None or row.keys_at or row.has else None
    if row.keys is not None:
        assert set(found) == row.keys
    for dotted, keys in row.keys_at.items():
        assert set(at(found, dotted)) == keys, dotted
    for dotted, wanted in row.has.items():
        assert at(found, dotted) == wanted, dotted


class Table:
    """One farm for all rows: made as it was only after a row that may have changed it."""

    def __init__(self, farm: Farm, world: World) -> None:
        self.farm = farm
        self._world = world
        self._is_clean = True
        self._pool: Pool | None = None

    async def prepare(self, row: Row, root: str) -> None:
        """The farm as *row* finds it at *root*."""
        await self._clean(row)
        await self._bring_about(row, root)

    async def prepare_pool(self, row: Row) -> str:
        """The farm as *row* finds it, and the root of a pool of both printers."""
        await self._clean(row)
        if self._pool is None:
            pools = self.farm.application.rooms.pools
            self._pool = await pools.create(
                self.farm.admin, NewPool(name="All", printer_ids=(1, 2))
            )
        root = f"/octoprint/{self._pool.slug}"
        await self._bring_about(row, root)
        return root

    async def _clean(self, row: Row) -> None:
        if not self._is_clean:
            await self._world.reset()
            await clear(self.farm)
            self.farm.http.cookies.clear()
            self._pool = None
        self._is_clean = row.is_harmless

    async def _bring_about(self, row: Row, root: str) -> None:
        for given in row.given:
            await GIVEN[given](self.farm, root)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def table(world: World) -> AsyncIterator[Table]:
    async with opened(world) as farm:
        yield Table(farm, world)


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
async def test_the_row_holds_at_every_root(table: Table, row: Row) -> None:
    """octoprint 1 JSON, 1 errors, 1 commands, 1 headers, 1 script root, 2 guests: directly at the
    server's root, and below a printer's behind a proxy with a prefix; no cookies with a key.
    """
    farm = table.farm
    farm.application.database.__enter__()
    if not row.slug_only:
        await table.prepare(row, "")
        check(row, await ask(farm, row, "", {}), row.status, "")
    await table.prepare(row, PRINTER)
    answer = await ask(farm, row, PRINTER, PROXY)
    check(row, answer, row.status, PREFIX + PRINTER if "logs" not in row.path else "")


POOL = [row for row in ROWS if row.pool is not None]


@pytest.mark.parametrize("row", POOL, ids=[row.name for row in POOL])
async def test_the_row_at_a_pools_root(table: Table, row: Row) -> None:
    """The same where a pool can; where it takes one printer a 409 (404 for a card)."""
    farm = table.farm
    farm.application.database.__enter__()
    root = await table.prepare_pool(row)
    answer = await ask(farm, row, root, {})
    assert answer.status_code == row.pool, answer.text
    if answer.status_code == row.status and row.lands is not None:
        assert answer.headers["location"].endswith(root + row.lands)
    if row.pool >= 400 and not row.media:
        assert answer.json()["error"]
    assert await AppKeyRequest.all().count() == (row.says == "asked")
