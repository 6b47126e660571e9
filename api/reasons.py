"""Answers say their reason: `HTTP/1.1 409 CONFLICT`, not a bare number.

Hypercorn leaves it out, which HTTP allows. Clients on small boards compare the whole line, and they
know it as OctoPrint writes it, in capitals (OctoPrint contract, 1).
"""

from http import HTTPStatus
from typing import Any

import h11
from hypercorn import protocol
from hypercorn.protocol.h11 import H11Protocol

_REASONS = {
    status.value: (status.phrase if status < HTTPStatus.OK else status.phrase.upper()).encode()
    for status in HTTPStatus
}


class _SaysReasons(H11Protocol):
    """A connection of HTTP/1."""

    async def _send_h11_event(self, event: Any) -> None:
        if isinstance(event, h11.Response | h11.InformationalResponse):
            # It is frozen, and making another one costs as much as the rest of a small answer.
            object.__setattr__(event, "reason", _REASONS.get(event.status_code, b""))
        await super()._send_h11_event(event)


def say_reasons() -> None:
    """From now on every answer of this process says its reason."""
    protocol.H11Protocol = _SaysReasons  # type: ignore[attr-defined]
