"""Events as rows: numbered without gaps per organization."""

from typing import Any

from tortoise import fields
from tortoise.models import Model


class Event(Model):
    """Something that happened. *number* rises by one per organization, in commit order."""

    id = fields.BigIntField(primary_key=True)
    organization_id = fields.IntField()
    number = fields.BigIntField()
    kind = fields.CharField(max_length=64)
    printer_id = fields.IntField(null=True)
    job_id = fields.IntField(null=True)
    user_id = fields.IntField(null=True)
    data: Any = fields.JSONField(default=dict)
    at = fields.DatetimeField()

    class Meta:
        table = "event"
        unique_together = (("organization_id", "number"),)
