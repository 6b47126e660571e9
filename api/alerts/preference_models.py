"""What each person wants to hear of, and what is still to be mailed to them."""

from tortoise import fields
from tortoise.models import Model


class AlertPreference(Model):
    """How one person hears of one type of alert. *email_when*: one of `preferences.EmailWhen`.

    *threshold_value*: in the unit of the type; of `spool_low` in grams.
    """

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField()
    user_id = fields.IntField()
    alert_type = fields.CharField(max_length=32)
    in_app = fields.BooleanField(default=True)
    browser_push = fields.BooleanField(default=False)
    email = fields.BooleanField(default=False)
    email_when = fields.CharField(max_length=16, default="now")
    threshold_value = fields.FloatField(null=True)

    class Meta:
        table = "alert_preference"
        unique_together = (("user_id", "alert_type"),)


class HeldAlert(Model):
    """An alert that is to be mailed to one person at *due_at*, gone once the mail is written."""

    id = fields.IntField(primary_key=True)
    organization_id = fields.IntField()
    user_id = fields.IntField(db_index=True)
    severity = fields.CharField(max_length=16)
    title = fields.CharField(max_length=200)
    message = fields.CharField(max_length=500, null=True)
    at = fields.DatetimeField()
    due_at = fields.DatetimeField(db_index=True)

    class Meta:
        table = "held_alert"
