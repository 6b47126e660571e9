"""What printers reported, as rows: the last picture whole, the past thinned."""

from typing import Any

from tortoise import fields
from tortoise.models import Model


class LastLive(Model):
    """The last picture of a printer, so that a restarted API knows what was true."""

    printer_id = fields.IntField(primary_key=True, generated=False)
    organization_id = fields.IntField()
    live: Any = fields.JSONField()
    at = fields.DatetimeField()

    class Meta:
        table = "last_live"


class Sample(Model):
    """Temperatures of a printer once a minute while it prints."""

    id = fields.BigIntField(primary_key=True)
    organization_id = fields.IntField()
    printer_id = fields.IntField()
    temps: Any = fields.JSONField()
    at = fields.DatetimeField()

    class Meta:
        table = "sample"
        indexes = (("printer_id", "at"),)
