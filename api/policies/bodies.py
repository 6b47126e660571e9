"""What the routes of the room take (v1 2.2, 2.4). Unknown fields are ignored."""

from typing import Annotated

from pydantic import Field, StringConstraints

from api.http import Body
from api.policies.doorway import DEFAULT_MODE, MAX_CIDRS, Mode

Clock = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
_Cidr = Annotated[str, StringConstraints(min_length=1, max_length=64)]
_Roles = Annotated[
    dict[
        Annotated[str, StringConstraints(max_length=64)],
        Annotated[
            list[Annotated[str, StringConstraints(max_length=16)]],
            Field(max_length=4),
        ],
    ],
    Field(max_length=200, default_factory=dict),
]


class AllowlistBody(Body):
    """Networks that are let in; your own address must be in one of them."""

    enabled: bool = False
    cidrs: Annotated[list[_Cidr], Field(max_length=MAX_CIDRS, default_factory=list)]
    mode: Mode = DEFAULT_MODE


class QuietHoursBody(Body):
    """What is to be another way; what is absent or null stays."""

    enabled: bool | None = None
    start: Clock | None = None
    end: Clock | None = None
    digest: bool | None = None


class PermissionsBody(Body):
    """Roles by page and by action, as `GET /permissions` names them; what is absent stays."""

    page_access: _Roles
    action_access: _Roles


class MqttBody(Body):
    """Only that it is off can be said here."""

    enabled: bool = False
