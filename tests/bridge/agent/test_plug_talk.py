"""What plugs are asked, and what is believed of their answers."""

import asyncio

import pytest

from bridge.agent.plug_talk import DIALECTS, PlugError, Reading, asker
from tests.fakes.plug import FakePlug, plugged_in

KINDS = {"tasmota": "tasmota", "shelly1": "shelly", "shelly2": "shelly"}
MEASURED = {
    "tasmota": (121.0, 3.185),
    "shelly1": (61.5, 2.0),
    "shelly2": (8.9, 6.532),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_plug_is_switched_and_says_what_it_measures(kind: str) -> None:
    """On, off, watts and kWh of Tasmota and of both generations of Shelly."""
    async with plugged_in(FakePlug(kind, is_on=False)) as plug:
        dialect, ask = DIALECTS[KINDS[kind]], asker(plug.address(""))
        for on in (True, False):
            await dialect.switch(ask, on)
            assert plug.is_on is on
            assert await dialect.read(ask) == Reading(on, *MEASURED[kind])
        assert len(plug.orders) == 2


@pytest.mark.parametrize("kind", KINDS)
async def test_a_plug_without_a_meter_measures_nothing(kind: str) -> None:
    """No numbers are made up."""
    async with plugged_in(FakePlug(kind, measures=False)) as plug:
        read = await DIALECTS[KINDS[kind]].read(asker(plug.address("")))
        assert read == Reading(is_on=True)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nnot json", "no JSON object"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 16_000, "no JSON object"),
        (b"HTTP/1.1 200 OK\r\n\r\n[1]", "no JSON object"),
        (b"HTTP/1.1 200 OK\r\n\r\n{}", "does not say whether it is on"),
        (b'HTTP/1.1 200 OK\r\n\r\n{"POWER": "MAYBE"}', "does not say whether it is on"),
        (b'HTTP/1.1 200 OK\r\n\r\n{"WARNING": "Need user=<username>"}', "asks for a password"),
        (b"HTTP/1.1 401 Unauthorized\r\n\r\n", "asks for a password"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "no plug of this kind"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://10.0.0.1/\r\n\r\n", "status 302"),
        (b"HTTP/1.1 500 x\r\n\r\n", "status 500"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 x y\r\n\r\n", "does not speak HTTP"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "in chunks"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", "too long"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "too long"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{}", "cannot be reached"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 40_000, "too long"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 40_000, "too long"),
        (b"", "cannot be reached"),
    ],
)
async def test_what_makes_no_sense_is_no_answer(raw: bytes, says: str) -> None:
    """safety R40: garbage, redirects, floods and cut answers end as a sentence for a person."""
    async with plugged_in(FakePlug("tasmota")) as plug:
        plug.raw = raw
        with pytest.raises(PlugError, match=says):
            await DIALECTS["tasmota"].read(asker(plug.address("")))


async def test_a_plug_that_hangs_is_not_waited_for() -> None:
    """It holds its answer for ever: within the time for it that is said."""
    async with plugged_in(FakePlug("tasmota")) as plug:
        answered = asyncio.Event()
        plug.hold = answered.wait
        with pytest.raises(PlugError, match="does not answer"):
            await DIALECTS["tasmota"].read(asker(plug.address(""), timeout_s=0.05))
        answered.set()
    with pytest.raises(PlugError, match="cannot be reached"):  # and now it is not even there
        await DIALECTS["tasmota"].read(asker(plug.address("")))


async def test_measurements_that_cannot_be_are_none() -> None:
    """Text, booleans, negatives and what no socket gives are left out; lists have a first."""
    said = b'{"POWER1": "ON", "StatusSNS": {"ENERGY": {"Power": %s, "Total": %s}}}'
    cases = [
        (b'"12"', b"true", None, None),
        (b"-1", b"1e300", None, None),
        (b"[7, 8]", b"[]", 7.0, None),
        (b"NaN", b"Infinity", None, None),
    ]
    async with plugged_in(FakePlug("tasmota")) as plug:
        for power, total, watts, kwh in cases:
            plug.raw = b"HTTP/1.1 200 OK\r\n\r\n" + said % (power, total)
            read = await DIALECTS["tasmota"].read(asker(plug.address("")))
            assert read == Reading(is_on=True, power_w=watts, energy_kwh=kwh)
