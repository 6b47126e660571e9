"""The room link over a gateway: every message is an invocation of its own, with rows as memory."""

from collections.abc import Sequence

import pytest

from api.bridges.models import Bridge
from api.commands.models import Command
from api.errors import NotAuthenticated
from api.gateway.lease import LEASE_S, claim, release
from api.gateway.links import GAP_WAITS_S
from api.gateway.models import GatewaySocket
from api.gateway.sockets import LONGEST, forget_ended
from schemas.codec import decode
from schemas.facts import PrinterFact
from schemas.link import Beat, Cmd, CmdGot, Desired, FactAck, LiveSnap, Refuse, Reported, Welcome
from schemas.printer import Live, PrinterState
from tests.api.gateway.conftest import Room
from tests.api.link.conftest import batch
from tests.fakes.agents import hello_of


def kinds(bodies: Sequence[object]) -> list[str]:
    return [type(body).__name__ for body in bodies]


async def test_only_the_key_gets_a_socket_and_a_repeated_connect_is_let_in_again(
    room: Room,
) -> None:
    """The nonce is spent by the first event; its double finds the row (R54)."""
    authorization = await room.farm.credentials()
    await room.links.connect("c1", authorization)
    await room.links.connect("c1", authorization)
    with pytest.raises(NotAuthenticated):
        await room.links.connect("c2", authorization)
    with pytest.raises(NotAuthenticated):
        await room.links.connect("c3", "")
    assert await GatewaySocket.all().count() == 1


async def test_a_hello_is_welcomed_once_and_the_configuration_follows(room: Room) -> None:
    """A doubled hello raises no second epoch."""
    await room.greet()
    assert kinds(room.told()) == ["Welcome", "Desired"]
    room.farm.epoch = 0
    await room.say(hello_of(room.farm.bridge.uid))
    assert "Welcome" not in kinds(room.told())
    assert (await Bridge.get(id=room.farm.bridge.id)).epoch == 1


async def test_a_new_configuration_is_pushed_when_it_is_made(room: Room) -> None:
    """Whoever changes a printer carries it to the room."""
    await room.greet()
    await room.say(Reported(version=1))
    room.told()
    async with room.farm.rooms.ledger.change() as change:
        await room.farm.rooms.bridges.raise_desired(change, room.farm.bridge.id)
    await room.links.push_bridge(room.farm.bridge.id)
    assert [body.version for body in room.told() if isinstance(body, Desired)] == [2]
    await room.links.push_bridge(room.farm.bridge.id)
    assert room.told() == []


async def test_a_command_is_carried_once_and_again_if_nobody_confirms_it(room: Room) -> None:
    """A frame that was lost on a link that stands leaves again with a beat."""
    await room.greet()
    room.told()
    command = await room.farm.issue()
    await room.links.push_bridge(room.farm.bridge.id)
    await room.links.push_bridge(room.farm.bridge.id)
    assert [body.id for body in room.told() if isinstance(body, Cmd)] == [command.id]
    room.farm.clock.advance(6)
    await room.say(Beat(sent_ms=1, outbox=0))
    assert [body.id for body in room.told() if isinstance(body, Cmd)] == [command.id]
    await room.say(CmdGot(seq=command.seq))
    await room.say(Beat(sent_ms=2, outbox=0))
    assert kinds(room.told()) == ["Beat"]
    assert (await Command.get(id=command.id)).state == "delivered"


async def test_facts_wait_for_those_before_them_and_are_recorded_once(room: Room) -> None:
    """Events of one socket may overtake each other: the second batch waits for the first."""
    await room.greet()
    room.told()
    printer = room.farm.printer.id
    first = batch(PrinterFact(printer=printer, state=PrinterState.OPERATIONAL), first=1)
    second = batch(PrinterFact(printer=printer, state=PrinterState.OFFLINE), first=2)

    async def overtaken(seconds: float) -> None:
        room.waited.append(seconds)
        await room.farm.handler.incoming(room.farm.bridge, room.farm.epoch, first)

    room.links._sleep = overtaken
    await room.say(second)
    assert len(room.waited) == 1
    acks = [body.seq for body in room.told() if isinstance(body, FactAck)]
    assert acks == [2]
    await room.say(second)
    assert [body.seq for body in room.told() if isinstance(body, FactAck)] == [2]
    assert room.gateway.closed == []


async def test_facts_with_a_hole_that_stays_end_the_link(room: Room) -> None:
    """The agent greets again and both agree on where they are."""
    await room.greet()
    fact = PrinterFact(printer=room.farm.printer.id, state=PrinterState.OPERATIONAL)
    await room.say(batch(fact, first=5))
    assert room.waited == list(GAP_WAITS_S)
    assert room.gateway.closed == ["c1"]
    assert (await Bridge.get(id=room.farm.bridge.id)).fact_seq == 0


async def test_facts_that_nobody_acknowledges_end_the_link_at_the_second_beat(room: Room) -> None:
    """A batch whose invocation died is sent again over a fresh link; a busy one is left alone."""
    await room.greet()
    await room.say(Beat(sent_ms=1, outbox=3))
    fact = PrinterFact(printer=room.farm.printer.id, state=PrinterState.OPERATIONAL)
    await room.say(batch(fact, first=1))
    await room.say(Beat(sent_ms=2, outbox=2))
    assert room.gateway.closed == []
    await room.say(Beat(sent_ms=3, outbox=2))
    assert room.gateway.closed == ["c1"]


async def test_an_old_picture_does_not_replace_a_newer_one(room: Room) -> None:
    """Reordered and doubled pictures (R54)."""
    await room.greet()
    printer = room.farm.printer.id

    def picture(state: PrinterState) -> LiveSnap:
        return LiveSnap(printers=[Live(printer=printer, state=state)])

    await room.say(picture(PrinterState.OPERATIONAL), mono_ms=500)
    await room.say(picture(PrinterState.OFFLINE), mono_ms=400)
    live = room.farm.rooms.telemetry.state_of(printer)
    assert live is not None
    assert live.state is PrinterState.OPERATIONAL


async def test_a_late_end_of_an_old_socket_changes_nothing(room: Room) -> None:
    """The epoch of the newer link stands (R54)."""
    await room.greet("c1")
    old = await GatewaySocket.get(connection_id="c1")
    await room.greet("c2")
    await room.links.gone(old)
    assert room.farm.rooms.bridges.online(room.farm.bridge.id)
    row = await Bridge.get(id=room.farm.bridge.id)
    assert (row.epoch, row.disconnected_at) == (2, None)


async def test_the_greeting_of_a_machine_that_lost_its_power_is_no_copy(room: Room) -> None:
    """It comes after that of the next boot, which must stay welcome (seed 1006649, R54)."""
    await room.connect("slow")
    await room.greet("first", boot="before")
    await room.greet("second", boot="after")
    await room.say(hello_of(room.farm.bridge.uid, boot="before"), "slow")
    [said] = room.told("slow")
    assert isinstance(said, Refuse) and (said.code, said.action) == ("late", "")
    assert room.gateway.closed == ["slow"]
    await room.greet("third", boot="after")
    assert "Welcome" in kinds(room.told("third"))
    assert "bridge.cloned" not in await room.farm.kinds()


async def test_a_copy_that_dials_again_is_seen(room: Room) -> None:
    """Its socket is opened after the other machine's hello: late is not what it is."""
    for name, boot in (("first", "one"), ("second", "other"), ("third", "one")):
        await room.greet(name, boot=boot)
    assert "bridge.cloned" in await room.farm.kinds()
    await room.greet("fourth", boot="other")
    [said] = room.told("fourth")
    assert isinstance(said, Refuse) and (said.code, said.action) == ("clone", "clone")


async def test_what_an_old_socket_says_ends_it(room: Room) -> None:
    """Two sockets of one bridge: the newer one counts (fencing)."""
    await room.greet("c1")
    await room.greet("c2")
    room.farm.epoch = 1
    await room.say(Beat(sent_ms=1), "c1")
    assert room.gateway.closed == ["c1"]
    assert [each.connection_id for each in await GatewaySocket.all()] == ["c2"]


async def test_a_socket_that_is_gone_is_forgotten_when_a_frame_does_not_arrive(room: Room) -> None:
    """410 of the gateway: what was to be carried waits for the next link."""
    await room.greet("c1")
    room.gateway.gone.add("c1")
    command = await room.farm.issue()
    await room.links.push_bridge(room.farm.bridge.id)
    assert await GatewaySocket.all().count() == 0
    await room.greet("c2")
    assert command.id in [body.id for body in room.told("c2") if isinstance(body, Cmd)]


async def test_sockets_whose_end_nobody_told_are_forgotten(room: Room) -> None:
    """A gateway ends each after two hours, and its last word may never come (R54)."""
    await room.greet("old")
    room.farm.clock.advance(LONGEST.total_seconds() - 60)
    await room.greet("new")
    room.farm.clock.advance(120)
    assert await forget_ended(room.farm.clock.now()) == 1
    assert [row.connection_id for row in await GatewaySocket.all()] == ["new"]


async def test_one_invocation_writes_at_a_time_and_looks_again_for_who_came_meanwhile(
    room: Room,
) -> None:
    """Commands keep their order although every request pushes."""
    await room.greet()
    room.told()
    rows = GatewaySocket.filter(connection_id="c1")
    await room.farm.issue()
    assert await claim("c1", room.farm.clock)
    await room.links.push("c1")
    assert room.told() == []
    assert await release("c1")
    await room.links.push("c1")
    assert kinds(room.told()) == ["Cmd"]
    assert await claim("c1", room.farm.clock)  # and dies with it
    await room.farm.issue()
    room.farm.clock.advance(LEASE_S + 1)
    await room.links.push("c1")
    assert kinds(room.told()) == ["Cmd"]
    assert (await rows.get()).pushing_until is None


async def test_a_revoked_bridge_is_turned_away(room: Room) -> None:
    """Its socket ends with the next thing that happens to it."""
    await room.greet()
    await room.farm.rooms.bridges.revoke(room.farm.admin, room.farm.bridge.id)
    await room.links.push_bridge(room.farm.bridge.id)
    assert room.gateway.closed == ["c1"]


async def test_the_welcome_says_what_the_settings_say(room: Room) -> None:
    """The agent learns the intervals of a gateway."""
    await room.greet()
    welcome = room.told()[0]
    assert isinstance(welcome, Welcome)
    assert welcome.epoch == room.farm.epoch == 1


async def test_frames_carry_no_time_that_another_invocation_would_contradict(room: Room) -> None:
    """Machines have no monotonic clock in common: an agent that compared would expire commands."""
    await room.greet()
    assert [decode(text).mono_ms for _, text in room.gateway.frames] == [0, 0]
