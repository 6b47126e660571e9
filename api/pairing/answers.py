"""What the routes of pairing answer to admins."""

from typing import Annotated, Literal

from pydantic import Field

from api.describe import Answer, Instant


class PairingAnswer(Answer):
    """A bridge that asks to come in, in its own words, and the fingerprint to compare."""

    user_code: str
    state: Literal["pending", "approved", "denied", "consumed"]
    room: str
    hostname: str
    os: str
    agent_version: str
    remote_address: Annotated[str, Field(description="Where it asked from")]
    fingerprint: Annotated[str, Field(description="Of its public key: it shows the same one")]
    bridge_id: Annotated[int | None, Field(description="What it became")]
    created_at: Instant
    expires_at: Instant


class EnrolmentAnswer(Answer):
    """An enrolment token, without its secret."""

    id: int
    name: str
    uses_left: Annotated[int, Field(ge=0, description="How many bridges it still lets in")]
    created_at: Instant
    expires_at: Instant


class NewEnrolmentAnswer(EnrolmentAnswer):
    """An enrolment token with its secret, which is shown this once."""

    token: str
