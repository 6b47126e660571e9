"""Projects."""

from tortoise import fields
from tortoise.models import Model


class Project(Model):
    """Prints that belong together; which ones, the archive says. *status*: `forms.ProjectStatus`.

    *expected_parts*: how many prints it takes, as people say it.
    """

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField()
    name = fields.CharField(max_length=200)
    description = fields.TextField(null=True)
    color = fields.CharField(max_length=9)
    status = fields.CharField(max_length=16, default="active")
    expected_parts = fields.IntField(null=True)
    created_by = fields.IntField(null=True)
    created_at = fields.DatetimeField()
    updated_at = fields.DatetimeField()

    class Meta:
        table = "project"
        indexes = (("organization_id", "updated_at", "id"),)
