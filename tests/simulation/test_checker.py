"""The checker is not blind: every planted fault is found, by the rule that is there for it."""

import pytest

from api.config import Settings
from tests.simulation.checker import check
from tests.simulation.mutants import MUTANTS, Mutant
from tests.simulation.rows import Rows
from tests.simulation.world import run_seed

#: So many days a planted fault may stay unnoticed.
MOST_SEEDS = 60


def _first_catch(mutant: Mutant, rows: Rows, settings: Settings) -> int | None:
    for seed in range(MOST_SEEDS):
        with mutant.plant():
            outcome = run_seed(seed, rows, settings, mutant.bias)
        wrong = check(outcome.history, outcome.longest_frame_s)
        if any(text.startswith(mutant.caught_by) for text in wrong):
            return seed
    return None


@pytest.mark.seeded
@pytest.mark.parametrize("name", MUTANTS)
def test_planted_fault_is_caught(name: str, rows: Rows, settings: Settings) -> None:
    """One wrong line in agent or API does not survive a few dozen bad days."""
    caught = _first_catch(MUTANTS[name], rows, settings)
    assert caught is not None, f"nobody noticed within {MOST_SEEDS} seeds: {name}"
