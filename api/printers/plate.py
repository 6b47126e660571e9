"""The plate: when a start may have it, and what a print leaves on it (DESIGN section 7, Plate).

Pure. *Clear* is a claim by a person (or by a printer that clears itself), newer than the end of the
last print and consumed once; *unknown* means no.
"""

from enum import StrEnum

from schemas.jobs import AttemptState
from schemas.printer import ACTIVE, PlatePolicy


class PlateState(StrEnum):
    """What lies on the plate, as far as anybody has told."""

    CLEAR = "clear"
    OCCUPIED = "occupied"
    UNKNOWN = "unknown"


#: (policy, a person started it by name) -> plate states in which a start is allowed.
_ALLOWED = {
    (PlatePolicy.SELF_CLEARING, False): frozenset(PlateState),
    (PlatePolicy.SELF_CLEARING, True): frozenset(PlateState),
    (PlatePolicy.START_CONFIRMS, False): frozenset({PlateState.CLEAR}),
    (PlatePolicy.START_CONFIRMS, True): frozenset({PlateState.CLEAR, PlateState.UNKNOWN}),
    (PlatePolicy.CONFIRM, False): frozenset({PlateState.CLEAR}),
    (PlatePolicy.CONFIRM, True): frozenset({PlateState.CLEAR}),
}

#: Why a printer's queue waits for a person after an attempt ended so.
HOLD_AFTER = {
    AttemptState.CANCELLED: "The last print was cancelled.",
    AttemptState.FAILED: "The last print failed.",
    AttemptState.INTERRUPTED: "The last print was interrupted.",
}


def may_start(policy: str, plate: str, *, explicit: bool) -> bool:
    """Whether a start may have the plate. *explicit*: a person named this printer."""
    return PlateState(plate) in _ALLOWED[PlatePolicy(policy), explicit]


def plate_after(policy: str) -> PlateState:
    """What the plate is after a print, however it ended."""
    self_clearing = PlatePolicy(policy) is PlatePolicy.SELF_CLEARING
    return PlateState.CLEAR if self_clearing else PlateState.OCCUPIED


def from_card(before: str, now: str, grant: str | None) -> bool:
    """Whether a print that nobody here has started begins: from the printer's own card."""
    return grant is None and now in ACTIVE and before not in ACTIVE


def why_not(name: str, plate: str) -> str:
    """The sentence for a person whose start has to wait for the plate."""
    if PlateState(plate) is PlateState.OCCUPIED:
        return (
            f"The last print still lies on the plate of {name}. Take it off, then say so "
            "(plate-cleared) and start again."
        )
    return f"Nobody has said that the plate of {name} is clear. Look, then say so (plate-cleared)."
