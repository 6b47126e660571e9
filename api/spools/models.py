"""Filaments, spools of them, and what was used of a spool."""

from tortoise import fields
from tortoise.models import Model


class Filament(Model):
    """A kind of filament, ``lib_<id>`` in v1."""

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField(db_index=True)
    brand = fields.CharField(max_length=100)
    name = fields.CharField(max_length=100)
    material = fields.CharField(max_length=32, default="PLA")
    color_hex = fields.CharField(max_length=9, null=True)
    cost_per_gram = fields.FloatField(null=True)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        table = "filament"


class Spool(Model):
    """A spool. Weights in grams, *spool_weight_g* is that of the empty one.

    *status*: see `forms.SpoolStatus`. It is loaded in slot *location_slot* of *location_printer_id*
    when these are set; at most one spool is in a slot.
    """

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField(db_index=True)
    filament_id = fields.IntField(db_index=True)
    qr_code = fields.CharField(max_length=16, unique=True)
    initial_weight_g = fields.FloatField()
    remaining_weight_g = fields.FloatField()
    spool_weight_g = fields.FloatField()
    price = fields.FloatField(null=True)
    purchase_date = fields.DatetimeField(null=True)
    vendor = fields.CharField(max_length=100, null=True)
    lot_number = fields.CharField(max_length=100, null=True)
    status = fields.CharField(max_length=16, default="active")
    location_printer_id = fields.IntField(null=True, db_index=True)
    location_slot = fields.IntField(null=True)
    storage_location = fields.CharField(max_length=200, null=True)
    notes = fields.TextField(null=True)
    low_threshold_g = fields.FloatField(default=50.0)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        table = "spool"


class SpoolUse(Model):
    """Filament that was taken from a spool.

    *weight_used_g* is below 0 where the scales showed more than was known.
    *source* names the print that used it (``<print>.<attempt>``), so that none is counted twice.
    """

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField()
    spool_id = fields.IntField(db_index=True)
    weight_used_g = fields.FloatField()
    used_at = fields.DatetimeField()
    job_id = fields.IntField(null=True)
    user_id = fields.IntField(null=True)
    notes = fields.CharField(max_length=500, null=True)
    source = fields.CharField(max_length=40, null=True, db_index=True)

    class Meta:
        table = "spool_use"
        unique_together = (("spool_id", "source"),)


class Drying(Model):
    """A spool was dried, for so many hours at so many °C (None: nobody said).

    *method* is what it was dried with, as people call it.
    """

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField()
    spool_id = fields.IntField(db_index=True)
    duration_hours = fields.FloatField()
    temp_c = fields.FloatField(null=True)
    method = fields.CharField(max_length=50, default="dryer")
    notes = fields.CharField(max_length=500, null=True)
    user_id = fields.IntField(null=True)
    dried_at = fields.DatetimeField()

    class Meta:
        table = "drying"
