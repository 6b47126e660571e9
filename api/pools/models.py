"""Pools as rows."""

from typing import Any

from tortoise import fields
from tortoise.models import Model


class Pool(Model):
    """Printers behind one name. Those of *printer_ids*, and those that have all of *tags*.

    *slug* is its address, never given to anything else. *settings* belongs to the OctoPrint face.
    """

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField(db_index=True)
    name = fields.CharField(max_length=100)
    slug = fields.CharField(max_length=110, unique=True)
    printer_ids: Any = fields.JSONField(default=list)
    tags: Any = fields.JSONField(default=list)
    settings: Any = fields.JSONField(default=dict)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()
    deleted_at = fields.DatetimeField(null=True)

    class Meta:
        table = "pool"
