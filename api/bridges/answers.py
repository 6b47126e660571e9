"""What the routes of bridges answer."""

from typing import Annotated, Literal

from pydantic import Field

from api.describe import Answer, Instant


class BridgeAnswer(Answer):
    """A printer room's agent. *bridge_id*: its name on the link, for logs and support."""

    id: int
    bridge_id: str
    name: str
    online: Annotated[bool, Field(description="Whether its link stands now")]
    fingerprint: Annotated[str, Field(description="Of its public key, as it shows it itself")]
    agent_version: str
    os: str
    cloned: Annotated[
        bool, Field(description="Whether a second machine with its identity was turned away")
    ]
    ports: Annotated[int, Field(ge=0, description="Serial ports that it has reported")]
    desired_version: Annotated[int, Field(description="Of its printers' settings, as they are")]
    reported_version: Annotated[int, Field(description="Of its printers' settings, as it has them")]
    created_at: Instant
    connected_at: Instant | None
    last_seen_at: Instant | None


class PortAnswer(Answer):
    """A serial port of a room. *port_id* stays when the cable moves or the host restarts."""

    port_id: str
    device: Annotated[str, Field(description="Its path in the room")]
    description: str
    kind: Literal["usb", "path", "virtual"]
    usb_id: Annotated[str | None, Field(description="Vendor and product, `1a86:7523`")]
    serial_number: str | None
    printer: Annotated[int | None, Field(description="The id of the printer that has it")]
    error: Annotated[str | None, Field(description="Why it cannot be used")]
