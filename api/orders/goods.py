"""What a product costs to make: its pieces and its consumables (v1 contract, 2.9)."""

from collections.abc import Mapping, Sequence

from api.jobs.costs import Costs, cost_of
from api.models_library.service import Library, LibraryModel
from api.orders.models import Consumable, ProductComponent, ProductConsumable

Supplies = Sequence[tuple[ProductConsumable, Consumable]]


class Goods:
    """Asks the library what a model's print takes, and the rates what that costs."""

    def __init__(self, library: Library, costs: Costs) -> None:
        self._library = library
        self._costs = costs

    async def pieces(self, models: Sequence[LibraryModel]) -> Mapping[int, float]:
        """Money for one piece of each of these models, which are of one organization; those of
        which neither weight nor time is known are left out.
        """
        if not models:
            return {}
        files = await self._library.newest_files(models)
        wanted = [(model, files.get(model.id, ({}, 0))[0]) for model in models]
        rates, makings = await self._costs.of_models(models[0].organization_id, wanted)
        return {
            model.id: cost_of(rates, making) / int(model.details.get("quantity_per_bed") or 1)
            for model, making in zip(models, makings, strict=True)
            if making is not None
        }


def cost_of_goods(
    components: Sequence[ProductComponent], pieces: Mapping[int, float], supplies: Supplies
) -> float | None:
    """Money for one product; None while it is made of nothing, or of something unknown."""
    if not components and not supplies:
        return None
    if any(each.model_id not in pieces for each in components):
        return None
    printed = sum(pieces[each.model_id] * each.quantity_needed for each in components)
    taken = sum(link.quantity_per_product * row.cost_per_unit for link, row in supplies)
    return round(printed + taken, 2)
