"""What people add to the record of a print; the record itself is the print."""

from tortoise import fields
from tortoise.models import Model


class ArchiveNote(Model):
    """What was said of a print that is over. A print without a row: nothing yet.

    *project_id*: the project that it belongs to. *deleted_at*: it is out of the archive, while
    reports go on counting it.
    """

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField()
    print_id = fields.IntField(unique=True)
    notes = fields.TextField(null=True)
    project_id = fields.IntField(null=True, db_index=True)
    deleted_at = fields.DatetimeField(null=True)
    updated_at = fields.DatetimeField()

    class Meta:
        table = "archive_note"
        indexes = (("organization_id", "deleted_at"),)


class ArchiveTag(Model):
    """A tag of a print that is over, shown in the order of their ids."""

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField()
    print_id = fields.IntField()
    name = fields.CharField(max_length=50)

    class Meta:
        table = "archive_tag"
        unique_together = (("print_id", "name"),)
        indexes = (("organization_id", "name"),)
