"""What the O.D.I.N. documentation promises of `/ws` and of its pages, on the running farm."""

from typing import Any

import pytest
import pytest_asyncio

from schemas.facts import Port
from schemas.link import LiveSnap
from schemas.printer import Live, PrinterState, Temperature
from tests.api.whole.conftest import Whole
from tests.fakes.agents import AgentKey, hello_of
from tests.fakes.sockets import LiveSocket

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def watched(whole: Whole) -> Any:
    """The id of a printer of the first farm, and its bridge, which is there; both go again."""
    rooms = whole.application.rooms
    key = AgentKey()
    async with rooms.ledger.change() as change:
        bridge = await rooms.bridges.create(change, 1, "Watched room", key.public)
        port = Port(port_id="usb-watched", device="/dev/ttyUSB9")
        await rooms.bridges.record_ports(change, bridge, [port])
    body = {"name": "Watched", "bridge_id": bridge.id, "port_id": "usb-watched"}
    made = await whole.ask("admin", "POST", "/api/v1/printers", json=body)
    assert made.status_code == 201, made.text
    await rooms.bridges.open_session(bridge, hello_of(bridge.uid))
    yield made.json()["id"], bridge
    for path in (f"/printers/{made.json()['id']}", f"/bridges/{bridge.id}"):
        assert (await whole.ask("admin", "DELETE", f"/api/v1{path}")).status_code == 204


def dashboard(whole: Whole, who: str) -> LiveSocket:
    """A socket of *who*, by their token in the address."""
    query = f"token={whole.secrets[who]}"
    return LiveSocket(whole.application, "/ws", query, host="farm.local:5000")


async def test_ws_with_printer_status_job_updates_and_alerts_as_they_happen_per_organization(
    whole: Whole, watched: Any
) -> None:
    """Filtered by organization: the first farm hears all three, the second one of its own only."""
    printer_id, bridge = watched
    telemetry = whole.application.rooms.telemetry
    async with dashboard(whole, "admin") as own, dashboard(whole, "foreigner") as elsewhere:
        for socket in (own, elsewhere):
            await socket.accepted()
            await socket.hear_type("hello")
        temps = {"tool0": Temperature(201.5, 210.0)}
        live = Live(printer=printer_id, state=PrinterState.OPERATIONAL, temps=temps)
        await telemetry.record(bridge, LiveSnap(printers=[live]))
        while (shown := await own.hear_type("printer_telemetry"))["data"]["nozzle_temp"] != 201.5:
            pass
        assert shown["data"]["printer_id"] == printer_id
        job = {"item_name": "watched", "printer_id": int(whole.ids["printer_id"])}
        made = (await whole.ask("admin", "POST", "/api/v1/jobs", json=job)).json()["id"]
        assert (await own.hear_type("job.created"))["data"]["job_id"] == made
        path = f"/api/v1/jobs/{made}"
        for step in ("start", "fail"):
            answer = await whole.ask("admin", "POST", f"{path}/{step}")
            assert answer.status_code == 200, answer.text
        assert (await own.hear_type("job_started"))["data"]["job_name"] == "watched"
        assert (await own.hear_type("job_completed"))["data"]["status"] == "failed"
        alert = (await own.hear_type("alert_new"))["data"]
        assert alert["alert_type"] == "print_failed"
        mine = await whole.ask("foreigner", "POST", "/api/v1/jobs", json={"item_name": "other"})
        frame = await elsewhere.hear()
        assert (frame["type"], frame["data"]["job_id"]) == ("job.created", mine.json()["id"])
        await whole.ask("foreigner", "DELETE", f"/api/v1/jobs/{mine.json()['id']}")
        await whole.ask("admin", "DELETE", path)


@pytest.mark.parametrize("base", ["/api/v1", "/api"])
async def test_swagger_ui_and_redoc_both_offline_both_from_the_spec_that_is_generated(
    whole: Whole, base: str
) -> None:
    """Each page starts on the document beside it, and nothing that it names lies elsewhere."""
    for page, script in (("docs", "swagger.js"), ("redoc", "redoc.js")):
        shown = await whole.ask("nobody", "GET", f"{base}/{page}")
        assert f'src="docs/{script}"' in shown.text
        assert "//" not in shown.text.replace("<!DOCTYPE", "")
        starts = (await whole.ask("nobody", "GET", f"{base}/docs/{script}")).text
        assert 'new URL("openapi.json", document.location)' in starts
        assert "http" not in starts
        assert "connect-src 'self'" in shown.headers["Content-Security-Policy"]
        spec = await whole.ask("nobody", "GET", f"{base}/openapi.json")
        assert spec.json()["openapi"].startswith("3.1")
