"""Commands as rows."""

from typing import Any

from tortoise import fields
from tortoise.models import Model


class Command(Model):
    """One command to one printer, from issue to outcome (`schemas.commands`).

    *seq* rises by bridge in the order of issue. *deadline_at* None: it never expires.
    *sent_epoch* is the link that carried it last: a newer link carries it again.
    """

    id = fields.CharField(max_length=26, primary_key=True)
    organization_id = fields.IntField(db_index=True)
    printer_id = fields.IntField(db_index=True)
    bridge_id = fields.IntField()
    seq = fields.BigIntField()
    verb = fields.CharField(max_length=16)
    args: Any = fields.JSONField(default=dict)
    grant = fields.CharField(max_length=26, null=True)
    actor = fields.CharField(max_length=120, default="")
    state = fields.CharField(max_length=16, default="queued")
    code = fields.CharField(max_length=64, default="")
    reason = fields.CharField(max_length=300, default="")
    sent_epoch = fields.IntField(null=True)
    created_at = fields.DatetimeField()
    deadline_at = fields.DatetimeField(null=True)
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "command"
        unique_together = (("bridge_id", "seq"),)
        indexes = (("bridge_id", "state"),)
