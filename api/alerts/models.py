"""Alerts: one row a person."""

from typing import Any

from tortoise import fields
from tortoise.models import Model


class Alert(Model):
    """Something that one person should know. What is dismissed is not listed any more."""

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField()
    user_id = fields.IntField(db_index=True)
    alert_type = fields.CharField(max_length=32)
    severity = fields.CharField(max_length=16)
    title = fields.CharField(max_length=200)
    message = fields.CharField(max_length=500, null=True)
    is_read = fields.BooleanField(default=False)
    is_dismissed = fields.BooleanField(default=False)
    printer_id = fields.IntField(null=True)
    job_id = fields.IntField(null=True)
    spool_id = fields.IntField(null=True)
    details: Any = fields.JSONField(default=dict)
    created_at = fields.DatetimeField(db_index=True)

    class Meta:
        table = "alert"
