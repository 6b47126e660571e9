"""Maintenance tasks and what was done of them."""

from tortoise import fields
from tortoise.models import Model


class MaintenanceTask(Model):
    """Something to be done every so many print hours, or days, on the printers that it is for.

    *printer_model_filter*: a part of their model, in any case; null: all of them.
    """

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField(db_index=True)
    name = fields.CharField(max_length=100)
    description = fields.TextField(null=True)
    printer_model_filter = fields.CharField(max_length=100, null=True)
    interval_print_hours = fields.FloatField(null=True)
    interval_days = fields.IntField(null=True)
    estimated_cost = fields.FloatField(default=0.0)
    estimated_downtime_min = fields.IntField(default=30)
    is_active = fields.BooleanField(default=True)
    created_at = fields.DatetimeField()
    deleted_at = fields.DatetimeField(null=True)

    class Meta:
        table = "maintenance_task"


class MaintenanceNotice(Model):
    """That people were told that a task is overdue on a printer, a newer log makes it stale."""

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField(db_index=True)
    task_id = fields.IntField()
    printer_id = fields.IntField()
    told_at = fields.DatetimeField()

    class Meta:
        table = "maintenance_notice"
        unique_together = (("task_id", "printer_id"),)


class MaintenanceLog(Model):
    """A task that was done on a printer that had printed *print_hours_at_service* by then."""

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField(db_index=True)
    printer_id = fields.IntField(db_index=True)
    task_id = fields.IntField(null=True)
    task_name = fields.CharField(max_length=100)
    performed_at = fields.DatetimeField()
    performed_by = fields.CharField(max_length=100, null=True)
    notes = fields.TextField(null=True)
    cost = fields.FloatField(default=0.0)
    downtime_minutes = fields.IntField(default=0)
    print_hours_at_service = fields.FloatField()

    class Meta:
        table = "maintenance_log"
