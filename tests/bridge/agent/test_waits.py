"""How long the agent waits: before it dials again, before it starts a sender again."""

import pytest

from bridge.agent.link.backoff import Backoff
from bridge.agent.restarts import MAX_DEATHS, WITHIN_S, Restarts


def test_delays_double_with_full_jitter_up_to_eight_seconds() -> None:
    """The first retry is a random 0-1 s; ten minutes long the ceiling is 8 s."""
    backoff = Backoff(lambda: 1.0)
    backoff.lost(0.0)
    assert [backoff.delay(10.0) for _ in range(6)] == [1, 2, 4, 8, 8, 8]
    assert Backoff(lambda: 0.25).delay(0.0) == 0.25


@pytest.mark.parametrize(("outage_s", "ceiling_s"), [(599, 8), (601, 60), (3599, 60), (3601, 300)])
def test_ceiling_grows_with_the_outage(outage_s: float, ceiling_s: float) -> None:
    """It never gives up, and never hammers."""
    backoff = Backoff(lambda: 1.0)
    backoff.lost(0.0)
    for _ in range(20):
        backoff.lost(outage_s)
        delay = backoff.delay(outage_s)
    assert delay == ceiling_s


def test_healthy_minute_starts_over() -> None:
    """A connection of 60 s resets; a shorter one does not."""
    backoff = Backoff(lambda: 1.0)
    backoff.lost(0.0)
    for _ in range(3):
        backoff.delay(0.0)
    backoff.connected(10.0)
    backoff.lost(69.9)
    assert backoff.delay(69.9) == 8
    backoff.connected(70.0)
    backoff.lost(130.0)
    assert backoff.delay(130.0) == 1


def test_the_api_is_obeyed() -> None:
    """`retry_after` is a floor; a goaway's window is spread over."""
    backoff = Backoff(lambda: 0.5)
    assert backoff.delay(0.0, retry_after_s=30.0) == 30.5
    assert backoff.spread(20.0) == 10.0
    assert backoff.spread(-1.0) == 0.0


def test_five_deaths_in_a_minute_are_too_many() -> None:
    """The fifth puts the printer in quarantine; a person's wish begins anew."""
    restarts = Restarts()
    assert [restarts.died(float(n)) for n in range(MAX_DEATHS)] == [0.0, 0.2, 1.0, 3.0, None]
    quarantines = [restarts.quarantined]
    restarts.pardon()
    quarantines.append(restarts.quarantined)
    assert quarantines == [True, False]
    assert restarts.died(10.0) == 0.0


def test_rare_deaths_are_forgiven() -> None:
    """Deaths a minute apart never add up."""
    restarts = Restarts()
    delays = [restarts.died(n * (WITHIN_S + 1)) for n in range(20)]
    assert set(delays) == {0.0}
