"""What the routes of the audit trail answer (v1 2.11)."""

from typing import Any

from pydantic import Field

from api.describe import Answer, Instant


class EntryAnswer(Answer):
    """Something that somebody did."""

    id: int
    timestamp: Instant
    action: str = Field(description="Dotted, for example `printer.created`")
    entity_type: str | None = Field(description="What it was done to")
    entity_id: int | str | None
    details: dict[str, Any] = Field(description="Facts; never secrets")
    ip_address: str | None = Field(description="The peer; null for what the farm did by itself")
    user_id: int | None = Field(description="Null: the farm itself, or nobody signed in")
    username: str | None
    organization_id: int


class TrailAnswer(Answer):
    """A page of the audit trail, newest first."""

    total: int
    offset: int
    limit: int
    logs: list[EntryAnswer]
