"""Blobs by content, and the names under which printers know them."""

from typing import Any

from tortoise import fields
from tortoise.models import Model


class Blob(Model):
    """Bytes of one organization, stored once. *facts* is what reading the file told (see scan)."""

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField()
    sha256 = fields.CharField(max_length=64)
    sha1 = fields.CharField(max_length=40, default="")
    size_bytes = fields.BigIntField()
    storage_key = fields.CharField(max_length=200)
    facts: Any = fields.JSONField(default=dict)
    created_at = fields.DatetimeField()

    class Meta:
        table = "blob"
        unique_together = (("organization_id", "sha256"),)


class FileName(Model):
    """A name in one printer's tree (OctoPrint's `local`). Deleting it keeps the blob.

    *path* is the whole slash-separated path. A folder has no blob.
    """

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField(db_index=True)
    printer_id = fields.IntField(db_index=True)
    path = fields.CharField(max_length=500)
    display = fields.CharField(max_length=300)
    blob_id = fields.IntField(null=True)
    is_folder = fields.BooleanField(default=False)
    user_id = fields.IntField(null=True)
    userdata: Any = fields.JSONField(null=True)
    history: Any = fields.JSONField(default=dict)
    uploaded_at = fields.DatetimeField()

    class Meta:
        table = "file_name"
        unique_together = (("printer_id", "path"),)
