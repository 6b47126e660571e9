"""What a superadmin has set for everybody."""

from typing import Any

from tortoise import fields
from tortoise.models import Model


class FarmSetting(Model):
    """A rule of the whole farm by its name. *value*: JSON, in the words of who keeps it."""

    name = fields.CharField(max_length=64, primary_key=True)
    value: Any = fields.JSONField()
    updated_at = fields.DatetimeField()

    class Meta:
        table = "farm_setting"
