"""The sockets that a gateway holds, as rows: a function has no memory between two messages."""

from tortoise import fields
from tortoise.models import Model


class GatewaySocket(Model):
    """One socket. *kind* is link (a bridge) or feed (a dashboard).

    *greeted*: its hello was taken, which happens once. *epoch*: of its link, 0 before the welcome.
    *desired_told*: the configuration it has carried. *live_ms*: the agent's clock in the newest
    picture taken. *stuck_at*: the last recorded fact when a beat said that more wait.
    *pushing_until* and *push_again*: who writes to it now, see `lease`. *credential_id*: through
    what somebody watches. *cursor*: where it goes on from, the last event that a dashboard was
    told or the epoch that a bridge had when its socket was opened.
    """

    connection_id = fields.CharField(max_length=128, primary_key=True)
    kind = fields.CharField(max_length=8)
    organization_id = fields.IntField(db_index=True)
    bridge_id = fields.IntField(null=True, db_index=True)
    greeted = fields.BooleanField(default=False)
    epoch = fields.IntField(default=0)
    desired_told = fields.IntField(default=0)
    live_ms = fields.BigIntField(default=-1)
    stuck_at = fields.BigIntField(default=-1)
    foreign_reports = fields.IntField(default=0)
    pushing_until = fields.DatetimeField(null=True)
    push_again = fields.BooleanField(default=False)
    credential_id = fields.IntField(default=0)
    cursor = fields.BigIntField(default=0)
    opened_at = fields.DatetimeField()

    class Meta:
        table = "gateway_socket"
