"""What the routes of many printers take and answer (ours)."""

from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, model_validator

from api.commands.fleet import MAX_PRINTERS, FleetAction
from api.describe import Answer
from api.http import Body, RowId

Tag = Annotated[str, StringConstraints(min_length=1, max_length=50)]
Heater = Annotated[str, StringConstraints(pattern=r"^(tool([0-9]|1[0-5])|bed|chamber)$")]
Target = Annotated[float, Field(ge=0, le=500, description="°C; 0: off")]
Targets = Annotated[dict[Heater, Target], Field(min_length=1, max_length=18)]


class ChoiceBody(Body):
    """Which printers: *printer_ids*, or those with a *tag*, or those of a pool."""

    printer_ids: Annotated[list[RowId], Field(min_length=1, max_length=MAX_PRINTERS)] | None = None
    tag: Tag | None = None
    pool_id: RowId | None = None

    def named(self) -> dict[str, Any]:
        """The one that was named, if any."""
        names = ("printer_ids", "tag", "pool_id")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        if len(self.named()) > 1:
            raise ValueError("name one of printer_ids, tag and pool_id")
        return self


class FleetControlBody(ChoiceBody):
    """``POST /printers/bulk-control``. *targets_c*: for ``temperature``, by heater."""

    action: FleetAction
    targets_c: Targets | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not self.named():
            raise ValueError("name printer_ids, a tag or a pool_id")
        if (self.action is FleetAction.TEMPERATURE) != (self.targets_c is not None):
            raise ValueError("targets_c goes with the action temperature, and with no other")
        return self


class FleetStopBody(ChoiceBody):
    """``POST /printers/fleet-stop``; without a choice all printers are stopped."""


class TemperatureBody(Body):
    """``POST /printers/{id}/temperature``."""

    targets_c: Targets = Field(description="°C by heater: tool0 to tool15, bed, chamber")


class FleetOutcome(Answer):
    """What came of it for one printer."""

    printer_id: int
    name: str | None = Field(description="null: there is no such printer")
    success: bool = Field(description="It did so, or its room has taken it over")
    status: int = Field(description="What the call for this printer alone would have answered")
    state: str | None = Field(description="As it reported: IDLE, RUNNING, PAUSED …")
    message: str
    code: str | None = Field(description="Of the error; null when it was done")


class FleetControlled(Answer):
    """Many printers were told something; each has an answer of its own."""

    success: bool = Field(description="All of them did it")
    action: FleetAction
    total: int
    succeeded: int
    failed: int
    results: list[FleetOutcome]


class FleetStopOutcome(Answer):
    """What the stop came to for one printer."""

    printer_id: int
    name: str | None = Field(description="null: there is no such printer")
    sent: bool = Field(description="M112 was written to its port")
    reached: bool = Field(description="It reports that it is stopped, and stays so (reset-stop)")
    obeys_at_once: bool | None = Field(
        description="true: its firmware acts on M112 at once; false: only when it has done what it "
        "is at; null: nobody knows"
    )
    needs_power_switch: bool = Field(
        description="Go there: nobody can be sure from here that it stands still now"
    )
    queue_held: bool = Field(description="It was not reached, so its queue waits for a person")
    state: str | None = Field(description="As it reported: HALTED …")
    message: str


class FleetStopped(Answer):
    """A whole fleet was told to stop."""

    success: bool = Field(description="All stand still: none needs its power switch")
    total: int
    reached: int
    power_switch: list[int] = Field(description="The printers to go to, in display order")
    not_reachable: list[int] = Field(description="Those that were not even told")
    results: list[FleetStopOutcome]
