"""How each state of a printer looks to OctoPrint's clients (OctoPrint contract, section 5).

One table, one row a state: the text, the text in `/api/connection`, and the flags that are true.
"""

from dataclasses import dataclass

from schemas.printer import PrinterState

FLAGS = (
    "operational",
    "printing",
    "pausing",
    "paused",
    "resuming",
    "cancelling",
    "finishing",
    "ready",
    "closedOrError",
    "error",
    "sdReady",
)


@dataclass(frozen=True, slots=True)
class Look:
    """One row: *text* in job and printer, *link_text* in connection, the *true* flags."""

    text: str
    link_text: str
    true: frozenset[str]

    @property
    def flags(self) -> dict[str, bool]:
        """All eleven flags; `sdReady` is false here, it does not hang on the state."""
        return {flag: flag in self.true for flag in FLAGS}

    @property
    def operational(self) -> bool:
        """Whether the firmware answers."""
        return "operational" in self.true

    @property
    def active(self) -> bool:
        """Whether a job holds the printer: printing in any of its shades, or paused."""
        return bool(self.true & {"printing", "paused"})


def _look(text: str, *true: str, link_text: str = "") -> Look:
    return Look(text, link_text or text, frozenset(true))


_S = PrinterState
LOOKS: dict[PrinterState, Look] = {
    _S.OFFLINE: _look("Offline", "closedOrError", link_text="Closed"),
    _S.CONNECTING: _look("Connecting"),
    _S.OPERATIONAL: _look("Operational", "operational", "ready"),
    _S.STARTING: _look("Starting", "operational", "printing"),
    _S.PRINTING: _look("Printing", "operational", "printing"),
    _S.PAUSING: _look("Pausing", "operational", "printing", "pausing"),
    _S.PAUSED: _look("Paused", "operational", "paused"),
    _S.RESUMING: _look("Resuming", "operational", "printing", "resuming"),
    _S.CANCELLING: _look("Cancelling", "operational", "printing", "cancelling"),
    _S.TRANSFERRING: _look("Sending file to SD", "operational", "printing"),
    _S.FINISHING: _look("Finishing", "operational", "printing", "finishing"),
    _S.ERROR: _look("Error", "closedOrError", "error"),
    _S.HALTED: _look("Offline after error", "closedOrError", "error", link_text="Closed"),
}
