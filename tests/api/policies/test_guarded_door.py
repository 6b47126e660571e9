"""Dashboards behind a gateway come through the same door as everybody (v1 1.1, safety S42)."""

import pytest

from api.bus.local import LocalBus
from api.clock import Clock
from api.errors import Forbidden, NotAuthenticated
from api.events.service import Ledger
from api.feed.door import Knock
from api.perimeter import GuardedDoor, Perimeter
from api.policies.models import FarmSetting
from api.policies.service import ALLOWLIST, NETWORK, Policies
from api.principal import Principal

OFFICE = "198.51.100.7"


class OneKey:
    """Knows one key; *asked* counts who came as far as that."""

    def __init__(self, owner: Principal) -> None:
        self._owner = owner
        self.asked = 0

    async def authenticate(self, secret: str) -> Principal:
        self.asked += 1
        if secret != "odin_key":
            raise NotAuthenticated("no")
        return self._owner

    async def redeem_ws_ticket(self, token: str) -> Principal:
        raise NotAuthenticated("no ticket")


def knock(address: str, key: str = "odin_key") -> Knock:
    headers = {"x-api-key": [key]}
    return Knock(path="/ws", address=address, host="farm.local", headers=headers, query={})


@pytest.fixture
def people(admin: Principal) -> OneKey:
    return OneKey(admin)


async def test_a_dashboard_comes_in_from_where_it_may(
    ledger: Ledger, clock: Clock, bus: LocalBus, people: OneKey, admin: Principal
) -> None:
    """Only the networks of the list; who is outside of them is not even asked for a key."""

    def door() -> GuardedDoor:
        perimeter = Perimeter(Policies(ledger, clock, bus), lambda path: False)
        return GuardedDoor(perimeter, people, "")

    assert await door().enter(knock("203.0.113.9")) is admin
    value = {"enabled": True, "cidrs": ["198.51.100.0/24"], "mode": "api_and_ui"}
    await FarmSetting.create(name=ALLOWLIST, value=value, updated_at=clock.now())
    guarded, asked = door(), people.asked
    for address in ("203.0.113.9", "", "not an address"):
        with pytest.raises(Forbidden) as refused:
            await guarded.enter(knock(address))
        assert refused.value.code == "ip_not_allowed"
    assert people.asked == asked
    assert await guarded.enter(knock(OFFICE)) is admin
    with pytest.raises(NotAuthenticated):
        await guarded.enter(knock(OFFICE, "odin_other"))


async def test_a_new_process_knows_where_others_reach_it(
    ledger: Ledger, clock: Clock, bus: LocalBus
) -> None:
    """The address of POST /setup/network outlives a restart, before anything else was asked."""
    assert await Policies(ledger, clock, bus).host_ip() == ""
    kept = {"host_ip": "192.168.7.20"}
    await FarmSetting.create(name=NETWORK, value=kept, updated_at=clock.now())
    assert await Policies(ledger, clock, bus).host_ip() == "192.168.7.20"
