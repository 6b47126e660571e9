"""Request bodies of the scheduler's routes (v1 contract, 2.4, and ours)."""

from datetime import time
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, StringConstraints

from api.http import Body, RowId
from api.scheduler.arrangements import NewCircuit, PrinterLoad
from api.scheduler.runs import RunTerms

#: From midnight, ``HH:MM``, 00:00 to 23:59.
Clock = Annotated[str, StringConstraints(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")]
Watts = Annotated[float, Field(ge=0, le=100_000)]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Span = Annotated[
    list[Clock],
    Field(
        min_length=2,
        max_length=2,
        description="Begin and end; an end before its begin is of the next day",
    ),
]
CircuitName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


def _known_zone(name: str) -> str:
    """ValueError for a time zone that nobody knows."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("an IANA time zone such as Europe/Berlin") from None
    return name


Zone = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_known_zone)]


class RunBody(Body):
    """``POST /scheduler/run``; what is left out is as the organization has set it."""

    blackout_start: Clock | None = Field(None, description="Nothing is planned to start from here")
    blackout_end: Clock | None = None
    setup_duration_slots: Annotated[int, Field(ge=0, le=96)] = Field(
        1, description="Quarters of an hour to change the filament"
    )
    horizon_days: Annotated[int, Field(ge=1, le=30)] = 7

    def terms(self) -> RunTerms:
        """The same for the service."""
        blackout = None
        if self.blackout_start is not None and self.blackout_end is not None:
            blackout = (
                time.fromisoformat(self.blackout_start),
                time.fromisoformat(self.blackout_end),
            )
        return RunTerms(
            blackout=blackout,
            setup_slots=self.setup_duration_slots,
            horizon_days=self.horizon_days,
        )


class HoursBody(Body):
    """``PUT /scheduler/hours``; only what is there is changed."""

    zone: Zone | None = None
    working: dict[Day, Annotated[list[Span], Field(max_length=10)]] | None = Field(
        None, description="Spans by day in which prints start; {}: at any time"
    )
    blackout_start: Clock | None = Field(None, description="null: no blackout")
    blackout_end: Clock | None = None

    def values(self) -> dict[str, Any]:
        """The fields that were sent; a zone and spans cannot be taken away."""
        sent = self.model_dump(exclude_unset=True)
        return {k: v for k, v in sent.items() if v is not None or k.startswith("blackout")}


class ConfigBody(Body):
    """``PUT /config``; only what is there is changed."""

    blackout_start: Clock | None = None
    blackout_end: Clock | None = None


class LoadBody(Body):
    """A printer on a circuit."""

    printer_id: RowId
    heat_up_w: Watts = Field(description="Drawn while it heats up, watts")
    printing_w: Watts = Field(description="Drawn for the rest of a print, watts")

    def load(self) -> PrinterLoad:
        """The same for the service."""
        return PrinterLoad(
            printer_id=self.printer_id, heat_up_w=self.heat_up_w, printing_w=self.printing_w
        )


def _once_each(loads: list[LoadBody]) -> list[LoadBody]:
    if len({load.printer_id for load in loads}) != len(loads):
        raise ValueError("each printer_id once")
    return loads


Loads = Annotated[list[LoadBody], Field(max_length=500), AfterValidator(_once_each)]


class CircuitBody(Body):
    """``POST /scheduler/circuits``."""

    name: CircuitName
    max_w: Annotated[float, Field(gt=0, le=1_000_000, description="What it bears, watts")]
    heat_up_s: Annotated[
        float, Field(ge=0, le=7200, description="How long a heat-up takes, seconds")
    ] = 300.0
    printers: Loads = Field(default_factory=list)

    def form(self) -> NewCircuit:
        """The same for the service."""
        return NewCircuit(
            name=self.name,
            max_w=self.max_w,
            heat_up_s=self.heat_up_s,
            loads=[each.load() for each in self.printers],
        )


class CircuitUpdateBody(Body):
    """``PATCH /scheduler/circuits/{id}``; only what is there is changed."""

    name: CircuitName | None = None
    max_w: Annotated[float, Field(gt=0, le=1_000_000)] | None = None
    heat_up_s: Annotated[float, Field(ge=0, le=7200)] | None = None
    printers: Loads | None = None

    def values(self) -> dict[str, Any]:
        """The fields that were sent, as the service takes them."""
        kept = self.model_dump(exclude_unset=True, exclude_none=True, exclude={"printers"})
        if self.printers is not None:
            kept["loads"] = [each.load() for each in self.printers]
        return kept
