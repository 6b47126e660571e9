"""What a link has said, and what a bridge's word about it can mean."""

import asyncio
import random

import msgspec

from api.bridges.models import Bridge
from api.commands.models import Command
from api.link.said import KEPT, Said
from api.link.socket import LinkEndpoint
from schemas.commands import Verb
from schemas.link import Beat, Cmd, CmdGot, RemoteStop, Resume
from tests.api.link.conftest import Farm
from tests.api.link.test_socket import greeted
from tests.fakes.agents import hello_of
from tests.fakes.sockets import FakeSocket


def cmd(seq: int) -> Cmd:
    raw = msgspec.Raw(b"{}")
    return Cmd(seq=seq, id=f"c{seq}", printer=1, verb="connect", args=raw, ttl_left_ms=None)


def test_nobody_has_a_command_that_was_never_said() -> None:
    """A journal's highest number counts as far as this link has said any."""
    said = Said()
    assert said.known(CmdGot(seq=500)) == CmdGot(seq=0)
    said.note(cmd(6))
    said.note(RemoteStop(id="stop", printer=1))
    said.note(cmd(7))
    assert said.known(CmdGot(seq=500)) == CmdGot(seq=7)
    assert said.known(CmdGot(seq=6)) == CmdGot(seq=6)
    beat = Beat(sent_ms=1)
    assert said.known(beat) is beat


def test_what_is_said_twice_is_known_while_it_is_remembered() -> None:
    """The memory is bounded: what fell out of it is said again, which a journal bears."""
    said = Said()
    assert not said.note(RemoteStop(id="stop", printer=1))
    assert said.note(RemoteStop(id="stop", printer=1))
    for seq in range(KEPT):
        said.note(cmd(seq))
    assert "c0" in said
    assert "stop" not in said


async def test_a_journal_that_is_ahead_loses_no_command_that_is_being_born(farm: Farm) -> None:
    """R13: the rows came from a backup; the room confirms numbers that are not given yet."""
    endpoint = LinkEndpoint(farm.handler, farm.bus, farm.clock)
    dice, issued, heard = random.Random(1), set[str](), set[str]()

    async def agent(socket: FakeSocket) -> None:
        while True:
            body = await socket.hear()
            if isinstance(body, Cmd):
                heard.add(body.id)
                socket.say(CmdGot(seq=5000))

    async def person() -> None:
        for _ in range(12):
            await asyncio.sleep(dice.random() * 0.01)
            issued.add((await farm.issue(Verb.DISCONNECT)).id)

    async with FakeSocket(endpoint, await farm.credentials()) as socket:
        await greeted(farm, socket)
        room = asyncio.create_task(agent(socket))
        await asyncio.gather(*(person() for _ in range(3)))
        async with asyncio.timeout(5):
            while heard != issued:
                await asyncio.sleep(0.01)
        room.cancel()
        await asyncio.gather(room, return_exceptions=True)
    assert heard == issued


async def test_commands_after_a_standby_without_the_last_ones_took_over_are_carried(
    farm: Farm,
) -> None:
    """Their numbers were given before on the same link, which still stands."""
    endpoint = LinkEndpoint(farm.handler, farm.bus, farm.clock)
    async with FakeSocket(endpoint, await farm.credentials()) as socket:
        await greeted(farm, socket)
        for _ in range(3):
            await farm.issue()
            assert isinstance(await socket.hear(), Cmd)
        await Command.filter(seq__gt=1).delete()
        await Bridge.filter(id=farm.bridge.id).update(command_seq=1)
        command = await farm.issue()
        heard = await socket.hear()
        assert isinstance(heard, Cmd)
        assert (heard.id, heard.seq) == (command.id, 2)


async def test_new_commands_have_numbers_that_no_journal_knows(farm: Farm) -> None:
    """The agent says in its greeting how far its journal has come."""
    hello = hello_of(farm.bridge.uid)
    ahead = msgspec.structs.replace(hello, resume=Resume(command_seq=41))
    await farm.handler.hello(farm.bridge, ahead)
    assert (await farm.issue()).seq == 42
