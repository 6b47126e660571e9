"""v1 routes of pools (ours: the contract has none): parse, ask the service, answer."""

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field, StringConstraints
from quart import Response

from api.clock import iso
from api.describe import Doc
from api.http import Body, RowId, json_answer, json_body, paging
from api.pools.answers import PoolAnswer
from api.pools.service import NewPool, Pool, Pools, contains
from api.printers.service import Printer, Printers
from api.v1 import V1, caller

Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]
Tags = Annotated[
    list[Annotated[str, StringConstraints(min_length=1, max_length=50)]], Field(max_length=50)
]
PrinterIds = Annotated[list[RowId], Field(max_length=500)]


class PoolCreateBody(Body):
    """``POST /pools``."""

    name: Name
    tags: Tags = Field(default_factory=list)
    printer_ids: PrinterIds = Field(default_factory=list)


class PoolUpdateBody(Body):
    """``PATCH /pools/{id}``: only what is there is changed."""

    name: Name | None = None
    tags: Tags | None = None
    printer_ids: PrinterIds | None = None


class PoolRoutes:
    """``/pools``."""

    def __init__(self, pools: Pools, printers: Printers) -> None:
        self._pools = pools
        self._printers = printers

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        one = "/pools/<int:pool_id>"
        v1.add("GET", "/pools", self.list, _LIST)
        v1.add("POST", "/pools", self.create, _CREATE)
        v1.add("GET", one, self.get, _GET)
        v1.add("PATCH", one, self.update, _UPDATE)
        v1.add("DELETE", one, self.delete, _DELETE)

    async def list(self) -> Response:
        """The pools by name."""
        skip, limit = paging()
        rows = await self._pools.list(caller())
        printers = await self._printers.list(caller())
        shown = [_shown(row, printers) for row in rows[skip : skip + limit]]
        return json_answer(shown, headers={"X-Total-Count": str(len(rows))})

    async def get(self, pool_id: int) -> Response:
        """One pool."""
        caller().require("printers.read")
        return await self._answer(await self._pools.get(caller(), pool_id))

    async def create(self) -> Response:
        """A new pool."""
        body = await json_body(PoolCreateBody)
        new = NewPool(name=body.name, tags=body.tags, printer_ids=body.printer_ids)
        return await self._answer(await self._pools.create(caller(), new), 201)

    async def update(self, pool_id: int) -> Response:
        """A pool, changed."""
        body = await json_body(PoolUpdateBody)
        values = body.model_dump(exclude_none=True)
        return await self._answer(await self._pools.update(caller(), pool_id, values))

    async def delete(self, pool_id: int) -> Response:
        """Gone; its printers stay."""
        await self._pools.delete(caller(), pool_id)
        return Response(status=204)

    async def _answer(self, row: Pool, status: int = 200) -> Response:
        return json_answer(_shown(row, await self._printers.list(caller())), status)


def _shown(row: Pool, printers: Sequence[Printer]) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "slug": row.slug,
        "octoprint_url": f"/octoprint/{row.slug}/",
        "tags": row.tags,
        "printer_ids": row.printer_ids,
        "members": [printer.id for printer in printers if contains(row, printer)],
        "org_id": row.organization_id,
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
    }


_LIST = Doc(summary="Pools by name", answer=list[PoolAnswer], right="printers.read", paged=True)
_GET = Doc(summary="One pool", answer=PoolAnswer, right="printers.read")
_CREATE = Doc(
    summary="Make a pool",
    description="A pool has an OctoPrint address of its own: what is printed there is queued for "
    "the first of its printers that is free, fits and has a clear plate.",
    answer=PoolAnswer,
    status=201,
    right="printers.write",
    body=PoolCreateBody,
    problems=("name_taken", "printer_not_found"),
)
_UPDATE = Doc(
    summary="Change a pool",
    description="Its slug stays.",
    answer=PoolAnswer,
    right="printers.write",
    body=PoolUpdateBody,
    problems=("name_taken", "printer_not_found"),
)
_DELETE = Doc(
    summary="Delete a pool",
    description="Its queued jobs are put on hold; its slug is never used again.",
    status=204,
    right="printers.write",
)
