"""What the OctoPrint face keeps for itself: requests of apps, and settings only it knows."""

from typing import Any

from tortoise import fields
from tortoise.models import Model


class AppKeyRequest(Model):
    """An app that asks for a key (OctoPrint contract, 7). It lives for seconds.

    Of the app's token only the SHA-256 is kept. *user_token* names the request to people, who
    decide about it. *username* "" asks anybody of the organization. *printer_id* is what the key
    will be bound to. *state*: pending, granted, over; *granted_by* is the credential of who did.
    """

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField(db_index=True)
    sha256 = fields.CharField(max_length=64, unique=True)
    user_token = fields.CharField(max_length=64, unique=True)
    app = fields.CharField(max_length=100)
    username = fields.CharField(max_length=100, default="")
    printer_id = fields.IntField(null=True)
    remote_address = fields.CharField(max_length=64, default="", db_index=True)
    state = fields.CharField(max_length=16, default="pending")
    granted_by = fields.IntField(null=True)
    created_at = fields.DatetimeField(db_index=True)
    polled_at = fields.DatetimeField()

    class Meta:
        table = "app_key_request"


class Preferences(Model):
    """Settings of one printer or pool that only OctoPrint's clients know, by its *tree*.

    *settings* follow the shape of `/api/settings`. *profiles* are printer profiles by id, *current*
    is the one in use. *offsets_c* are shifts of targets in °C by heater.
    """

    tree = fields.CharField(max_length=32, primary_key=True)
    organization_id = fields.IntField(db_index=True)
    settings: Any = fields.JSONField(default=dict)
    profiles: Any = fields.JSONField(default=dict)
    current = fields.CharField(max_length=64, default="_default")
    offsets_c: Any = fields.JSONField(default=dict)

    class Meta:
        table = "octoprint_preferences"
