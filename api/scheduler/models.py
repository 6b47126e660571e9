"""What the queue of an organization goes by, and what it decided."""

from typing import Any

from tortoise import fields
from tortoise.models import Model


class Timetable(Model):
    """When the queue of an organization may start prints, always without a row.

    *zone* is an IANA name. *working*: by day (``mon``), spans ``[["08:00", "18:00"], …]``; {}: any
    time. *blackout_start* and *blackout_end*: ``HH:MM``, both or neither.
    """

    organization_id = fields.IntField(primary_key=True, generated=False)
    zone = fields.CharField(max_length=64, default="UTC")
    working: Any = fields.JSONField(default=dict)
    blackout_start = fields.CharField(max_length=5, null=True)
    blackout_end = fields.CharField(max_length=5, null=True)
    updated_at = fields.DatetimeField()

    class Meta:
        table = "scheduler_timetable"


class Circuit(Model):
    """A power line that several printers share. Watts and seconds.

    *loads*: ``[{"printer_id": 1, "heat_up_w": 350.0, "printing_w": 120.0}, …]``; a printer is on
    one circuit at most.
    """

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField(db_index=True)
    name = fields.CharField(max_length=100)
    max_w = fields.FloatField()
    heat_up_s = fields.FloatField(default=300.0)
    loads: Any = fields.JSONField(default=list)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        table = "scheduler_circuit"


class Decision(Model):
    """Why a job was given to a printer, written with the start itself (*grant*).

    *facts*: see `api.scheduler.explain.decided`.
    """

    grant = fields.CharField(max_length=26, primary_key=True)
    organization_id = fields.IntField()
    job_id = fields.IntField(db_index=True)
    printer_id = fields.IntField()
    match_score = fields.IntField()
    facts: Any = fields.JSONField(default=dict)
    decided_at = fields.DatetimeField()

    class Meta:
        table = "scheduler_decision"


class Run(Model):
    """A plan that somebody asked for: what it counted, and the place of each job in *jobs*."""

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField(db_index=True)
    user_id = fields.IntField(null=True)
    run_at = fields.DatetimeField()
    total_jobs = fields.IntField()
    scheduled_count = fields.IntField()
    skipped_count = fields.IntField()
    setup_blocks = fields.IntField()
    avg_match_score = fields.FloatField(null=True)
    avg_job_duration = fields.FloatField(null=True)
    notes = fields.TextField(null=True)
    jobs: Any = fields.JSONField(default=list)

    class Meta:
        table = "scheduler_run"
