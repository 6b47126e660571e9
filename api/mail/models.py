"""What is to be sent."""

from typing import Any

from tortoise import fields
from tortoise.models import Model


class Letter(Model):
    """A mail that is to be sent, gone once it is. It holds no secret.

    What it says is made from *kind* and *facts* when it is sent. *due_at*: not before.
    """

    id = fields.IntField(primary_key=True)
    kind = fields.CharField(max_length=32)
    address = fields.CharField(max_length=254)
    facts: Any = fields.JSONField(default=dict)
    tries = fields.IntField(default=0)
    due_at = fields.DatetimeField(db_index=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "letter"
