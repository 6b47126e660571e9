"""Calls that were made with an Idempotency-Key, for a day."""

from tortoise import fields
from tortoise.models import Model


class Claim(Model):
    """One key of one user. Only the SHA-256 of the key is kept.

    *state*: see `service.ClaimState`. *run*: which run holds it, so that one that was given up
    cannot write any more. *authz_sha256*: what the caller might do then. *body* is the answer.
    """

    id = fields.BigIntField(primary_key=True)
    organization_id = fields.IntField()
    user_id = fields.IntField()
    key_sha256 = fields.CharField(max_length=64)
    request_sha256 = fields.CharField(max_length=64)
    authz_sha256 = fields.CharField(max_length=64)
    state = fields.CharField(max_length=16)
    run = fields.CharField(max_length=26)
    status = fields.IntField(null=True)
    media = fields.CharField(max_length=100, default="")
    body = fields.TextField(default="")
    claimed_at = fields.DatetimeField()
    expires_at = fields.DatetimeField(db_index=True)

    class Meta:
        table = "idempotency_claim"
        unique_together = (("user_id", "key_sha256"),)
