"""The library of the v1 dialect: models, and the print files that realise them."""

from typing import Any

from tortoise import fields
from tortoise.models import Model


class LibraryModel(Model):
    """Something that can be printed. *key* is its normalized name, unique per organization."""

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField(db_index=True)
    name = fields.CharField(max_length=200)
    key = fields.CharField(max_length=200)
    build_time_hours = fields.FloatField(null=True)
    default_filament_type = fields.CharField(max_length=32, default="PLA")
    category = fields.CharField(max_length=100, null=True)
    notes = fields.TextField(null=True)
    details: Any = fields.JSONField(default=dict)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()
    deleted_at = fields.DatetimeField(null=True)

    class Meta:
        table = "library_model"
        unique_together = (("organization_id", "key"),)


class PrintFile(Model):
    """A sliced file of a model, its bytes are the blob's.

    A model's files in the order of their ids are its revisions, from 1; *changelog* is what was
    said of this one.
    """

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField(db_index=True)
    model_id = fields.IntField(db_index=True)
    blob_id = fields.IntField(db_index=True)
    filename = fields.CharField(max_length=300)
    original_filename = fields.CharField(max_length=300)
    uploaded_by = fields.IntField(null=True)
    uploaded_at = fields.DatetimeField()
    changelog = fields.TextField(null=True)
    deleted_at = fields.DatetimeField(null=True)

    class Meta:
        table = "print_file"
