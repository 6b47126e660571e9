"""Bridges: one per printer room."""

from typing import Any

from tortoise import fields
from tortoise.models import Model


class Bridge(Model):
    """A room's agent. *uid* (a ULID) is its id on the link, *public_key* the raw key in base64.

    *epoch* rises with every accepted hello; an older socket's frames are ignored. *fact_journal*
    and *fact_seq* are the cumulative acknowledgement of its facts, *command_seq* the last number
    given to a command of this room. *held_by* is the API process that holds its link (`Replica`;
    empty: whoever looks), *shown_online* what people were told last. *former_boots* and
    *quarantined_boot* tell a copied identity (`api.bridges.clones`). *takes_leases*: it can go on
    alone, *keeps_hours*: within hours, too (`schemas.leases`). *reaches_plugs*: it speaks to plugs
    (`schemas.plugs`).
    """

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField(db_index=True)
    uid = fields.CharField(max_length=26, unique=True)
    name = fields.CharField(max_length=100)
    public_key = fields.CharField(max_length=64, unique=True)
    created_at = fields.DatetimeField()
    revoked_at = fields.DatetimeField(null=True)
    epoch = fields.IntField(default=0)
    session = fields.CharField(max_length=26, default="")
    boot_id = fields.CharField(max_length=64, default="")
    former_boots = fields.CharField(max_length=500, default="", db_default="")
    quarantined_boot = fields.CharField(max_length=64, default="", db_default="")
    agent_version = fields.CharField(max_length=32, default="")
    os = fields.CharField(max_length=100, default="")
    ports: Any = fields.JSONField(default=list)
    connected_at = fields.DatetimeField(null=True)
    last_seen_at = fields.DatetimeField(null=True)
    disconnected_at = fields.DatetimeField(null=True)
    held_by = fields.CharField(max_length=26, default="", db_default="")
    shown_online = fields.BooleanField(default=False, db_default=False)
    fact_journal = fields.CharField(max_length=64, default="")
    fact_seq = fields.BigIntField(default=0)
    command_seq = fields.BigIntField(default=0)
    desired_version = fields.IntField(default=1)
    reported_version = fields.IntField(default=0)
    takes_leases = fields.BooleanField(default=False, db_default=False)
    keeps_hours = fields.BooleanField(default=False, db_default=False)
    reaches_plugs = fields.BooleanField(default=False, db_default=False)
    bulk_sha256 = fields.CharField(max_length=64, default="")
    bulk_expires_at = fields.DatetimeField(null=True)
    previous_bulk_sha256 = fields.CharField(max_length=64, default="")
    previous_bulk_expires_at = fields.DatetimeField(null=True)

    class Meta:
        table = "bridge"


class Replica(Model):
    """An API process, while it runs. *beat* rises every two seconds."""

    id = fields.CharField(max_length=26, primary_key=True)
    beat = fields.BigIntField()

    class Meta:
        table = "replica"


class Nonce(Model):
    """A challenge for one connect, used once, within 60 s."""

    id = fields.IntField(primary_key=True)
    bridge_uid = fields.CharField(max_length=64, db_index=True)
    sha256 = fields.CharField(max_length=64, unique=True)
    expires_at = fields.DatetimeField()

    class Meta:
        table = "nonce"
