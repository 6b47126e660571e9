"""Revisions, variants, meshes, costs and prices of models, asked as v1 clients ask (v1 2.5)."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from api.models_library.models import PrintFile
from tests.fakes import databases
from tests.fakes.desk import Desk, open_desk

ONE = b"G28\nG1 X10 F600\nG1 X20\n"
TWO = b"G28\nG1 X10 F600\nG1 X30\n"
THREE = b"G28\nG1 X10 F600\nG1 X40\n"


@pytest.fixture
async def desk(tmp_path: Path, engine: databases.Server | None) -> AsyncIterator[Desk]:
    async with open_desk(tmp_path, engine) as desk:
        yield desk


async def model_of(desk: Desk, text: bytes = ONE, name: str = "part.gcode") -> int:
    """The model of a new upload."""
    answer = await desk.ask("POST", "/print-files/upload", files={"file": (name, text)})
    return int(answer.json()["model_id"])


async def revise(desk: Desk, model_id: int, text: bytes, changelog: str = "") -> Any:
    """A new revision of a model."""
    answer = await desk.ask(
        "POST",
        f"/models/{model_id}/revisions",
        params={"changelog": changelog},
        files={"file": ("other name.gcode", text)},
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_the_newest_revision_is_what_a_job_prints(desk: Desk) -> None:
    """POST revisions: numbered from 1, whoever it was and why; a waiting job keeps its file."""
    model_id = await model_of(desk)
    waits = (await desk.ask("POST", f"/models/{model_id}/schedule")).json()
    made = await revise(desk, model_id, TWO, "a longer arm")
    assert (made["revision_number"], made["changelog"], made["model_id"]) == (
        *(2, "a longer arm"),
        model_id,
    )
    rows = (await desk.ask("GET", f"/models/{model_id}/revisions")).json()
    assert [(row["revision_number"], row["uploaded_by_name"]) for row in rows] == [
        (2, "admin"),
        (1, "admin"),
    ]
    later = (await desk.ask("POST", f"/models/{model_id}/schedule")).json()
    assert later["print_file_id"] == made["id"] != waits["print_file_id"]
    kept = (await desk.ask("GET", f"/jobs/{waits['id']}")).json()
    assert kept["print_file_id"] == waits["print_file_id"]


async def test_an_old_revision_comes_back_as_a_new_one(desk: Desk) -> None:
    """revert: the bytes of 1 as number 3; numbers never change, also when one is deleted."""
    model_id = await model_of(desk)
    second = await revise(desk, model_id, TWO)
    back = (await desk.ask("POST", f"/models/{model_id}/revisions/1/revert")).json()
    assert (back["revision_number"], back["changelog"]) == (3, "Back to revision 1")
    files = {row.id: row.blob_id for row in await PrintFile.filter(model_id=model_id)}
    assert files[back["id"]] == min(files.values())
    gone = await desk.ask("DELETE", f"/models/{model_id}/variants/{second['id']}")
    assert gone.json() == {"status": "deleted", "id": second["id"]}
    rows = (await desk.ask("GET", f"/models/{model_id}/revisions")).json()
    assert [row["revision_number"] for row in rows] == [3, 1]
    for number in (0, 2, 4):
        answer = await desk.ask("POST", f"/models/{model_id}/revisions/{number}/revert")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "file_not_found")


async def test_a_job_may_name_a_revision(desk: Desk) -> None:
    """model_revision_id: that file is printed; one of another model is 404, as is none."""
    model_id = await model_of(desk)
    [first] = (await desk.ask("GET", f"/models/{model_id}/revisions")).json()
    await revise(desk, model_id, TWO)
    other = await model_of(desk, THREE, "other.gcode")
    body = {"item_name": "old", "model_id": model_id, "model_revision_id": first["id"]}
    job = (await desk.ask("POST", "/jobs", json=body)).json()
    assert (job["print_file_id"], job["model_revision_id"]) == (first["id"], first["id"])
    for wrong in ({"model_id": other}, {"model_revision_id": 987654}):
        answer = await desk.ask("POST", "/jobs", json={**body, **wrong})
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "file_not_found")


async def test_a_wrong_revision_is_refused_and_nothing_is_kept(desk: Desk) -> None:
    """No such model, no file, a project, a story for a changelog; a variant of another model."""
    model_id, other = await model_of(desk), await model_of(desk, THREE, "other.gcode")
    path = f"/models/{model_id}/revisions"
    for given, status in (
        ({"files": {"file": ("a.3mf", ONE)}}, 400),
        ({"files": {"note": ("a.gcode", ONE)}}, 400),
        ({"files": {"file": ("a.gcode", ONE)}, "params": {"changelog": "x" * 2001}}, 422),
    ):
        answer = await desk.ask("POST", path, **given)
        assert answer.status_code == status, answer.text
    answer = await desk.ask("POST", "/models/987654/revisions", files={"file": ("a.gcode", ONE)})
    assert answer.json()["error"]["code"] == "model_not_found"
    [mine] = (await desk.ask("GET", path)).json()
    answer = await desk.ask("DELETE", f"/models/{other}/variants/{mine['id']}")
    assert (answer.status_code, await PrintFile.filter(deleted_at=None).count()) == (404, 2)
    await desk.ask("POST", f"/models/{model_id}/schedule")
    answer = await desk.ask("DELETE", f"/models/{model_id}/variants/{mine['id']}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "file_in_use")


async def test_a_sliced_file_has_no_mesh(desk: Desk) -> None:
    """404 that says so, for the model, its file and its preview; 404 for what is not there."""
    model_id = await model_of(desk)
    [row] = (await desk.ask("GET", f"/models/{model_id}/revisions")).json()
    one = row["id"]
    paths = (f"/models/{model_id}/mesh", f"/print-files/{one}/mesh", f"/files/{one}/preview-model")
    for path in paths:
        answer = await desk.ask("GET", path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "file_not_found")
        assert "No mesh is kept of" in answer.json()["detail"]


async def test_the_cost_of_a_model_is_the_formula_of_the_contract(desk: Desk) -> None:
    """Material, labour, electricity, wear, packaging, failures, rent; the margin on top."""
    body = {
        "name": "Vase",
        "build_time_hours": 2,
        "color_requirements": {"slot1": {"color": "red", "grams": 100}},
        "markup_percent": 100,
    }
    model = (await desk.ask("POST", "/models", json=body)).json()
    rates = {"monthly_rent": 50, "other_costs": 0.25}
    await desk.ask("PUT", "/pricing-config", json=rates)
    cost = (await desk.ask("GET", f"/models/{model['id']}/cost")).json()
    parts = cost["breakdown"]
    assert (parts["material"], parts["labor"], parts["packaging"]) == (2.5, 2.5, 0.5)
    assert (parts["electricity"], parts["depreciation"], parts["other"]) == (0.024, 0.12, 0.25)
    assert (parts["failures"], parts["overhead"]) == (0.2947, 0.5)
    assert cost["estimated_cost"] == pytest.approx(sum(parts.values()), abs=0.01)
    assert cost["suggested_price"] == pytest.approx(2 * sum(parts.values()), abs=0.01)
    job = {"item_name": "vase", "model_id": model["id"], "duration_hours": 2}
    made = (await desk.ask("POST", "/jobs", json=job)).json()
    assert made["estimated_cost"] == cost["estimated_cost"]


async def test_models_are_listed_with_their_prices(desk: Desk) -> None:
    """models-with-pricing: model fields, variants, cost, price, margin; null where nobody knows."""
    unknown = (await desk.ask("POST", "/models", json={"name": "Anything"})).json()["id"]
    model_id = await model_of(desk)
    await revise(desk, model_id, TWO)
    await desk.ask("PATCH", f"/models/{model_id}", json={"build_time_hours": 1})
    answer = await desk.ask("GET", "/models-with-pricing")
    rows = {row["id"]: row for row in answer.json()}
    assert answer.headers["X-Total-Count"] == "2"
    assert (rows[unknown]["estimated_cost"], rows[unknown]["variant_count"]) == (None, 0)
    assert rows[model_id]["variant_count"] == 2
    assert rows[model_id]["suggested_price"] > rows[model_id]["estimated_cost"] > 0
    assert rows[model_id]["margin_percent"] == 50  # the rates', where nobody said another
    assert rows[model_id]["markup_percent"] is None  # and what is shown is what counts
    assert rows[unknown]["markup_percent"] == rows[unknown]["margin_percent"] == 300
    await desk.ask("PATCH", f"/models/{unknown}", json={"markup_percent": None})
    await desk.ask("PUT", "/pricing-config", json={"default_margin": 20})
    margins = [
        row["margin_percent"] for row in (await desk.ask("GET", "/models-with-pricing")).json()
    ]
    assert margins == [20, 20]
    assert {"bed_x_mm", "bed_y_mm", "required_colors"} <= rows[model_id].keys()
    assert (await desk.ask("GET", "/models-with-pricing?category=none")).json() == []
    assert (await desk.ask("GET", "/models?org_id=2")).json() == []
    assert len((await desk.ask("GET", "/models?org_id=1")).json()) == 2
