"""Blobs by content, and the names under which printers and pools know them."""

from typing import Any

from tortoise import fields
from tortoise.models import Model


class Blob(Model):
    """Bytes of one organization, stored once. *facts* is what reading the file told (see scan).

    *analysis* is what following its moves told (see analyst), None until that is done; a process
    is at it until *analysing_until*.
    """

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField()
    sha256 = fields.CharField(max_length=64)
    sha1 = fields.CharField(max_length=40, default="")
    size_bytes = fields.BigIntField()
    storage_key = fields.CharField(max_length=200)
    facts: Any = fields.JSONField(default=dict)
    analysis: Any = fields.JSONField(null=True)
    analysing_until = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "blob"
        unique_together = (("organization_id", "sha256"),)


class BlobSurvey(Model):
    """What a file asks of a printer (`schemas.gcode.survey`), of the blob of this number."""

    blob_id = fields.IntField(primary_key=True, generated=False)
    version = fields.IntField()
    document: Any = fields.JSONField(default=dict)

    class Meta:
        table = "blob_survey"


class TreeName(Model):
    """A name in the tree of a printer or a pool (OctoPrint's `local`). Deleting it keeps the blob.

    *tree* is ``printer:12`` or ``pool:3``; *path* is the whole slash-separated path. A folder has
    no blob.
    """

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField(db_index=True)
    tree = fields.CharField(max_length=32)
    path = fields.CharField(max_length=500)
    display = fields.CharField(max_length=300)
    blob_id = fields.IntField(null=True)
    is_folder = fields.BooleanField(default=False)
    user_id = fields.IntField(null=True)
    userdata: Any = fields.JSONField(null=True)
    history: Any = fields.JSONField(default=dict)
    uploaded_at = fields.DatetimeField()

    class Meta:
        table = "tree_name"
        unique_together = (("tree", "path"),)
