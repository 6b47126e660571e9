"""v1 routes of what a print of a model costs, and of models with their prices (v1 2.5)."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from pydantic import Field
from quart import Response, request

from api.describe import Answer, Doc, Query
from api.http import RowId, id_query, json_answer, paging
from api.jobs.costs import Costs, Making, Rates, cost_of, margin_of, parts_of, price_of
from api.models_library.answers import Millimetres, ModelAnswer
from api.models_library.service import LibraryModel
from api.models_library.views import model_view
from api.principal import Principal
from api.v1 import V1, caller


class CostParts(Answer):
    """Money for one print, by what it is for."""

    material: float
    labor: float
    electricity: float
    depreciation: float
    packaging: float
    other: float
    failures: float
    overhead: float


class ModelCost(Answer):
    """What a print of a model costs, and what to ask for it; null: weight and time unknown."""

    model_id: int
    model_name: str
    filament_grams: float | None
    print_hours: float | None
    breakdown: CostParts | None
    estimated_cost: float | None
    margin_percent: float = Field(description="The model's own, or that of the rates")
    suggested_price: float | None


class PricedModel(ModelAnswer):
    """A model with what a print of it costs."""

    variant_count: int = Field(description="Its print files")
    estimated_cost: float | None
    suggested_price: float | None
    margin_percent: float
    bed_x_mm: Millimetres
    bed_y_mm: Millimetres


class LibraryRoom(Protocol):
    """What is needed of the library."""

    async def get_model(self, by: Principal, model_id: int) -> LibraryModel:
        """One model. Raises `NotFound`."""

    async def list_models(
        self,
        by: Principal,
        category: str | None,
        skip: int,
        limit: int,
        *,
        organization_id: int | None = None,
    ) -> tuple[list[LibraryModel], int]:
        """(a page of models, how many there are)."""

    async def newest_files(
        self, models: Sequence[LibraryModel]
    ) -> Mapping[int, tuple[Mapping[str, Any], int]]:
        """By model: (the facts of its newest print file, how many it has)."""


class ModelCostRoutes:
    """``/models/{id}/cost`` and ``/models-with-pricing``."""

    def __init__(self, costs: Costs, library: LibraryRoom) -> None:
        self._costs = costs
        self._library = library

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        v1.add("GET", "/models/<int:model_id>/cost", self.cost, _COST)
        v1.add("GET", "/models-with-pricing", self.list, _LIST)

    async def cost(self, model_id: int) -> Response:
        """One model."""
        caller().require("files.read")
        model = await self._library.get_model(caller(), model_id)
        rates, [making], _ = await self._priced([model])
        return json_answer(cost_fields(model, rates, making))

    async def list(self) -> Response:
        """Models by name."""
        by = caller()
        rows, total = await self._library.list_models(
            by, request.args.get("category"), *paging(), organization_id=id_query("org_id")
        )
        rates, makings, files = await self._priced(rows)
        shown = []
        for model, making in zip(rows, makings, strict=True):
            facts, count = files.get(model.id, ({}, 0))
            bed_x_mm, bed_y_mm = facts.get("bed_mm", (None, None))
            price = {"variant_count": count, "bed_x_mm": bed_x_mm, "bed_y_mm": bed_y_mm}
            shown.append({**model_view(model), **price, **_price(model, rates, making)})
        return json_answer(shown, headers={"X-Total-Count": str(total)})

    async def _priced(
        self, models: Sequence[LibraryModel]
    ) -> tuple[Rates, Sequence[Making | None], Mapping[int, tuple[Mapping[str, Any], int]]]:
        files = await self._library.newest_files(models)
        wanted = [(model, files.get(model.id, ({}, 0))[0]) for model in models]
        owner = models[0].organization_id if models else caller().organization_id
        rates, makings = await self._costs.of_models(owner, wanted)
        return rates, makings, files


def cost_fields(model: LibraryModel, rates: Rates, making: Making | None) -> dict[str, Any]:
    """`ModelCost`."""
    parts = None if making is None else parts_of(rates, making)
    return {
        "model_id": model.id,
        "model_name": model.name,
        "filament_grams": making.grams if making is not None else None,
        "print_hours": round(making.hours, 4) if making is not None else None,
        "breakdown": parts and {name: round(money, 4) for name, money in parts.items()},
        **_price(model, rates, making),
    }


def _price(model: LibraryModel, rates: Rates, making: Making | None) -> dict[str, Any]:
    if making is None:
        unknown = Making(grams=0, hours=0, margin_percent=model.details.get("markup_percent"))
        return {
            "estimated_cost": None,
            "suggested_price": None,
            "margin_percent": margin_of(rates, unknown),
        }
    return {
        "estimated_cost": round(cost_of(rates, making), 2),
        "suggested_price": round(price_of(rates, making), 2),
        "margin_percent": margin_of(rates, making),
    }


_COST = Doc(
    summary="What a print of this model costs, by the rates of /pricing-config",
    description="With the weight and time of its newest print file, else with the model's own.",
    answer=ModelCost,
    right="files.read",
)
_LIST = Doc(
    summary="Models by name, with what a print of each costs",
    answer=list[PricedModel],
    right="files.read",
    paged=True,
    query=(
        Query(name="category", description="Only models of this category"),
        Query(name="org_id", type=RowId, description="Superadmins: of this organization"),
    ),
)
