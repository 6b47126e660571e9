"""What the routes of the room take (v1 2.4). Unknown fields are ignored."""

from typing import Annotated

from pydantic import Field

from api.http import Body

_Days = Annotated[int, Field(ge=0, le=3650, description="Days; 0: for ever")]


class RetentionBody(Body):
    """What is to be kept for another time; what is absent or null stays."""

    completed_jobs_days: _Days | None = None
    audit_logs_days: _Days | None = None
    alert_history_days: _Days | None = None
    telemetry_days: _Days | None = None
    timelapses_days: _Days | None = None
