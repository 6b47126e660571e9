"""Reports that are mailed by themselves."""

from typing import Any

from tortoise import fields
from tortoise.models import Model


class ReportSchedule(Model):
    """A report that people are mailed again and again.

    *report_type* and *frequency*: see `api.reports.timetable`. *recipients*: addresses. *filters*:
    by name, lists of ids. *next_at*: not before.
    """

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField(db_index=True)
    name = fields.CharField(max_length=100)
    report_type = fields.CharField(max_length=32)
    frequency = fields.CharField(max_length=16)
    recipients: Any = fields.JSONField(default=list)
    filters: Any = fields.JSONField(default=dict)
    is_active = fields.BooleanField(default=True)
    next_at = fields.DatetimeField(db_index=True)
    last_run_at = fields.DatetimeField(null=True)
    created_by = fields.IntField(null=True)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        table = "report_schedule"
