"""Facts that have piled up, through a gateway: several transactions in one invocation."""

from typing import Any

import pytest

from api.bridges.models import Bridge
from api.db import Transient
from api.gateway.sockets import GatewaySockets
from api.link.facts import AT_ONCE
from schemas.codec import encode
from schemas.facts import PrinterFact
from schemas.link import FactAck, Frame
from schemas.printer import PrinterState
from tests.api.gateway.conftest import Room
from tests.api.link.conftest import batch


@pytest.mark.parametrize("collides_at", [1, 2])
async def test_a_collision_behind_a_commit_is_run_again_and_the_socket_stays(
    room: Room, monkeypatch: pytest.MonkeyPatch, collides_at: int
) -> None:
    """R22: nobody notices; what was committed before it is no reason to give up."""
    await room.greet()
    room.told()
    real, calls = room.farm.rooms.bridges.ack_facts, 0

    async def ack(*args: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == collides_at:
            raise Transient("deadlock detected")
        await real(*args)

    monkeypatch.setattr(room.farm.rooms.bridges, "ack_facts", ack)
    states, number = (PrinterState.OPERATIONAL, PrinterState.OFFLINE), room.farm.printer.id
    facts = [PrinterFact(printer=number, state=states[nth % 2]) for nth in range(3 * AT_ONCE)]
    feeds: Any = None
    await GatewaySockets(room.links, feeds).take(
        {
            "requestContext": {"connectionId": "c1", "eventType": "MESSAGE"},
            "body": encode(Frame(body=batch(*facts), epoch=room.farm.epoch, mono_ms=99)),
        }
    )
    assert room.gateway.closed == []
    assert room.told() == [FactAck(journal_id="J1", seq=len(facts))]
    assert (await Bridge.get(id=room.farm.bridge.id)).fact_seq == len(facts)
