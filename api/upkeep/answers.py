"""What the routes of the room answer (v1 2.2, 2.4)."""

from typing import Annotated, Literal

from pydantic import Field

from api.describe import Answer

_Days = Annotated[int, Field(ge=0, description="Days; 0: for ever")]


class RetentionAnswer(Answer):
    """How long what happened is kept."""

    completed_jobs_days: _Days
    audit_logs_days: _Days
    alert_history_days: _Days
    telemetry_days: Annotated[int, Field(ge=0, description="Temperatures of prints, days")]
    timelapses_days: Annotated[int, Field(ge=0, description="Recordings, days")]


class CleanedAnswer(Answer):
    """What went."""

    status: Literal["ok"]
    deleted: dict[str, int] = Field(description="Rows by kind")
    more: bool = Field(description="There is more that is old enough: the next run takes it")


class LogAnswer(Answer):
    """The newest lines of the log of the process that answered, oldest first."""

    source: str
    lines: list[str] = Field(description="One JSON object each: at, level, from, message, …")
    count: int
