"""What the alert routes answer (v1 contract, 2.7)."""

from typing import Any, Literal

from api.alerts.kinds import AlertType, Severity
from api.describe import Answer, Instant
from api.printers.next_actions import NextAction


class AlertAnswer(Answer):
    """Something that the caller should know."""

    id: int
    user_id: int
    alert_type: AlertType
    severity: Severity
    title: str
    message: str | None
    is_read: bool
    is_dismissed: bool
    printer_id: int | None
    job_id: int | None
    spool_id: int | None
    metadata_json: dict[str, Any] | None
    created_at: Instant
    printer_name: str | None
    job_name: str | None
    spool_name: str | None


class AlertRead(Answer):
    """An alert is read."""

    status: Literal["ok"]
    alert_id: int
    is_read: bool
    next_actions: list[NextAction]


class AlertDismissed(AlertRead):
    """An alert is listed no more."""

    is_dismissed: bool


class AllRead(Answer):
    """All alerts are read."""

    status: Literal["ok"]
    marked: int


class UnreadCount(Answer):
    """How many alerts are new."""

    unread_count: int


class AlertSummary(Answer):
    """How many alerts are new, by what they are about."""

    print_failed: int
    spool_low: int
    maintenance_overdue: int
    total: int
