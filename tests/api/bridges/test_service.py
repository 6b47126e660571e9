"""Bridges: identity, fencing, numbers and tokens."""

from dataclasses import replace

import pytest

from api.accounts.models import Organization
from api.bridges.bulk_tokens import BULK_TOKEN_S
from api.bridges.keys import fingerprint
from api.bridges.models import Bridge, Nonce
from api.bridges.nonces import MAX_NONCES
from api.bridges.service import Bridges, Standing
from api.bus.local import LocalBus
from api.config import Settings
from api.db import Busy, Transaction
from api.errors import Conflict, Forbidden, Invalid, NotAuthenticated, NotFound, TooMany
from api.events.models import AuditEntry, Event
from api.events.service import Ledger
from api.principal import Principal, Role
from schemas.facts import Port
from tests.api.conftest import FakeClock
from tests.fakes.agents import AgentKey, hello_of


@pytest.fixture
def key() -> AgentKey:
    return AgentKey()


@pytest.fixture
async def bridge(bridges: Bridges, ledger: Ledger, key: AgentKey) -> Bridge:
    async with ledger.change() as change:
        return await bridges.create(change, 1, "Workshop", key.public)


async def kinds() -> list[str]:
    return [event.kind for event in await Event.all().order_by("number")]


async def test_a_signed_nonce_proves_a_bridge(
    bridges: Bridges, bridge: Bridge, key: AgentKey
) -> None:
    """The right key over a fresh nonce is let in, and the nonce works once (safety S43)."""
    credentials = key.credentials(bridge.uid, await bridges.make_nonce(bridge.uid))
    assert (await bridges.verify(credentials)).id == bridge.id
    with pytest.raises(NotAuthenticated, match="used or expired"):
        await bridges.verify(credentials)


async def test_a_nonce_lives_sixty_seconds(
    bridges: Bridges, bridge: Bridge, key: AgentKey, clock: FakeClock
) -> None:
    """An old nonce is refused, and its row goes with the next one."""
    old = key.credentials(bridge.uid, await bridges.make_nonce(bridge.uid))
    clock.advance(61)
    with pytest.raises(NotAuthenticated, match="used or expired"):
        await bridges.verify(old)
    await bridges.make_nonce(bridge.uid)
    assert await Nonce.all().count() == 1


async def test_a_wrong_key_does_not_spend_the_nonce(
    bridges: Bridges, bridge: Bridge, key: AgentKey
) -> None:
    """Somebody else's signature is refused, and the real bridge still gets in."""
    nonce = await bridges.make_nonce(bridge.uid)
    with pytest.raises(NotAuthenticated, match="signature"):
        await bridges.verify(AgentKey().credentials(bridge.uid, nonce))
    await bridges.verify(key.credentials(bridge.uid, nonce))


async def test_unknown_bridges_get_a_nonce_that_never_works(
    bridges: Bridges, key: AgentKey
) -> None:
    """The answer does not tell which bridges exist, and nothing is stored for it."""
    nonce = await bridges.make_nonce("01UNKNOWN")
    assert await Nonce.all().count() == 0
    with pytest.raises(NotAuthenticated):
        await bridges.verify(key.credentials("01UNKNOWN", nonce))


async def test_outstanding_nonces_are_bounded(bridges: Bridges, bridge: Bridge) -> None:
    """A loop of unauthenticated requests cannot fill the table."""
    for _ in range(MAX_NONCES):
        await bridges.make_nonce(bridge.uid)
    with pytest.raises(TooMany):
        await bridges.make_nonce(bridge.uid)


@pytest.mark.parametrize("header", ["", "Bearer odin_x", "Gantry-Ed25519", 'Gantry-Ed25519 x="'])
async def test_other_credentials_are_refused(bridges: Bridges, header: str) -> None:
    """An API token or a broken header is not a bridge's proof (safety S43)."""
    with pytest.raises(NotAuthenticated):
        await bridges.verify(header)


async def test_a_revoked_bridge_is_told_so(
    bridges: Bridges, bridge: Bridge, key: AgentKey, admin: Principal
) -> None:
    """Only whoever proves the key learns that it was removed (safety R51)."""
    await bridges.revoke(admin, bridge.id)
    nonce = await bridges.make_nonce(bridge.uid)
    with pytest.raises(Forbidden) as refused:
        await bridges.verify(key.credentials(bridge.uid, nonce))
    assert refused.value.code == "revoked"
    with pytest.raises(NotFound):
        await bridges.get(admin, bridge.id)


async def test_a_removed_bridge_can_be_paired_again(
    bridges: Bridges, bridge: Bridge, key: AgentKey, admin: Principal, ledger: Ledger
) -> None:
    """It is the same room again, with its printers; the id that was turned away stays dead."""
    await bridges.revoke(admin, bridge.id)
    async with ledger.change() as change:
        again = await bridges.create(change, 1, "Workshop", key.public)
    assert (again.id, again.name) == (bridge.id, "Workshop")
    assert again.uid != bridge.uid
    assert again.epoch > bridge.epoch
    assert [one.id for one in await bridges.list(admin)] == [bridge.id]
    nonce = await bridges.make_nonce(again.uid)
    assert (await bridges.verify(key.credentials(again.uid, nonce))).id == again.id
    with pytest.raises(NotAuthenticated):
        await bridges.verify(key.credentials(bridge.uid, await bridges.make_nonce(bridge.uid)))


async def test_pairing_again_keeps_the_bridge_and_fences_old_links(
    bridges: Bridges, bridge: Bridge, key: AgentKey, ledger: Ledger
) -> None:
    """A new pairing of the same key ends every older link and its file token (safety S58)."""
    opened = await bridges.open_session(bridge, hello_of(bridge.uid))
    async with ledger.change() as change:
        again = await bridges.create(change, 1, "Elsewhere", key.public)
    assert again.id == bridge.id
    assert (await bridges.standing(bridge.id, opened.epoch))[0] is Standing.REPLACED
    with pytest.raises(NotAuthenticated):
        await bridges.tokens.owner(opened.bulk.token)


async def test_a_key_of_another_organization_is_refused(
    bridges: Bridges, bridge: Bridge, key: AgentKey, ledger: Ledger, clock: FakeClock
) -> None:
    """Nobody takes another organization's bridge over by pairing it (safety S57)."""
    await Organization.create(id=2, name="Other", created_at=clock.now())
    with pytest.raises(Conflict):
        async with ledger.change() as change:
            await bridges.create(change, 2, "Mine now", key.public)


@pytest.mark.parametrize("text", ["", "no base64!", "AAAA"])
async def test_what_is_no_key_is_refused(bridges: Bridges, ledger: Ledger, text: str) -> None:
    """A public key is the base64 of 32 bytes."""
    with pytest.raises(Invalid):
        async with ledger.change() as change:
            await bridges.create(change, 1, "Room", text)


async def test_rooms_of_others_are_not_found(
    bridges: Bridges, bridge: Bridge, admin: Principal
) -> None:
    """Another organization sees neither the bridge nor its ports; a viewer sees none at all."""
    other = replace(admin, organization_id=2)
    assert await bridges.list(other) == []
    with pytest.raises(NotFound):
        await bridges.ports(other, bridge.id)
    with pytest.raises(NotFound):
        await bridges.revoke(other, bridge.id)
    with pytest.raises(Forbidden):
        await bridges.list(replace(admin, role=Role.VIEWER))


async def test_every_hello_raises_the_epoch(
    bridges: Bridges, bridge: Bridge, admin: Principal
) -> None:
    """The newest link is the one that counts; its ports are the room's (link, Fencing)."""
    port = Port(port_id="usb:1-1", device="/dev/ttyACM0")
    first = await bridges.open_session(bridge, hello_of(bridge.uid))
    second = await bridges.open_session(bridge, hello_of(bridge.uid, ports=[port]))
    assert second.epoch == first.epoch + 1
    assert (await bridges.standing(bridge.id, first.epoch))[0] is Standing.REPLACED
    assert (await bridges.standing(bridge.id, second.epoch))[0] is Standing.CURRENT
    assert await bridges.ports(admin, bridge.id) == [port]
    await bridges.close_session(bridge.id, first.epoch)
    assert bridges.online(bridge.id)


async def test_coming_and_going_is_told_once_each(
    bridges: Bridges, bridge: Bridge, clock: FakeClock
) -> None:
    """A break shorter than the grace makes no event; a longer one makes two (safety R06)."""
    opened = await bridges.open_session(bridge, hello_of(bridge.uid))
    await bridges.close_session(bridge.id, opened.epoch)
    clock.advance(2)
    await bridges.report_lapsed()
    opened = await bridges.open_session(bridge, hello_of(bridge.uid))
    assert (await kinds())[1:] == ["bridge.online"]
    await bridges.close_session(bridge.id, opened.epoch)
    clock.advance(6)
    assert not bridges.online(bridge.id)
    await bridges.report_lapsed()
    await bridges.report_lapsed()
    assert (await kinds())[1:] == ["bridge.online", "bridge.offline"]


async def test_an_absence_that_the_database_did_not_take_is_told_later(
    bridges: Bridges, bridge: Bridge, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that happened is lost with a busy database."""
    opened = await bridges.open_session(bridge, hello_of(bridge.uid))
    await bridges.close_session(bridge.id, opened.epoch)
    clock.advance(6)

    async def busy(self: Transaction) -> None:
        raise Busy("canceling statement due to statement timeout")

    with monkeypatch.context() as patch:
        patch.setattr(Transaction, "_begin", busy)
        with pytest.raises(Busy):
            await bridges.report_lapsed()
    assert "bridge.offline" not in await kinds()
    await bridges.report_lapsed()
    assert (await kinds()).count("bridge.offline") == 1


async def test_a_restarted_api_gives_connected_rooms_the_grace(
    bridges: Bridges,
    bridge: Bridge,
    ledger: Ledger,
    clock: FakeClock,
    settings: Settings,
    bus: LocalBus,
) -> None:
    """Rooms that were connected when the API died are not shown as gone at once (safety R01)."""
    await bridges.open_session(bridge, hello_of(bridge.uid))
    restarted = Bridges(ledger, clock, settings, bus)
    assert not restarted.online(bridge.id)
    await restarted.load()
    clock.advance(19)  # when all dial at once, the last has to wait
    assert restarted.online(bridge.id)
    clock.advance(2)
    assert not restarted.online(bridge.id)


async def test_numbers_rise_and_versions_wake_the_link(
    bridges: Bridges, bridge: Bridge, ledger: Ledger, bus: LocalBus
) -> None:
    """Commands of a room are numbered without gaps, and its link looks after each commit."""
    with bus.listen(f"bridge:{bridge.id}") as link:
        async with ledger.change() as change:
            assert await bridges.next_command_seq(change, bridge.id) == 1
            assert await bridges.next_command_seq(change, bridge.id) == 2
        assert await link.wait(0)
        async with ledger.change() as change:
            await bridges.raise_desired(change, bridge.id)
        assert await link.wait(0)
    _, row = await bridges.standing(bridge.id, 0)
    assert row.desired_version == 2


async def test_a_reported_version_is_never_taken_back(
    bridges: Bridges, bridge: Bridge, ledger: Ledger
) -> None:
    """A late or made-up report changes nothing."""
    for version, expected in ((1, 1), (0, 1), (9, 1)):
        async with ledger.change() as change:
            await bridges.reported(change, await Bridge.get(id=bridge.id), version)
        assert (await bridges.standing(bridge.id, 0))[1].reported_version == expected


async def test_file_tokens_are_renewed_before_they_end(
    bridges: Bridges, bridge: Bridge, clock: FakeClock
) -> None:
    """The old token works on beside the new one until its own end, and no longer."""
    first = (await bridges.open_session(bridge, hello_of(bridge.uid))).bulk.token
    assert await bridges.tokens.renew(await Bridge.get(id=bridge.id)) is None
    clock.advance(BULK_TOKEN_S / 2 + 1)
    second = await bridges.tokens.renew(await Bridge.get(id=bridge.id))
    assert second is not None
    for secret in (first, second.token):
        assert (await bridges.tokens.owner(secret)).id == bridge.id
    clock.advance(BULK_TOKEN_S / 2)
    with pytest.raises(NotAuthenticated):
        await bridges.tokens.owner(first)
    assert (await bridges.tokens.owner(second.token)).id == bridge.id


@pytest.mark.parametrize("secret", ["", "x", "01X.abc", "odin_" + "x" * 43])
async def test_what_is_no_file_token_is_refused(
    bridges: Bridges, bridge: Bridge, secret: str
) -> None:
    """Other secrets, and a bridge without any token yet, open no file (safety S43)."""
    with pytest.raises(NotAuthenticated):
        await bridges.tokens.owner(secret)
    with pytest.raises(NotAuthenticated):
        await bridges.tokens.owner(f"{bridge.uid}.x")


async def test_signs_of_life_are_written_once_a_minute(
    bridges: Bridges, bridge: Bridge, clock: FakeClock
) -> None:
    """A beat every few seconds costs one row update a minute."""
    await bridges.touch(bridge.id)
    seen = (await Bridge.get(id=bridge.id)).last_seen_at
    clock.advance(30)
    await bridges.touch(bridge.id)
    assert (await Bridge.get(id=bridge.id)).last_seen_at == seen
    clock.advance(31)
    await bridges.touch(bridge.id)
    assert (await Bridge.get(id=bridge.id)).last_seen_at == clock.now()


def test_a_fingerprint_is_what_ssh_shows() -> None:
    """SHA256 of the raw key, base64 without padding."""
    printed = fingerprint("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
    assert printed == "SHA256:Zmh6rfhivXdsj8GLjp+OIAiXFIVu4jOzkCpZHQ1fKSU"


async def test_a_room_gets_another_name(bridges: Bridges, ledger: Ledger, admin: Principal) -> None:
    """For people; its place on the link stays, and the act is in the audit."""
    async with ledger.change() as change:
        bridge = await bridges.create(change, 1, "room", AgentKey().public)
    assert (await bridges.rename(admin, bridge.id, "Cellar")).name == "Cellar"
    assert (await bridges.get(admin, bridge.id)).uid == bridge.uid
    with pytest.raises(NotFound):
        await bridges.rename(replace(admin, organization_id=2), bridge.id, "x")
    [entry] = await AuditEntry.filter(action="bridge.renamed")
    assert entry.details == {"name": "Cellar", "before": "room"}
