"""What is ordered in tests: models with files, products, orders, and jobs printed by hand."""

from api.jobs.models import Job
from api.models_library.models import LibraryModel, PrintFile
from api.orders.forms import NewComponent, NewItem
from api.orders.service import Orders
from schemas.jobs import AttemptEvent
from tests.fakes.farm import Farm


async def model(farm: Farm, per_bed: int = 1) -> int:
    """A model with a file that can be printed."""
    number = await LibraryModel.all().count() + 1
    now = farm.clock.now()
    row = await LibraryModel.create(
        organization_id=1,
        name=f"part {number}",
        key=f"part {number}",
        details={"quantity_per_bed": per_bed},
        created_at=now,
        updated_at=now,
    )
    blob = await farm.blob()
    await PrintFile.create(
        organization_id=1,
        model_id=row.id,
        blob_id=blob.id,
        filename="part.gcode",
        original_filename="part.gcode",
        uploaded_at=now,
    )
    return row.id


async def ordered(farm: Farm, orders: Orders, quantity: int, *needs: tuple[int, int]) -> int:
    """An order of *quantity* of a product that *needs* (model, pieces)."""
    parts = [NewComponent(model_id=model_id, quantity_needed=n) for model_id, n in needs]
    product = await orders.products.create(farm.admin, {"name": "Lamp", "price": 20.0}, parts)
    item = NewItem(product_id=product.id, quantity=quantity)
    return (await orders.create(farm.admin, {"order_number": "A-1"}, [item])).order.id


async def printed(farm: Farm, job: Job) -> None:
    """All prints of *job*, by hand."""
    printer = await farm.printer(f"Hand {job.id}", None)
    await farm.jobs.update(farm.admin, job.id, {"printer_id": printer.id})
    for _ in range(job.quantity):
        await farm.printers.plate_cleared(farm.admin, printer.id)
        await farm.jobs.by_hand(farm.admin, job.id, AttemptEvent.STARTED)
        await farm.jobs.by_hand(farm.admin, job.id, AttemptEvent.COMPLETED)
