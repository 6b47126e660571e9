"""Printers and their plates."""

from typing import Any

from tortoise import fields
from tortoise.models import Model

#: Among a printer's details: what its light was told last, and its plug.
LIGHTS_ON = "lights_on"
PLUG = "plug"
#: The type of plug that is the printer's own supply; all others are in the network of its room.
SUPPLY = "psu"


class Printer(Model):
    """A printer on a bridge's port, or (without a bridge) one that people run by hand.

    *active_grant* is the one attempt that holds the printer; it is taken and given back by
    conditional updates only. *plate_state* is clear, occupied or unknown; unknown means no.
    *queue_hold* is why the queue waits for a person, empty when it runs.
    *selected_file* is the file that the OctoPrint face has selected. *slots* is what is loaded, by
    slot. *details* holds dialect fields that decide nothing, and its plug. *serial* is how its
    bridge talks to it (fields of `PrinterConfig`). *profile_id* is the shared profile that it
    follows; what changed there while it printed waits for the end of the print (*profile_waits*).
    *card* is what its own SD card said last (None: nothing yet).
    """

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField(db_index=True)
    name = fields.CharField(max_length=100)
    slug = fields.CharField(max_length=110, unique=True)
    model = fields.CharField(max_length=100, null=True)
    nickname = fields.CharField(max_length=100, null=True)
    tags: Any = fields.JSONField(default=list)
    is_active = fields.BooleanField(default=True)
    shared = fields.BooleanField(default=False)
    api_type = fields.CharField(max_length=32, null=True)
    slot_count = fields.IntField(default=4)
    slots: Any = fields.JSONField(default=list)
    camera_url = fields.CharField(max_length=500, null=True)
    bridge_id = fields.IntField(null=True, db_index=True)
    port_id = fields.CharField(max_length=300, null=True)
    baud = fields.IntField(default=0)
    dialect = fields.CharField(max_length=32, default="auto")
    profile: Any = fields.JSONField(default=dict)
    profile_id = fields.IntField(null=True, db_index=True)
    profile_waits = fields.BooleanField(default=False, db_default=False)
    scripts: Any = fields.JSONField(default=dict)
    plate_policy = fields.CharField(max_length=16, default="start_confirms")
    plate_state = fields.CharField(max_length=16, default="unknown")
    plate_claim = fields.CharField(max_length=26, default="")
    plate_changed_at = fields.DatetimeField(null=True)
    queue_hold = fields.CharField(max_length=200, default="")
    active_grant = fields.CharField(max_length=26, null=True, unique=True)
    state = fields.CharField(max_length=16, default="offline")
    state_reason = fields.CharField(max_length=300, default="")
    state_at = fields.DatetimeField(null=True)
    firmware: Any = fields.JSONField(default=dict)
    selected_file: Any = fields.JSONField(null=True)
    print_seconds = fields.FloatField(default=0.0)
    print_count = fields.IntField(default=0)
    last_error: Any = fields.JSONField(null=True)
    details: Any = fields.JSONField(default=dict, db_default="{}")
    serial: Any = fields.JSONField(default=dict, db_default="{}")
    card: Any = fields.JSONField(null=True)
    sort_order = fields.IntField(default=0)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()
    deleted_at = fields.DatetimeField(null=True)

    class Meta:
        table = "printer"


class PrinterProfile(Model):
    """What printers of one kind are and may do, shared by those that follow it.

    *profile* holds the fields of `schemas.printer.Profile`; *plate_policy* null: each its own.
    """

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField(db_index=True)
    name = fields.CharField(max_length=100)
    description = fields.CharField(max_length=1000, null=True)
    profile: Any = fields.JSONField(default=dict)
    dialect = fields.CharField(max_length=32, default="auto")
    plate_policy = fields.CharField(max_length=16, null=True)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        table = "printer_profile"
        unique_together = (("organization_id", "name"),)


class Nozzle(Model):
    """A nozzle that is or was in a printer. At most one of a printer is not retired.

    While it is in, the printer's profile says how wide it is (mm); *nozzle_diameter* is kept from
    there when it is retired. The *print_seconds* are the printer's own at these moments.
    """

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField()
    printer_id = fields.IntField(db_index=True)
    nozzle_type = fields.CharField(max_length=100, null=True)
    nozzle_diameter = fields.FloatField()
    notes = fields.TextField(null=True)
    installed_at = fields.DatetimeField()
    installed_print_seconds = fields.FloatField(default=0.0)
    retired_at = fields.DatetimeField(null=True)
    retired_print_seconds = fields.FloatField(null=True)

    class Meta:
        table = "nozzle"


class Slug(Model):
    """A name in an address. Every one that a printer or a pool was ever given, so none comes twice.

    Printers from before this table have theirs in their own rows only.
    """

    slug = fields.CharField(max_length=110, primary_key=True)

    class Meta:
        table = "slug"
