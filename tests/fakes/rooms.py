"""Small rooms over real rows, for parts that are tested without the whole farm."""

from tortoise.exceptions import DoesNotExist

from api.errors import NotFound
from api.principal import Principal
from api.printers.models import Printer
from tests.api.conftest import FakeClock


class PrinterRows:
    """Which printers are where, straight from the rows. *asked* counts the look-ups."""

    def __init__(self) -> None:
        self.asked = 0

    async def on_bridge(self, bridge_id: int) -> list[Printer]:
        self.asked += 1
        return await Printer.filter(bridge_id=bridge_id, deleted_at__isnull=True)

    async def numbers_on(self, bridge_id: int) -> frozenset[int]:
        return frozenset([printer.id for printer in await self.on_bridge(bridge_id)])

    async def get(self, by: Principal, printer_id: int) -> Printer:
        try:
            return await Printer.get(id=printer_id, organization_id=by.organization_id)
        except DoesNotExist:
            raise NotFound("Printer not found", code="printer_not_found") from None


async def printer_row(clock: FakeClock, bridge_id: int | None, organization_id: int = 1) -> Printer:
    """A printer on a bridge."""
    number = await Printer.all().count() + 1
    return await Printer.create(
        organization_id=organization_id,
        name=f"Printer {number}",
        slug=f"printer-{number}",
        bridge_id=bridge_id,
        port_id=f"usb:1-{number}",
        created_at=clock.now(),
        updated_at=clock.now(),
    )
