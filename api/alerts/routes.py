"""v1 routes of alerts (v1 contract, 2.7): parse, ask the service, answer."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, TypeVar

from quart import Response, request

from api.alerts import answers
from api.alerts.kinds import AlertType, Severity
from api.alerts.service import Alert, AlertFilter, Alerts
from api.clock import iso
from api.describe import Doc, Query
from api.errors import Invalid
from api.http import json_answer, paging, truthy
from api.jobs.service import Jobs
from api.printers.service import Printers
from api.v1 import V1, caller

E = TypeVar("E", bound=StrEnum)

_NEXT = [{"tool": "list_alerts", "args": {"unread_only": True}}]


class AlertRoutes:
    """``/alerts``."""

    def __init__(self, alerts: Alerts, printers: Printers, jobs: Jobs) -> None:
        self._alerts = alerts
        self._printers = printers
        self._jobs = jobs

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        v1.add("GET", "/alerts", self.list, _LIST)
        v1.add("GET", "/alerts/unread-count", self.unread_count, _UNREAD)
        v1.add("GET", "/alerts/summary", self.summary, _SUMMARY)
        v1.add("POST", "/alerts/mark-all-read", self.mark_all_read, _READ_ALL)
        v1.add("PATCH", "/alerts/<int:alert_id>/read", self.mark_read, _READ)
        v1.add("PATCH", "/alerts/<int:alert_id>/dismiss", self.dismiss, _DISMISS)

    async def list(self) -> Response:
        """A page of the caller's alerts, the newest first."""
        is_read = request.args.get("is_read")
        which = AlertFilter(
            severity=_word("severity", Severity),
            alert_type=_word("alert_type", AlertType),
            is_read=None if is_read is None else truthy(is_read),
        )
        rows, total = await self._alerts.list(caller(), which, *paging())
        return json_answer(await self._shown(rows), headers={"X-Total-Count": str(total)})

    async def _shown(self, rows: Sequence[Alert]) -> Sequence[dict[str, Any]]:
        names = await self._jobs.names({row.job_id for row in rows if row.job_id is not None})
        printers = {
            printer_id: printer.name
            for printer_id in {row.printer_id for row in rows if row.printer_id is not None}
            if (printer := await self._printers.find(printer_id)) is not None
        }
        return [
            {
                "id": row.id,
                "user_id": row.user_id,
                "alert_type": row.alert_type,
                "severity": row.severity,
                "title": row.title,
                "message": row.message,
                "is_read": row.is_read,
                "is_dismissed": row.is_dismissed,
                "printer_id": row.printer_id,
                "job_id": row.job_id,
                "spool_id": row.spool_id,
                "metadata_json": row.details or None,
                "created_at": iso(row.created_at),
                "printer_name": printers.get(row.printer_id or 0),
                "job_name": names.get(row.job_id or 0),
                "spool_name": f"Spool {row.spool_id}" if row.spool_id is not None else None,
            }
            for row in rows
        ]

    async def unread_count(self) -> Response:
        """How many are new."""
        unread = await self._alerts.unread(caller())
        return json_answer({"unread_count": sum(unread.values())})

    async def summary(self) -> Response:
        """How many are new, by type."""
        unread = await self._alerts.unread(caller())
        kinds = (AlertType.PRINT_FAILED, AlertType.SPOOL_LOW, AlertType.MAINTENANCE_OVERDUE)
        shown = {str(kind): unread.get(kind, 0) for kind in kinds}
        return json_answer({**shown, "total": sum(unread.values())})

    async def mark_read(self, alert_id: int) -> Response:
        """One is read."""
        row = await self._alerts.mark_read(caller(), alert_id)
        return json_answer(_done(row))

    async def dismiss(self, alert_id: int) -> Response:
        """One is listed no more."""
        row = await self._alerts.dismiss(caller(), alert_id)
        return json_answer({**_done(row), "is_dismissed": row.is_dismissed})

    async def mark_all_read(self) -> Response:
        """All are read."""
        return json_answer({"status": "ok", "marked": await self._alerts.mark_all_read(caller())})


def _done(row: Alert) -> dict[str, Any]:
    return {"status": "ok", "alert_id": row.id, "is_read": row.is_read, "next_actions": _NEXT}


def _word(name: str, words: type[E]) -> E | None:
    text = request.args.get(name)
    if text is None:
        return None
    try:
        return words(text)
    except ValueError:
        known = ", ".join(words)
        raise Invalid(
            f"{name}: one of {known}, not {text[:40]!r}", code="validation_failed", field=name
        ) from None


_LIST = Doc(
    summary="The caller's alerts, the newest first; dismissed ones are left out",
    answer=list[answers.AlertAnswer],
    right="alerts.read",
    paged=True,
    query=(
        Query(name="severity", type=Severity, description="Only these"),
        Query(name="alert_type", type=AlertType, description="Only these"),
        Query(name="is_read", type=bool, description="Only read ones, or only new ones"),
    ),
)
_UNREAD = Doc(summary="How many alerts are new", answer=answers.UnreadCount, right="alerts.read")
_SUMMARY = Doc(
    summary="New alerts by what they are about", answer=answers.AlertSummary, right="alerts.read"
)
_READ = Doc(
    summary="Mark an alert as read", answer=answers.AlertRead, right="alerts.write", dry_run=True
)
_DISMISS = Doc(
    summary="List an alert no more; it counts as read",
    answer=answers.AlertDismissed,
    right="alerts.write",
    dry_run=True,
)
_READ_ALL = Doc(summary="Mark all alerts as read", answer=answers.AllRead, right="alerts.write")
