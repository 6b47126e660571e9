"""v1 routes of the rates that costs are made of (v1 contract, 2.5)."""

from typing import Annotated, Literal

import msgspec
from pydantic import Field
from quart import Response

from api.describe import Answer, Doc
from api.http import Body, json_answer, json_body
from api.jobs.costs import Costs
from api.v1 import V1, caller

_Money = Annotated[float, Field(ge=0, le=1_000_000)]
_Minutes = Annotated[float, Field(ge=0, le=10_000)]
_Percent = Annotated[float, Field(ge=0, le=10_000)]
_Divisor = Annotated[float, Field(gt=0, le=10_000_000)]


class RatesAnswer(Answer):
    """Money has no currency: it is that of whoever set the rates."""

    spool_cost: float
    spool_weight: float = Field(description="Grams")
    hourly_rate: float = Field(description="Of people's work")
    electricity_rate: float = Field(description="A kWh")
    printer_wattage: float = Field(description="Watts")
    printer_cost: float
    printer_lifespan: float = Field(description="Hours")
    packaging_cost: float = Field(description="A print")
    failure_rate: float = Field(description="Percent of what a print costs")
    monthly_rent: float
    parts_per_month: float
    post_processing_min: float = Field(description="Minutes of work")
    packing_min: float = Field(description="Minutes of work")
    support_min: float = Field(description="Minutes of work")
    default_margin: float = Field(description="Percent, where a model has none of its own")
    other_costs: float = Field(description="A print")
    ui_mode: str


class RatesBody(Body):
    """``PUT /pricing-config``: only what is there is changed."""

    spool_cost: _Money | None = None
    spool_weight: _Divisor | None = None
    hourly_rate: _Money | None = None
    electricity_rate: _Money | None = None
    printer_wattage: Annotated[float, Field(ge=0, le=100_000)] | None = None
    printer_cost: _Money | None = None
    printer_lifespan: _Divisor | None = None
    packaging_cost: _Money | None = None
    failure_rate: Annotated[float, Field(ge=0, le=100)] | None = None
    monthly_rent: _Money | None = None
    parts_per_month: _Divisor | None = None
    post_processing_min: _Minutes | None = None
    packing_min: _Minutes | None = None
    support_min: _Minutes | None = None
    default_margin: _Percent | None = None
    other_costs: _Money | None = None
    ui_mode: Literal["simple", "advanced"] | None = None


class PricingRoutes:
    """``/pricing-config``."""

    def __init__(self, costs: Costs) -> None:
        self._costs = costs

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        v1.add("GET", "/pricing-config", self.get, _GET)
        v1.add("PUT", "/pricing-config", self.put, _PUT)

    async def get(self) -> Response:
        """The rates."""
        by = caller()
        by.require("jobs.read")
        return json_answer(msgspec.to_builtins(await self._costs.rates(by.organization_id)))

    async def put(self) -> Response:
        """Other rates, for jobs that are made from now on."""
        by = caller()
        by.require("organizations.admin")
        values = (await json_body(RatesBody)).model_dump(exclude_none=True)
        return json_answer(msgspec.to_builtins(await self._costs.set_rates(by, values)))


_GET = Doc(
    summary="The rates that estimated_cost and suggested_price of jobs are made of",
    answer=RatesAnswer,
    right="jobs.read",
)
_PUT = Doc(
    summary="Other rates, for jobs that are made from now on",
    answer=RatesAnswer,
    right="organizations.admin",
    body=RatesBody,
)
