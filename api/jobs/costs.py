"""What a job costs to make, and what to ask for it (v1 contract, 2.5: pricing and its formula).

Material, labour, electricity, wear and packaging of every print, a share for prints that fail, and
rent; the price is that with a margin. The rates are an organization's own; what it has not said has
the default here. Money has no currency: it is that of the rates. Kept with the job when it is made
or changed, so that later rates do not rewrite what was offered.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from api.jobs.approval import SettingsRoom
from api.jobs.models import Job
from api.principal import Principal

SETTING = "pricing"


class Rates(msgspec.Struct, frozen=True, kw_only=True):
    """Money a spool, an hour, a kWh, a printer, a print, a month; grams, watts, hours, minutes;
    percent.
    """

    spool_cost: float = 25.0
    spool_weight: float = 1000.0
    hourly_rate: float = 15.0
    electricity_rate: float = 0.12
    printer_wattage: float = 100.0
    printer_cost: float = 300.0
    printer_lifespan: float = 5000.0
    packaging_cost: float = 0.5
    failure_rate: float = 5.0
    monthly_rent: float = 0.0
    parts_per_month: float = 100.0
    post_processing_min: float = 5.0
    packing_min: float = 5.0
    support_min: float = 0.0
    default_margin: float = 50.0
    other_costs: float = 0.0
    ui_mode: str = "simple"


@dataclass(frozen=True, slots=True, kw_only=True)
class Making:
    """One print: what is known of it. *gram_cost* None: what a spool costs on average."""

    grams: float
    hours: float
    gram_cost: float | None = None
    margin_percent: float | None = None


def parts_of(rates: Rates, making: Making) -> dict[str, float]:
    """Money for one print by what it is for; their sum is its cost."""
    gram_cost = making.gram_cost
    if gram_cost is None:
        gram_cost = rates.spool_cost / rates.spool_weight
    minutes = rates.post_processing_min + rates.packing_min + rates.support_min
    direct = {
        "material": making.grams * gram_cost,
        "labor": minutes / 60 * rates.hourly_rate,
        "electricity": rates.printer_wattage / 1000 * making.hours * rates.electricity_rate,
        "depreciation": rates.printer_cost / rates.printer_lifespan * making.hours,
        "packaging": rates.packaging_cost,
        "other": rates.other_costs,
    }
    return {
        **direct,
        "failures": sum(direct.values()) * rates.failure_rate / 100,
        "overhead": rates.monthly_rent / rates.parts_per_month,
    }


def cost_of(rates: Rates, making: Making) -> float:
    """Money for one print."""
    return sum(parts_of(rates, making).values())


def margin_of(rates: Rates, making: Making) -> float:
    """Percent on top of what a print costs."""
    margin = making.margin_percent
    return rates.default_margin if margin is None else margin


def price_of(rates: Rates, making: Making) -> float:
    """What to ask for one print."""
    return cost_of(rates, making) * (1 + margin_of(rates, making) / 100)


class ModelFacts(Protocol):
    """What costs need of a model."""

    build_time_hours: Any
    default_filament_type: Any
    details: Any


class Models(Protocol):
    """What costs need of the library."""

    async def find_model(self, model_id: int) -> ModelFacts | None:
        """A model, whosever it is."""


class FileFacts(Protocol):
    """What costs need of a file."""

    facts: Any


class Blobs(Protocol):
    """What costs need of the files."""

    async def blobs(self, organization_id: int, blob_ids: Any) -> Mapping[int, FileFacts]:
        """The files of these numbers."""


class FilamentPrices(Protocol):
    """What costs need of the filament library."""

    async def cost_per_gram(self, organization_id: int, material: str) -> float | None:
        """Money a gram of *material*; None: nobody said."""


class Costs:
    """The rates of organizations, and what their jobs cost by them."""

    def __init__(
        self, settings: SettingsRoom, models: Models, blobs: Blobs, filaments: FilamentPrices
    ) -> None:
        self._settings = settings
        self._models = models
        self._blobs = blobs
        self._filaments = filaments

    async def rates(self, organization_id: int) -> Rates:
        """The rates that hold."""
        said = (await self._settings.organization_settings(organization_id)).get(SETTING) or {}
        return msgspec.convert(said, Rates)

    async def set_rates(self, by: Principal, values: Mapping[str, Any]) -> Rates:
        """Change the rates that *values* name. Raises `Forbidden` for who is not an admin."""
        kept = msgspec.to_builtins(await self.rates(by.organization_id))
        rates = msgspec.convert({**kept, **values}, Rates)
        said = msgspec.to_builtins(rates)
        await self._settings.set_organization_setting(by, by.organization_id, SETTING, said)
        return rates

    async def put(self, job: Job) -> None:
        """Set what *job* costs, all of its prints; None where neither weight nor time is known."""
        making = await self._making(job)
        job.estimated_cost = job.suggested_price = None
        if making is None:
            return
        rates = await self.rates(job.organization_id)
        job.estimated_cost = round(cost_of(rates, making) * job.quantity, 2)
        job.suggested_price = round(price_of(rates, making) * job.quantity, 2)

    async def of_models(
        self, organization_id: int, wanted: Sequence[tuple[ModelFacts, Mapping[str, Any]]]
    ) -> tuple[Rates, Sequence[Making | None]]:
        """The rates, and one print of each of these models, with the facts of the file that is
        printed ({} without one); None where neither weight nor time is known.
        """
        rates = await self.rates(organization_id)
        gram_costs: dict[str, float | None] = {}
        makings: list[Making | None] = []
        for model, facts in wanted:
            material: str = model.default_filament_type
            if material not in gram_costs:
                gram_costs[material] = await self._filaments.cost_per_gram(
                    organization_id, material
                )
            makings.append(_model_making(model, facts, gram_costs[material]))
        return rates, makings

    async def _making(self, job: Job) -> Making | None:
        model = await self._models.find_model(job.model_id) if job.model_id is not None else None
        facts: Mapping[str, Any] = {}
        if job.blob_id is not None:
            found = await self._blobs.blobs(job.organization_id, [job.blob_id])
            facts = found[job.blob_id].facts if job.blob_id in found else {}
        details: Mapping[str, Any] = model.details if model is not None else {}
        grams, hours = _grams(details, facts), _hours(job, model, facts)
        if grams is None and hours is None:
            return None
        material = job.filament_type or (model.default_filament_type if model else None)
        return Making(
            grams=grams or 0.0,
            hours=hours or 0.0,
            gram_cost=await self._gram_cost(job, material),
            margin_percent=details.get("markup_percent"),
        )

    async def _gram_cost(self, job: Job, material: str | None) -> float | None:
        if material is None:
            return None
        return await self._filaments.cost_per_gram(job.organization_id, material)


def _model_making(
    model: ModelFacts, facts: Mapping[str, Any], gram_cost: float | None
) -> Making | None:
    details: Mapping[str, Any] = model.details
    grams, estimated_s = _grams(details, facts), facts.get("estimated_s")
    hours = float(estimated_s) / 3600 if estimated_s else model.build_time_hours
    if grams is None and hours is None:
        return None
    return Making(
        grams=grams or 0.0,
        hours=hours or 0.0,
        gram_cost=gram_cost,
        margin_percent=details.get("markup_percent"),
    )


def _grams(details: Mapping[str, Any], facts: Mapping[str, Any]) -> float | None:
    colors = (details.get("color_requirements") or {}).values()
    said = sum(float(color.get("grams") or 0.0) for color in colors)
    return said or facts.get("filament_g")


def _hours(job: Job, model: ModelFacts | None, facts: Mapping[str, Any]) -> float | None:
    if job.duration_hours is not None:
        return float(job.duration_hours)
    if facts.get("estimated_s"):
        return float(facts["estimated_s"]) / 3600
    return None if model is None or model.build_time_hours is None else model.build_time_hours
