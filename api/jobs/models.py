"""Jobs, prints and attempts (DESIGN section 7)."""

from typing import Any

from tortoise import fields
from tortoise.models import Model


class Job(Model):
    """Asks for prints of a file. *printer_id* pins it, None lets the scheduler choose.

    *pool_id*: only printers of this pool are chosen from. *scheduled_start*: the queue does not
    start it before. *position* orders the queue within a priority. *file_name* and *blob_id* stay
    with the job when the file's name is deleted. *details* holds dialect fields that decide
    nothing, and what the queue looks for in a printer.
    """

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField(db_index=True)
    item_name = fields.CharField(max_length=200)
    state = fields.CharField(max_length=20, default="pending", db_index=True)
    printer_id = fields.IntField(null=True, db_index=True)
    pinned = fields.BooleanField(default=False)
    pool_id = fields.IntField(null=True, db_index=True)
    model_id = fields.IntField(null=True)
    print_file_id = fields.IntField(null=True)
    blob_id = fields.IntField(null=True)
    file_name = fields.CharField(max_length=300, default="")
    file_path = fields.CharField(max_length=500, default="")
    quantity = fields.IntField(default=1)
    priority = fields.IntField(default=3)
    position = fields.IntField(default=0)
    hold = fields.BooleanField(default=False)
    duration_hours = fields.FloatField(null=True)
    filament_type = fields.CharField(max_length=32, null=True)
    colors_required = fields.CharField(max_length=200, null=True)
    notes = fields.TextField(null=True)
    due_date = fields.DatetimeField(null=True)
    scheduled_start = fields.DatetimeField(null=True)
    details: Any = fields.JSONField(default=dict)
    source = fields.CharField(max_length=16, default="v1")
    created_by = fields.IntField(null=True)
    estimated_cost = fields.FloatField(null=True)
    suggested_price = fields.FloatField(null=True)
    reason = fields.CharField(max_length=300, default="")
    fail_reason = fields.CharField(max_length=32, null=True)
    fail_notes = fields.CharField(max_length=2000, null=True)
    grant = fields.CharField(max_length=26, null=True)
    actual_start = fields.DatetimeField(null=True)
    actual_end = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()
    deleted_at = fields.DatetimeField(null=True)

    class Meta:
        table = "job"
        indexes = (
            ("organization_id", "deleted_at", "priority", "position", "id"),
            ("organization_id", "deleted_at", "state", "priority", "position"),
            ("organization_id", "deleted_at", "printer_id", "priority", "position"),
            ("organization_id", "deleted_at", "pool_id", "priority", "position"),
        )


class Preset(Model):
    """A job to be made again and again, under a name that an organization has once."""

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField(db_index=True)
    name = fields.CharField(max_length=100)
    model_id = fields.IntField(null=True)
    item_name = fields.CharField(max_length=200, null=True)
    quantity = fields.IntField(default=1)
    priority = fields.IntField(default=3)
    duration_hours = fields.FloatField(null=True)
    colors_required = fields.CharField(max_length=200, null=True)
    filament_type = fields.CharField(max_length=32, null=True)
    required_tags: Any = fields.JSONField(default=list)
    notes = fields.TextField(null=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "preset"
        unique_together = (("organization_id", "name"),)


class Print(Model):
    """One run of a job's file on one printer, or of a file of the printer's own (*job_id* None).

    *file_name* is that of a print without a job, "" while nobody knows it. *state* is that of its
    latest attempt, *started_at* when the first of them began (None: none has), *printed_s* how long
    all of them printed, in seconds.
    """

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField()
    job_id = fields.IntField(null=True, db_index=True)
    printer_id = fields.IntField(db_index=True)
    file_name = fields.CharField(max_length=300, default="", db_default="")
    state = fields.CharField(max_length=16, default="granted", db_default="granted")
    started_at = fields.DatetimeField(null=True)
    ended_at = fields.DatetimeField(null=True)
    printed_s = fields.FloatField(default=0.0, db_default=0.0)
    created_at = fields.DatetimeField()

    class Meta:
        table = "print"
        indexes = (("organization_id", "ended_at", "id"),)


class Attempt(Model):
    """One start of a print. *grant* is the ULID that a bridge may consume once.

    *quality* is how steadily its lines reached the printer (`schemas.printer.Quality`), *preflight*
    what its file was found to be before it was sent there (`api.jobs.fitness.verdict`).
    *cancel_asked_at*: somebody wants it to end; if it then does not start, its job is cancelled.
    """

    grant = fields.CharField(max_length=26, primary_key=True)
    organization_id = fields.IntField()
    print_id = fields.IntField()
    job_id = fields.IntField(db_index=True)
    printer_id = fields.IntField(db_index=True)
    number = fields.IntField()
    command_id = fields.CharField(max_length=26)
    plate_claim = fields.CharField(max_length=26, default="")
    plate_before = fields.CharField(max_length=16, default="unknown")
    state = fields.CharField(max_length=16, default="granted")
    reason = fields.CharField(max_length=300, default="")
    progress: Any = fields.JSONField(null=True)
    quality: Any = fields.JSONField(null=True)
    preflight: Any = fields.JSONField(null=True)
    cancel_asked_at = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField()
    started_at = fields.DatetimeField(null=True)
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "attempt"
        unique_together = (("print_id", "number"),)


class Lease(Model):
    """A waiting job that the room of its printer may start while it is cut off (`api.jobs.leases`).

    *grant* and *command_id* are those of its next start, whoever starts it. *state*: out, used,
    returned (the room never starts it) or abandoned (nobody waits for the room's word any more).
    *journal*: the one of the room's that answers for it. *alone_turn* numbers, by printer, the
    starts that rooms made by themselves; 0: another one has followed. *expires_at*: until then the
    room may; *hours* None: at any time, else ``{"key", "open": [[from, to]]}`` (ISO 8601).
    """

    grant = fields.CharField(max_length=26, primary_key=True)
    command_id = fields.CharField(max_length=26, unique=True)
    organization_id = fields.IntField()
    bridge_id = fields.IntField(db_index=True)
    printer_id = fields.IntField(db_index=True)
    job_id = fields.IntField(db_index=True)
    state = fields.CharField(max_length=16, default="out", db_index=True)
    place = fields.IntField()
    clears_itself = fields.BooleanField()
    sha256 = fields.CharField(max_length=64)
    size_bytes = fields.BigIntField()
    journal = fields.CharField(max_length=64)
    alone_turn = fields.IntField(null=True)
    created_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()
    hours: Any = fields.JSONField(null=True)
    recalled_at = fields.DatetimeField(null=True)
    cancel_asked_at = fields.DatetimeField(null=True)
    ended_at = fields.DatetimeField(null=True)

    class Meta:
        table = "lease"
