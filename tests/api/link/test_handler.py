"""The handler: greeting, what goes out, what comes in. All state comes from rows."""

import logging

import msgspec
import pytest

from api.bridges.bulk_tokens import BULK_TOKEN_S
from api.bridges.models import Bridge
from api.bridges.service import Standing
from api.commands.carrying import Told
from api.commands.models import Command
from api.config import Settings
from api.errors import NotAuthenticated
from api.link.facts import FOREIGN
from api.link.handler import PART_BYTES, LinkHandler, desired_parts
from schemas.codec import MAX_FRAME_BYTES, encode
from schemas.commands import Verb
from schemas.link import (
    Beat,
    Body,
    Cmd,
    CmdGot,
    Desired,
    Frame,
    LiveSnap,
    Nak,
    Refuse,
    RemoteStop,
    Reported,
    Token,
)
from schemas.printer import Live, PrinterConfig, PrinterState
from tests.api.link.conftest import Farm
from tests.fakes.agents import AgentKey, hello_of


async def outgoing(farm: Farm, desired_told: int = 0) -> list[Body]:
    found = await farm.handler.outgoing(farm.bridge.id, farm.epoch, Told(desired=desired_told))
    assert found.standing is Standing.CURRENT
    return found.bodies


def seqs(bodies: list[Body]) -> list[int]:
    return [body.seq for body in bodies if isinstance(body, Cmd)]


async def test_only_the_key_opens_a_link(farm: Farm) -> None:
    """The right signature is the bridge; another key is nobody (safety S41)."""
    assert (await farm.handler.connect(await farm.credentials())).id == farm.bridge.id
    farm.key = AgentKey()
    with pytest.raises(NotAuthenticated):
        await farm.handler.connect(await farm.credentials())


async def test_a_welcome_says_all_that_an_agent_needs(farm: Farm, settings: Settings) -> None:
    """Epoch, intervals, position, token, version."""
    welcome = await farm.greet()
    assert (welcome.epoch, welcome.protocol) == (1, 1)
    assert (welcome.beat_s, welcome.dead_s, welcome.live_s) == (15.0, 40.0, 1.0)
    assert welcome.server_time == "2026-01-01T12:00:00.000Z"
    assert welcome.bulk.life_s == BULK_TOKEN_S
    assert welcome.desired_version == 1
    assert (await farm.greet()).epoch == 2


@pytest.mark.parametrize(
    ("protocols", "uid", "action"), [((2, 3), None, "upgrade"), ((1, 1), "01OTHER", "repair")]
)
async def test_who_does_not_fit_is_refused_with_advice(
    farm: Farm, protocols: tuple[int, int], uid: str | None, action: str
) -> None:
    """Another protocol or another identity raises no epoch: the standing link goes on."""
    await farm.greet()
    hello = hello_of(uid or farm.bridge.uid, protocols=protocols)
    refusal = await farm.handler.hello(farm.bridge, hello)
    assert isinstance(refusal, Refuse)
    assert refusal.action == action
    assert (await farm.rooms.bridges.standing(farm.bridge.id, farm.epoch))[0] is Standing.CURRENT


async def test_the_configuration_goes_out_once_a_link(farm: Farm) -> None:
    """First on every link; again only when it changed, and not twice on one link."""
    await farm.greet()
    found = await farm.handler.outgoing(farm.bridge.id, farm.epoch)
    desired = found.bodies[0]
    assert isinstance(desired, Desired)
    assert (desired.version, [p.id for p in desired.printers]) == (1, [farm.printer.id])
    assert await outgoing(farm, found.told.desired) == []
    await farm.handler.incoming(farm.bridge, farm.epoch, Reported(version=1))
    assert await outgoing(farm, found.told.desired) == []
    async with farm.rooms.ledger.change() as change:
        await farm.rooms.bridges.raise_desired(change, farm.bridge.id)
    again = await outgoing(farm, found.told.desired)
    assert [body.version for body in again if isinstance(body, Desired)] == [2]
    await farm.greet()
    assert [type(body) for body in await outgoing(farm)] == [Desired]


async def test_commands_go_out_once_a_link_in_order(farm: Farm) -> None:
    """Marked as sent with the link that carries them; their time left and meaning beside them."""
    await farm.greet()
    first = await farm.issue(Verb.CONNECT)
    await farm.issue(Verb.DISCONNECT)
    farm.clock.advance(10)
    bodies = await outgoing(farm, desired_told=1)
    assert seqs(bodies) == [1, 2]
    command = bodies[0]
    assert isinstance(command, Cmd)
    assert (command.id, command.verb, command.printer) == (
        first.id,
        Verb.CONNECT,
        farm.printer.id,
    )
    assert (command.ttl_left_ms, command.actor) == (20_000, "admin")
    assert msgspec.json.decode(command.args) == {}
    assert await outgoing(farm, desired_told=1) == []


async def test_a_link_that_remembers_carries_what_was_sent_by_its_birth(farm: Farm) -> None:
    """In order and once, without a further commit; a stop too, and a start may be taken back."""
    await farm.greet()
    queued = await farm.issue()
    with farm.handler.direct_stops(farm.bridge.id, farm.epoch, lambda stop: None):
        sent = [await farm.issue(), await farm.issue(Verb.REMOTE_STOP)]
    assert [(row.state, row.sent_epoch) for row in (queued, *sent)] == [
        ("queued", None),
        ("sent", farm.epoch),
        ("sent", farm.epoch),
    ]
    told = Told(desired=1, commands=())
    found = await farm.handler.outgoing(farm.bridge.id, farm.epoch, told)
    assert seqs(found.bodies) == [1, 2]
    assert RemoteStop(id=sent[1].id, printer=farm.printer.id) in found.bodies
    told = Told(desired=1, commands={queued.id, sent[0].id})
    again = await farm.handler.outgoing(farm.bridge.id, farm.epoch, told)
    assert again.bodies == [RemoteStop(id=sent[1].id, printer=farm.printer.id)]


async def test_what_was_sent_by_its_birth_and_never_said_goes_with_the_next_link(
    farm: Farm,
) -> None:
    """That one may remember nothing; what has no life left is asked about, not done (R02, R13)."""
    await farm.greet()
    with farm.handler.direct_stops(farm.bridge.id, farm.epoch, lambda stop: None):
        command = await farm.issue()
    assert await outgoing(farm, desired_told=1) == []  # another process has its word for it
    farm.clock.advance(3600)
    assert await farm.rooms.commands.expire_due() == 0
    await farm.greet()
    [carried] = await outgoing(farm, desired_told=1)
    assert isinstance(carried, Cmd)
    assert (carried.id, carried.ttl_left_ms) == (command.id, 0)


async def test_a_command_names_the_attempt_it_means(farm: Farm) -> None:
    """A pause expects its attempt to be the one that runs; a start brings one that is new."""
    await farm.greet()
    attempt = await farm.attempt()
    pause = await farm.issue(Verb.PAUSE)
    start, other = await outgoing(farm, desired_told=1)
    assert isinstance(start, Cmd) and isinstance(other, Cmd)
    assert (start.verb, start.expect.grant) == (Verb.START, None)
    assert (other.id, other.expect.grant) == (pause.id, attempt.grant)


async def test_what_no_journal_confirmed_is_carried_again(farm: Farm) -> None:
    """A new link repeats sent commands and none that were delivered (safety R02, R13)."""
    await farm.greet()
    for _ in range(3):
        await farm.issue(Verb.CONNECT)
    await outgoing(farm)
    await farm.handler.incoming(farm.bridge, farm.epoch, CmdGot(seq=2))
    states = [row.state for row in await Command.all().order_by("seq")]
    assert states == ["delivered", "delivered", "sent"]
    await farm.greet()
    assert seqs(await outgoing(farm)) == [3]


async def test_an_old_link_gets_nothing_and_confirms_nothing(farm: Farm) -> None:
    """A replaced link's confirmation does not count, and it is told to go (safety S58)."""
    await farm.greet()
    old = farm.epoch
    await farm.issue()
    await outgoing(farm)
    await farm.greet()
    await farm.handler.incoming(farm.bridge, old, CmdGot(seq=1))
    await farm.handler.incoming(farm.bridge, old, Reported(version=1))
    assert (await Command.get(seq=1)).state == "sent"
    assert (await Bridge.get(id=farm.bridge.id)).reported_version == 0
    assert (await farm.handler.outgoing(farm.bridge.id, old)).standing is Standing.REPLACED


async def test_a_revoked_bridge_gets_nothing(farm: Farm) -> None:
    """Its link is told to go; the printer and its print are not touched (safety R51)."""
    await farm.greet()
    await farm.issue()
    await farm.rooms.bridges.revoke(farm.admin, farm.bridge.id)
    found = await farm.handler.outgoing(farm.bridge.id, farm.epoch)
    assert (found.standing, found.bodies) == (Standing.REVOKED, [])


async def test_a_remote_stop_has_its_own_frame(farm: Farm) -> None:
    """M112 goes on its own lane, without a number and without a deadline."""
    await farm.greet()
    stop = await farm.issue(Verb.REMOTE_STOP)
    bodies = await outgoing(farm, desired_told=1)
    assert bodies == [RemoteStop(id=stop.id, printer=farm.printer.id)]


async def test_a_command_that_fits_no_frame_is_left_to_expire(
    farm: Farm, caplog: pytest.LogCaptureFixture
) -> None:
    """It cannot take the link down with it, nor hold up those behind it."""
    await farm.greet()
    big = await farm.issue()
    await Command.filter(id=big.id).update(args={"lines": ["G1 X1"] * 10_000})
    await farm.issue()
    with caplog.at_level(logging.ERROR):
        assert seqs(await outgoing(farm)) == [2]
    assert (await Command.get(id=big.id)).state == "queued"
    assert "does not fit" in caplog.text


async def test_a_long_link_gets_a_fresh_file_token(farm: Farm) -> None:
    """Half a day before the old one ends."""
    await farm.greet()
    assert not [body for body in await outgoing(farm) if isinstance(body, Token)]
    farm.clock.advance(BULK_TOKEN_S / 2 + 1)
    assert [type(body) for body in await outgoing(farm, desired_told=1)] == [Token]


async def test_pictures_are_taken_from_the_newest_link_only(farm: Farm) -> None:
    """An old link's picture changes nothing; a foreign printer's is answered (safety S59)."""
    await farm.greet()
    old = farm.epoch
    await farm.greet()
    live = Live(printer=farm.printer.id, state=PrinterState.OPERATIONAL)
    assert await farm.handler.incoming(farm.bridge, old, LiveSnap(printers=[live])) == []
    assert farm.rooms.telemetry.state_of(farm.printer.id) is None
    foreign = Live(printer=99, state=PrinterState.OPERATIONAL)
    (nak,) = await farm.handler.incoming(
        farm.bridge, farm.epoch, LiveSnap(printers=[live, foreign])
    )
    assert isinstance(nak, Nak) and nak.code == FOREIGN
    assert farm.rooms.telemetry.state_of(farm.printer.id) == live


async def test_a_printer_that_is_taken_away_is_foreign_at_once(farm: Farm) -> None:
    """With the new configuration the old room's pictures of it end."""
    await farm.greet()
    await outgoing(farm)
    live = Live(printer=farm.printer.id, state=PrinterState.OPERATIONAL)
    assert not await farm.handler.incoming(farm.bridge, farm.epoch, LiveSnap(printers=[live]))
    await farm.rooms.printers.delete(farm.admin, farm.printer.id)
    await outgoing(farm)
    assert await farm.handler.incoming(farm.bridge, farm.epoch, LiveSnap(printers=[live]))


async def test_beats_and_naks_need_no_answer(farm: Farm, caplog: pytest.LogCaptureFixture) -> None:
    """A beat is a sign of life, a nak is written down."""
    await farm.greet()
    farm.clock.advance(100)
    assert await farm.handler.incoming(farm.bridge, farm.epoch, Beat(sent_ms=1)) == []
    assert (await Bridge.get(id=farm.bridge.id)).last_seen_at == farm.clock.now()
    with caplog.at_level(logging.WARNING):
        nak = Nak(code="unsupported", reason="what?", type="cmd")
        assert await farm.handler.incoming(farm.bridge, farm.epoch, nak) == []
    assert "did not take cmd" in caplog.text


async def test_the_handler_keeps_nothing_between_messages(farm: Farm, settings: Settings) -> None:
    """Another replica goes on with the link: the rows are all there is."""
    await farm.greet()
    await farm.issue()
    other = LinkHandler(farm.rooms, farm.clock, settings)
    found = await other.outgoing(farm.bridge.id, farm.epoch)
    assert seqs(found.bodies) == [1]
    await other.incoming(farm.bridge, farm.epoch, CmdGot(seq=1))
    assert (await Command.get(seq=1)).state == "delivered"


def test_a_large_room_is_told_in_parts() -> None:
    """Every part fits a frame, together they are the room, and an empty room is one part."""
    printers = [
        PrinterConfig(id=n, slug=f"p{n}", name="P", port_id="x", scripts={"a": "G28\n" * 200})
        for n in range(200)
    ]
    parts = desired_parts(3, printers)
    assert [p for part in parts for p in part.printers] == printers
    assert [(part.part, part.parts) for part in parts] == [
        (n, len(parts)) for n in range(1, len(parts) + 1)
    ]
    assert all(len(encode(Frame(body=part))) <= MAX_FRAME_BYTES for part in parts)
    assert len(parts) <= 2 * sum(len(msgspec.json.encode(p)) for p in printers) / PART_BYTES
    assert desired_parts(3, []) == [Desired(version=3, printers=[])]
