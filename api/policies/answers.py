"""What the routes of the room answer (v1 2.2, 2.4)."""

from typing import Annotated, Literal

from pydantic import Field

from api.describe import Answer
from api.policies.doorway import Mode


class AllowlistAnswer(Answer):
    """From where people and programs may come in; bridges prove themselves otherwise."""

    enabled: bool
    cidrs: list[str] = Field(description="Networks, as in 192.168.1.0/24")
    mode: Mode = Field(description="Whether it holds for pages too, or for the API alone")


class QuietHoursAnswer(Answer):
    """When nobody is disturbed; organizations may say otherwise for themselves."""

    enabled: bool
    start: Annotated[str, Field(description="HH:MM, UTC", examples=["22:00"])]
    end: Annotated[str, Field(description="HH:MM, UTC; before start: on the next day")]
    digest: bool = Field(description="What was held back is told in one message at the end")


class MqttAnswer(Answer):
    """Telling an MQTT broker what printers do: not part of this server."""

    enabled: Literal[False]
    host: str
    port: int
    username: str
    password: str
    topic_prefix: str
    use_tls: bool


class DoneAnswer(Answer):
    """It is done."""

    status: Literal["ok"]


class PermissionsAnswer(Answer):
    """Which roles may what, from the table that every request is checked against."""

    page_access: dict[str, list[str]] = Field(description="Area: the roles that may see it")
    action_access: dict[str, list[str]] = Field(description="Right: the roles that have it")
