"""Organizations, people and everything they prove themselves with."""

from typing import Any

from tortoise import fields
from tortoise.models import Model


class Organization(Model):
    """A tenant. Number 1 is made at set-up.

    *set_up_at* is when its first admin was made, which happens once; *completed_at* is when that
    person declared the set-up complete. *settings*: by name, of both faces. Of a deleted one the
    row stays, because history points to it, but its name is free again.
    """

    id = fields.IntField(primary_key=True)
    name = fields.CharField(max_length=100, unique=True)
    description = fields.CharField(max_length=500, default="", db_default="")
    owner_id = fields.IntField(null=True)
    settings: Any = fields.JSONField(default=dict, db_default="{}")
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField(null=True)
    deleted_at = fields.DatetimeField(null=True)
    set_up_at = fields.DatetimeField(null=True)
    completed_at = fields.DatetimeField(null=True)

    class Meta:
        table = "organization"


class User(Model):
    """A person. *role* is viewer, operator or admin. A superadmin sees every organization.

    *groups*: the keys of the groups they are in; None: in those of their role.
    """

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField(db_index=True)
    username = fields.CharField(max_length=100, unique=True)
    email = fields.CharField(max_length=254, default="")
    password_hash = fields.CharField(max_length=200)
    role = fields.CharField(max_length=16)
    is_superadmin = fields.BooleanField(default=False)
    is_active = fields.BooleanField(default=True)
    settings: Any = fields.JSONField(default=dict)
    created_at = fields.DatetimeField()
    last_login_at = fields.DatetimeField(null=True)
    groups: Any = fields.JSONField(null=True)

    class Meta:
        table = "user"


class UserGroup(Model):
    """A group of people, as OctoPrint has them, or another content of the group that `users` is.

    It gives its *permissions* and those of its *subgroups* (keys). New people are in those that
    *is_default* says.
    """

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField(db_index=True)
    key = fields.CharField(max_length=64)
    name = fields.CharField(max_length=100)
    description = fields.CharField(max_length=500, default="")
    permissions: Any = fields.JSONField(default=list)
    subgroups: Any = fields.JSONField(default=list)
    is_default = fields.BooleanField(default=False)

    class Meta:
        table = "user_group"
        unique_together = (("organization_id", "key"),)


class Grant(Model):
    """What a person may do at one printer beyond their role, as OctoPrint's permissions."""

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField(db_index=True)
    printer_id = fields.IntField()
    user_id = fields.IntField(db_index=True)
    permissions: Any = fields.JSONField(default=list)

    class Meta:
        table = "octoprint_grant"
        unique_together = (("printer_id", "user_id"),)


class Credential(Model):
    """A session, token or key. Only the SHA-256 is kept, and the *prefix* finds the row.

    *kind*: one of `keys.CredentialKind`. *printer_id* binds and restricts a key to one printer.
    Empty *scopes*: whatever the owner may do. *parent_id*: of a ticket, the credential that it
    stands for. *confirmed_at*: when the owner of a session last typed the password.
    """

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField(db_index=True)
    user_id = fields.IntField(db_index=True)
    kind = fields.CharField(max_length=16)
    name = fields.CharField(max_length=100, default="")
    prefix = fields.CharField(max_length=24, unique=True)
    sha256 = fields.CharField(max_length=64)
    scopes: Any = fields.JSONField(default=list)
    printer_id = fields.IntField(null=True)
    csrf_sha256 = fields.CharField(max_length=64, default="")
    remote_address = fields.CharField(max_length=64, default="")
    user_agent = fields.CharField(max_length=200, default="")
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField(null=True)
    last_used_at = fields.DatetimeField(null=True)
    revoked_at = fields.DatetimeField(null=True)
    parent_id = fields.IntField(null=True)
    confirmed_at = fields.DatetimeField(null=True)

    class Meta:
        table = "credential"


class Identity(Model):
    """Somebody at a provider of identities, and the person that they are here."""

    id = fields.IntField(primary_key=True)
    user_id = fields.IntField(db_index=True)
    issuer = fields.CharField(max_length=255)
    subject = fields.CharField(max_length=255)
    created_at = fields.DatetimeField()

    class Meta:
        table = "identity"
        unique_together = (("issuer", "subject"),)


class LoginAttempt(Model):
    """A login that has not succeeded (yet). *subject* is the SHA-256 of the typed user name.

    People type passwords into the wrong field, so the name itself is not kept.
    """

    id = fields.IntField(primary_key=True)
    subject = fields.CharField(max_length=64, db_index=True)
    remote_address = fields.CharField(max_length=64, db_index=True)
    at = fields.DatetimeField(db_index=True)

    class Meta:
        table = "login_attempt"


class SecondFactor(Model):
    """What a person proves themselves with beside the password.

    *sealed*: its secret, encrypted. *confirmed_at* None: it has been shown but not used yet, so
    nobody is asked for it. *last_step*: the newest time step whose code was taken.
    """

    id = fields.IntField(primary_key=True)
    user_id = fields.IntField(unique=True)
    sealed = fields.CharField(max_length=500)
    confirmed_at = fields.DatetimeField(null=True)
    last_step = fields.BigIntField(default=0, db_default=0)
    created_at = fields.DatetimeField()

    class Meta:
        table = "second_factor"


class RecoveryCode(Model):
    """A code that stands for the second factor, once. Only its SHA-256 is kept."""

    id = fields.IntField(primary_key=True)
    user_id = fields.IntField(db_index=True)
    sha256 = fields.CharField(max_length=64)
    used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "recovery_code"


class Quota(Model):
    """How much a person (``user:5``) or an organization (``organization:1``) may use in a period.

    None: as much as they like. Filament in grams, printing in hours; *storage_bytes* is of an
    organization and has no period.
    """

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField(db_index=True)
    subject = fields.CharField(max_length=32, unique=True)
    grams = fields.FloatField(null=True)
    hours = fields.FloatField(null=True)
    jobs = fields.IntField(null=True)
    storage_bytes = fields.BigIntField(null=True)
    period = fields.CharField(max_length=16, default="monthly")

    class Meta:
        table = "quota"


class QuotaUse(Model):
    """What somebody used on one day (UTC), so that any period is the sum of its days."""

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField()
    subject = fields.CharField(max_length=32)
    day = fields.DateField()
    jobs = fields.IntField(default=0)
    grams = fields.FloatField(default=0.0)
    hours = fields.FloatField(default=0.0)

    class Meta:
        table = "quota_use"
        unique_together = (("subject", "day"),)
