"""A person at the machine says that its plate is clear: `bridge plate clear PRINTER`.

The command leaves a request in the state directory and the agent answers it there, so it needs no
line to the API: the claim becomes a fact, in order behind the end of the last print, and is used
once by whoever starts the next one (room link contract, "Plate"; safety M15, M16).
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

from bridge.agent.identity import write_private
from bridge.errors import BridgeError

log = logging.getLogger(__name__)

DIRECTORY = "plates"
LOOK_S = 0.5
#: How long the command waits for the agent.
ANSWER_S = 10.0
CLEAR = "clear"
_POLL_S = 0.05


class PlateRefused(BridgeError):
    """The claim is not taken; the text says why."""


class PlateDesk:
    """The agent's side. *why_not* says why a printer's plate cannot be clear now, or None."""

    def __init__(
        self,
        state_dir: Path,
        why_not: Callable[[int], str | None],
        claim: Callable[[int], Awaitable[None]],
    ) -> None:
        self._directory = state_dir / DIRECTORY
        self._why_not = why_not
        self._claim = claim
        self._directory.mkdir(mode=0o700, exist_ok=True)

    async def run(self) -> None:
        """Answer requests, for ever."""
        while True:
            await self.step()
            await asyncio.sleep(LOOK_S)

    async def step(self) -> None:
        """Answer what waits: a request goes only after its claim is in the journal."""
        for request in sorted(self._directory.glob(f"*.{CLEAR}")):
            if _is_given_up(request):
                request.unlink(missing_ok=True)
                continue
            printer = int(request.stem) if request.stem.isdecimal() else 0
            refusal, answer = self._why_not(printer), request.with_suffix(".answer")
            if refusal is not None:
                write_private(answer, refusal.encode())
                request.unlink(missing_ok=True)
                continue
            await self._claim(printer)
            log.info("printer %d: a person says that its plate is clear", printer)
            with suppress(FileNotFoundError):  # who asked has left
                request.rename(answer)  # as blank as it is: a full disk cannot be in the way


def _is_given_up(request: Path) -> bool:
    """Whether nobody waits for an answer any more: what lies on the plate now, nobody has seen."""
    try:
        return abs(time.time() - request.stat().st_mtime) > ANSWER_S
    except FileNotFoundError:
        return True


def ask(state_dir: Path, printer: int, timeout_s: float = ANSWER_S) -> None:
    """The command's side: returns when the claim is in the agent's journal.

    Raises `PlateRefused`, also when no agent answers in time: nothing was claimed then.
    """
    request = state_dir / DIRECTORY / f"{printer}.{CLEAR}"
    answer = request.with_suffix(".answer")
    answer.unlink(missing_ok=True)
    request.touch(mode=0o600)
    ends = time.monotonic() + timeout_s
    try:
        while not answer.exists() and time.monotonic() < ends:
            time.sleep(_POLL_S)
    finally:  # also when the person gives up: an agent that looks later must not find it
        request.unlink(missing_ok=True)
    if not answer.exists():
        raise PlateRefused(f"the agent did not answer within {timeout_s:.0f} s; say it again")
    refusal = answer.read_text("utf-8")
    answer.unlink()
    if refusal:
        raise PlateRefused(refusal)
