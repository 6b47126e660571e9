"""`GET /audit-logs` and `GET /export/audit-logs` (v1 2.11)."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

import orjson
from pydantic import Field
from quart import Response, request

from api.audit.answers import TrailAnswer
from api.audit.service import Audit, AuditEntry, Wanted
from api.audit.sheets import rows as csv_rows
from api.clock import iso
from api.describe import Doc, Query
from api.http import MAX_ID, RowId, id_query, json_answer, moment_query, paging, text_query
from api.v1 import V1, caller

MAX_SEARCH = 100
_HEADER = (
    *("ID", "Timestamp", "Action", "Entity Type", "Entity ID", "Details", "IP Address"),
    *("User ID", "User", "Organization ID"),
)
_FILTERS = (
    Query(name="entity_type", description="Only entries about this kind of thing"),
    Query(name="action", description="Only this action"),
    Query(
        name="user_id",
        type=Annotated[int, Field(ge=0, le=MAX_ID)],
        description="Only what this person did",
    ),
    Query(
        name="search",
        type=Annotated[str, Field(max_length=MAX_SEARCH)],
        description="Only where this is in the user, action, entity or address, in any case",
    ),
    Query(name="date_from", description="From this day or time on (ISO 8601, UTC)"),
    Query(name="date_to", description="Up to this time, or to the end of this day"),
    Query(name="org_id", type=RowId, description="Only of this organization, for a superadmin"),
)
_LIST = Doc(
    summary="Who did what, newest first",
    answer=TrailAnswer,
    right="audit.read",
    query=_FILTERS,
    paged=True,
)
_EXPORT = Doc(
    summary="The audit trail as CSV: the newest 100000 entries",
    description="`X-Total-Count` says how many there are; the dates reach the others.",
    answer=str,
    media="text/csv",
    right="audit.read",
    query=_FILTERS,
)


class AuditRoutes:
    """The audit trail. There is nothing to write and nothing to delete."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        v1.add("GET", "/audit-logs", self.list, _LIST)
        v1.add("GET", "/export/audit-logs", self.export, _EXPORT)

    async def list(self) -> Response:
        """A page of entries."""
        skip, limit = paging()
        entries, total = await self._audit.find(caller(), _wanted(), skip, limit)
        page = {
            "total": total,
            "offset": skip,
            "limit": limit,
            "logs": [_view(entry) for entry in entries],
        }
        return json_answer(page, headers={"X-Total-Count": str(total)})

    async def export(self) -> Response:
        """All entries, as they come from the rows."""
        pages, total = await self._audit.export(caller(), _wanted())
        answer = Response(_lines(pages), content_type="text/csv; charset=utf-8")
        answer.headers["Content-Disposition"] = 'attachment; filename="audit-logs.csv"'
        answer.headers["X-Total-Count"] = str(total)
        answer.timeout = None  # as long as it takes
        return answer


async def _lines(pages: AsyncIterator[list[AuditEntry]]) -> AsyncIterator[str]:
    yield csv_rows([_HEADER])
    async for page in pages:
        yield csv_rows(map(_row, page))


def _wanted() -> Wanted:
    return Wanted(
        organization_id=id_query("org_id"),
        entity_type=request.args.get("entity_type") or None,
        action=request.args.get("action") or None,
        user_id=id_query("user_id"),
        search=text_query("search"),
        since=moment_query("date_from"),
        until=moment_query("date_to", whole_day=True),
    )


def _view(entry: AuditEntry) -> dict[str, Any]:
    number = entry.entity_id.isascii() and entry.entity_id.isdigit() and len(entry.entity_id) < 16
    return {
        "id": entry.id,
        "timestamp": iso(entry.at),
        "action": entry.action,
        "entity_type": entry.entity_type or None,
        "entity_id": int(entry.entity_id) if number else entry.entity_id or None,
        "details": entry.details,
        "ip_address": entry.remote_address or None,
        "user_id": entry.user_id,
        "username": entry.username or None,
        "organization_id": entry.organization_id,
    }


def _row(entry: AuditEntry) -> tuple[object, ...]:
    return (
        *(entry.id, iso(entry.at), entry.action, entry.entity_type, entry.entity_id),
        orjson.dumps(entry.details).decode(),
        *(entry.remote_address, entry.user_id, entry.username, entry.organization_id),
    )
