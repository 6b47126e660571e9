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


class Outbox(Model):
    """Names to be woken, for a minute, for processes that the bus did not reach.

    *number* is that of the transaction, as PostgreSQL counts; *origin* the bus that told it.
    """

    number = fields.BigIntField(primary_key=True, generated=False)
    origin = fields.CharField(max_length=26)
    names: Any = fields.JSONField()
    at = fields.DatetimeField()

    class Meta:
        table = "outbox"


class AuditEntry(Model):
    """Who did what and from where, written with the change itself, never altered.

    *action* is dotted (``printer.created``). *user_id* null: the farm itself, or nobody signed in.
    *details* holds facts, never secrets.
    """

    id = fields.BigIntField(primary_key=True)
    organization_id = fields.IntField(db_index=True)
    at = fields.DatetimeField(db_index=True)
    user_id = fields.IntField(null=True)
    username = fields.CharField(max_length=100, default="")
    action = fields.CharField(max_length=64)
    entity_type = fields.CharField(max_length=32, default="")
    entity_id = fields.CharField(max_length=64, default="")
    details: Any = fields.JSONField(default=dict)
    remote_address = fields.CharField(max_length=64, default="")

    class Meta:
        table = "audit_entry"
