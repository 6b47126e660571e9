"""Sixteen printers on one bridge, of which some misbehave: the others print as if alone."""

import pytest

from infra.bench.crowd import MAD, crowd

LINES = 200


@pytest.mark.flow
def test_printers_beside_mad_ones_get_every_line() -> None:
    """serial 12/#61: a flood, a death in mid-print, a storm of resends beside thirteen prints."""
    gap_ms, rate = crowd(16 - len(MAD), LINES, [*MAD])
    assert sorted(MAD) == ["flood", "silence", "storm"]
    assert gap_ms > 0.0
    assert rate > 0.0
