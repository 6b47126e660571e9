"""The shelf: many spools at once, labels that scan, drying, the library with its stock (v1 2.6)."""

import struct
import zlib
from typing import Any

import pytest

from api.spools.forms import Use
from api.spools.labels import Label, LabelSize, code_png, labels_png
from api.spools.letters import HEIGHT, WIDTH, dots
from api.spools.models import Spool, SpoolUse
from api.spools.shelf import Shelf
from api.spools.shelf_routes import ShelfRoutes
from tests.api.spools.conftest import Store
from tests.fakes.farm_app import TOKEN, FarmApp


@pytest.fixture
def app(store: Store) -> FarmApp:
    app = FarmApp(store.farm)
    ShelfRoutes(Shelf(store.spools, store.farm.ledger, store.farm.clock), store.spools).register(
        app.v1
    )
    return app


async def picture(app: FarmApp, path: str) -> tuple[int, int, bytes]:
    """(width, height, pixels) of the PNG at *path*, read by the format's own rules."""
    answer = await app.client.get(f"/api/v1{path}", headers={"X-API-Key": TOKEN})
    assert (answer.status_code, answer.content_type) == (200, "image/png")
    return pixels(await answer.get_data(as_text=False))


def pixels(data: bytes) -> tuple[int, int, bytes]:
    """(width, height, a byte a pixel) of a PNG of grey levels without filters."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    at, parts = 8, {}
    while at < len(data):
        (size,) = struct.unpack_from(">I", data, at)
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        assert struct.unpack_from(">I", data, at + 8 + size) == (zlib.crc32(kind + body),)
        parts[kind] = body
        at += 12 + size
    width, height, depth, color = struct.unpack_from(">IIBB", parts[b"IHDR"])
    assert (depth, color, list(parts)[-1]) == (8, 0, b"IEND")
    raw = zlib.decompress(parts[b"IDAT"])
    assert len(raw) == height * (width + 1)
    return (
        width,
        height,
        b"".join(raw[i + 1 : i + 1 + width] for i in range(0, len(raw), width + 1)),
    )


@pytest.mark.parametrize(
    ("action", "status"), [("archive", "archived"), ("activate", "active"), ("delete", None)]
)
async def test_many_spools_are_changed_together(
    app: FarmApp, store: Store, action: str, status: str | None
) -> None:
    """bulk-update: archived and deleted ones hang nowhere; what was used stays in the history."""
    one, two = await store.spool(), await store.spool()
    printer = await store.farm.printer("A", None)
    await store.spools.use(store.farm.admin, one.id, Use(grams=10))
    await store.spools.load(store.farm.admin, one.id, printer.id, 1)
    body = {"spool_ids": [one.id, two.id, one.id], "action": action}
    assert await app.ask("POST", "/spools/bulk-update", body) == {"status": "ok", "affected": 2}
    rows = {row.id: row for row in await Spool.filter(id__in=[one.id, two.id])}
    assert [row.status for row in rows.values()] == ([status] * 2 if status else [])
    slot = (await app.ask("GET", f"/printers/{printer.id}/slots"))[0]
    assert slot["assigned_spool_id"] == (one.id if action == "activate" else None)
    assert await SpoolUse.filter(spool_id=one.id).count() == 1


async def test_of_many_all_are_changed_or_none(app: FarmApp, store: Store) -> None:
    """404 names the one that is not theirs; an odd action, no spools or too many are 422."""
    one, foreign = await store.spool(), await store.spool()
    await Spool.filter(id=foreign.id).update(organization_id=2)
    path = "/spools/bulk-update"
    body: dict[str, Any] = {"spool_ids": [one.id, foreign.id], "action": "archive"}
    refused = await app.ask("POST", path, body, 404)
    assert refused["error"]["spool_id"] == foreign.id
    assert (await store.now(one)).status == "active"
    wrong: list[dict[str, Any]] = [
        {"action": "melt"},
        {"spool_ids": []},
        {"spool_ids": [1] * 101},
    ]
    for odd in wrong:
        await app.ask("POST", path, {**body, **odd}, 422)


async def test_an_archived_spool_comes_back_as_what_is_left_on_it(
    app: FarmApp, store: Store
) -> None:
    """activate: active, or empty when nothing is left."""
    full, bare = await store.spool(), await store.spool(100.0)
    await store.spools.use(store.farm.admin, bare.id, Use(grams=100))
    ids = [full.id, bare.id]
    await app.ask("POST", "/spools/bulk-update", {"spool_ids": ids, "action": "archive"})
    await app.ask("POST", "/spools/bulk-update", {"spool_ids": ids, "action": "activate"})
    assert [(await store.now(each)).status for each in (full, bare)] == ["active", "empty"]


async def test_labels_come_in_three_sizes_and_on_sheets(app: FarmApp, store: Store) -> None:
    """label and labels/batch are PNG; the code stands left, with its white border."""
    one, two = await store.spool(), await store.spool()
    widths = []
    for size in ("small", "medium", "large"):
        width, height, found = await picture(app, f"/spools/{one.id}/label?size={size}")
        widths.append(width)
        assert found[:width] == b"\xff" * width
        assert b"\0" in found
        sheet = f"/spools/labels/batch?spool_ids={one.id},{two.id}&size={size}"
        assert (await picture(app, sheet))[:2] == (width, 2 * height)
    assert widths == sorted(set(widths))
    for odd in (
        f"/spools/{one.id}/label?size=huge",
        "/spools/labels/batch",
        "/spools/labels/batch?spool_ids=1,x",
        "/spools/labels/batch?spool_ids=" + ",".join(["1"] * 51),
    ):
        await app.ask("GET", odd, expect=422)
    await app.ask("GET", f"/spools/labels/batch?spool_ids={one.id},987654", expect=404)
    await app.ask("GET", "/spools/987654/label", expect=404)


async def test_the_code_of_a_spool_is_the_one_that_is_looked_up(app: FarmApp, store: Store) -> None:
    """qr: the modules are those of the spool's qr_code, which lookup finds."""
    spool = await store.spool()
    width, height, found = await picture(app, f"/spools/{spool.id}/qr")
    assert width == height
    assert (width, height, found) == pixels(code_png(spool.qr_code))
    assert found != pixels(code_png("SPL-00000000"))[2]


def test_letters_are_drawn_dot_by_dot() -> None:
    """Five columns and one of space; accents are left out, what has no letter is a question."""
    shape = ["".join("#" if dark else "." for dark in row) for row in dots("T1")]
    assert shape[0] == "#####...#..."
    assert shape[6] == "..#....###.."
    assert len(shape) == HEIGHT and {len(row) for row in shape} == {2 * (WIDTH + 1)}
    assert dots("é") == dots("e")
    assert dots("漢") == dots("?") != dots(" ")


def test_a_long_name_does_not_widen_a_label() -> None:
    """Twenty letters in a line at most."""
    long, short = (
        pixels(labels_png([Label("SPL-1", (text,))], LabelSize.SMALL)) for text in ("x" * 90, "x")
    )
    assert long[:2] == short[:2]


async def test_drying_is_kept_with_the_spool(app: FarmApp, store: Store) -> None:
    """POST dry?duration_hours=&temp_c=&method=&notes=; drying-history, the newest first."""
    spool = await store.spool()
    path = f"/spools/{spool.id}"
    first = await app.ask("POST", f"{path}/dry?duration_hours=4.5&temp_c=55&notes=rainy")
    assert (first["duration_hours"], first["temp_c"], first["method"]) == (4.5, 55.0, "dryer")
    await app.ask("POST", f"{path}/dry?duration_hours=8&method=oven")
    rows = await app.ask("GET", f"{path}/drying-history")
    assert [(row["method"], row["notes"]) for row in rows] == [("oven", None), ("dryer", "rainy")]
    for odd in (
        *("", "duration_hours=0", "duration_hours=x", "duration_hours=nan", "duration_hours=1001"),
        *("duration_hours=1&temp_c=301", "duration_hours=1&method=" + "x" * 51),
    ):
        await app.ask("POST", f"{path}/dry?{odd}", expect=422)
    await app.ask("POST", "/spools/987654/dry?duration_hours=1", expect=404)
    await app.ask("GET", "/spools/987654/drying-history", expect=404)
    assert "spool.dried" in await store.farm.kinds()


async def test_the_library_is_shown_with_its_stock(app: FarmApp, store: Store) -> None:
    """/filaments/combined: spools and grams of each kind; archived spools do not count."""
    one, two = await store.spool(800.0), await store.spool()
    await Spool.filter(id=two.id).update(filament_id=one.filament_id)
    gone = await store.spool()
    await store.spools.archive(store.farm.admin, gone.id)
    rows = {row["id"]: row for row in await app.ask("GET", "/filaments/combined")}
    mine = rows[f"lib_{one.filament_id}"]
    assert (mine["spool_count"], mine["remaining_weight_g"], mine["source"]) == (2, 1800, "library")
    assert rows[f"lib_{gone.filament_id}"]["spool_count"] == 0


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "sync"), ("GET", "spools"), ("GET", "filaments"), ("GET", "test")]
)
async def test_no_spoolman_is_connected(app: FarmApp, method: str, path: str) -> None:
    """403 feature_disabled, which says where the spools are."""
    refused = await app.ask(method, f"/spoolman/{path}", expect=403)
    assert refused["error"]["code"] == "feature_disabled"
