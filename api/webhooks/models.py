"""Webhooks and what is to be delivered to them."""

from typing import Any

from tortoise import fields
from tortoise.models import Model


class Webhook(Model):
    """Somebody else's service. *alert_types*: names, or ["all"]. *sealed*: the secret that its
    deliveries are signed with, encrypted.
    """

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField(db_index=True)
    name = fields.CharField(max_length=100)
    url = fields.CharField(max_length=2000)
    webhook_type = fields.CharField(max_length=32)
    alert_types: Any = fields.JSONField(default=list)
    is_enabled = fields.BooleanField(default=True)
    sealed = fields.CharField(max_length=500)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        table = "webhook"


class Delivery(Model):
    """One message for one webhook. *uid*: the same at every try, for the receiver to know it by.

    *state*: waiting, delivered or failed. *facts*: of the alert. *detail*: of the last try.
    """

    id = fields.IntField(primary_key=True)
    uid = fields.CharField(max_length=26, unique=True)
    organization_id = fields.IntField()
    webhook_id = fields.IntField(db_index=True)
    facts: Any = fields.JSONField()
    state = fields.CharField(max_length=16, default="waiting")
    tries = fields.IntField(default=0)
    status_code = fields.IntField(null=True)
    detail = fields.CharField(max_length=200, default="")
    due_at = fields.DatetimeField(db_index=True)
    created_at = fields.DatetimeField()
    done_at = fields.DatetimeField(null=True)

    class Meta:
        table = "webhook_delivery"
