"""What happens to a printer, as its work takes it, one after the other."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from bridge.agent.commands import CommandRow, Finish
from bridge.agent.senders import Line
from bridge.control.messages import Event, Outcome
from schemas.facts import AlarmFact
from schemas.printer import Live


@dataclass(frozen=True, slots=True)
class Adoption:
    """A sender has accepted this agent."""

    line: Line


@dataclass(frozen=True, slots=True)
class Loss:
    """The line is gone; the process goes on."""


@dataclass(frozen=True, slots=True)
class Death:
    """The sender has ended. *alarm*: it stays down, and this tells a person why."""

    reason: str
    alarm: AlarmFact | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """A remote stop; its row names the sender life that has it, None: it must wait for one."""

    row: CommandRow


@dataclass(frozen=True, slots=True)
class Removal:
    """The printer is not this bridge's any more; *done* when everything open is ended."""

    done: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class CutOff:
    """The room is cut off from the API, *away_s* says for how long (None: not any more)."""

    away_s: Callable[[], float | None]
    picture: Callable[[], Live | None]


Item = Event | Outcome | Adoption | Loss | Death | Stop | Removal | CutOff | Finish
