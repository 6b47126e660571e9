"""Pairing requests and enrolment tokens."""

from tortoise import fields
from tortoise.models import Model


class PairingRequest(Model):
    """A bridge that asks to come in (RFC 8628). *state*: pending, approved, denied, consumed."""

    id = fields.IntField(primary_key=True)
    device_sha256 = fields.CharField(max_length=64, unique=True)
    user_code = fields.CharField(max_length=16, unique=True)
    public_key = fields.CharField(max_length=64)
    room = fields.CharField(max_length=100)
    hostname = fields.CharField(max_length=100, default="")
    os = fields.CharField(max_length=100, default="")
    agent_version = fields.CharField(max_length=32, default="")
    remote_address = fields.CharField(max_length=64, default="")
    state = fields.CharField(max_length=16, default="pending")
    organization_id = fields.IntField(null=True)
    bridge_id = fields.IntField(null=True)
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()
    polled_at = fields.DatetimeField(null=True)

    class Meta:
        table = "pairing_request"


class EnrolmentToken(Model):
    """Lets *uses_left* bridges in without a person at each."""

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField(db_index=True)
    sha256 = fields.CharField(max_length=64, unique=True)
    name = fields.CharField(max_length=100, default="")
    uses_left = fields.IntField()
    created_by = fields.IntField()
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()

    class Meta:
        table = "enrolment_token"


class PairingTry(Model):
    """Somebody asked for a code or guessed one. Kept for minutes."""

    id = fields.IntField(primary_key=True)
    kind = fields.CharField(max_length=16)
    key = fields.CharField(max_length=64)
    at = fields.DatetimeField(db_index=True)

    class Meta:
        table = "pairing_try"
        indexes = (("kind", "key", "at"),)
