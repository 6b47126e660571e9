"""Devices that hear of alerts, and what is still to be told to them."""

from typing import Any

from tortoise import fields
from tortoise.models import Model


class PushDevice(Model):
    """A person's browser (*kind* web) or phone (apns), under a name that the device chose.

    Of browsers: *endpoint* at their push service, *p256dh* their public key, *sealed* the secret
    that goes with it, encrypted. Of phones: *token* and *platform*, *live_activities* tokens by
    the printer that they show. *alert_types*: names, ["all"], or None for what the person's alert
    preferences say.
    """

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField()
    user_id = fields.IntField(db_index=True)
    device_id = fields.CharField(max_length=128)
    kind = fields.CharField(max_length=8)
    name = fields.CharField(max_length=100, default="")
    endpoint = fields.CharField(max_length=2000, default="")
    endpoint_digest = fields.CharField(max_length=64, default="", db_index=True)
    p256dh = fields.CharField(max_length=100, default="")
    sealed = fields.CharField(max_length=500, default="")
    token = fields.CharField(max_length=400, default="")
    platform = fields.CharField(max_length=16, default="")
    live_activities: Any = fields.JSONField(default=dict)
    is_enabled = fields.BooleanField(default=True)
    alert_types: Any = fields.JSONField(null=True)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        table = "push_device"
        unique_together = (("user_id", "device_id"),)


class PushMessage(Model):
    """What is to be told to one browser, gone once it is. *facts*: of the alert."""

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField()
    device_row_id = fields.IntField(db_index=True)
    facts: Any = fields.JSONField()
    tries = fields.IntField(default=0)
    due_at = fields.DatetimeField(db_index=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "push_message"
