"""Presets and prices over HTTP."""

import pytest

from tests.fakes.desk import Desk

GCODE = b"G28\nM104 S200\nG1 X1 E1\n; filament used [g] = 20.0\n; total filament used [g] = 20.0\n"


async def model_of(desk: Desk) -> int:
    """The model of an uploaded file of 20 g and one hour."""
    file_id = await desk.upload(GCODE, "vase.gcode")
    file = (await desk.ask("GET", f"/print-files/{file_id}")).json()
    model_id = int(file["model_id"])
    hours = {"build_time_hours": 1.0, "markup_percent": 100}
    assert (await desk.ask("PATCH", f"/models/{model_id}", json=hours)).status_code == 200
    return model_id


async def test_a_preset_is_queued_again_and_again(desk: Desk) -> None:
    """v1 2.4: create, list with the model's name, schedule, delete; jobs stay."""
    model_id = await model_of(desk)
    body = {"name": "Vases", "model_id": model_id, "quantity": 3, "priority": "high"}
    made = await desk.ask("POST", "/presets", json={**body, "required_tags": ["clean"]})
    assert (made.status_code, set(made.json())) == (201, {"id", "name"})
    [shown] = (await desk.ask("GET", "/presets")).json()
    assert (shown["model_name"], shown["priority"], shown["quantity"]) == ("vase", 2, 3)
    path = f"/presets/{made.json()['id']}"
    queued = (await desk.ask("POST", f"{path}/schedule")).json()
    job = (await desk.ask("GET", f"/jobs/{queued['id']}")).json()
    assert (job["item_name"], job["quantity"], job["required_tags"]) == ("Vases", 3, ["clean"])
    assert (await desk.ask("DELETE", path)).status_code == 204
    assert (await desk.ask("DELETE", path)).status_code == 404
    assert (await desk.ask("GET", f"/jobs/{queued['id']}")).status_code == 200


async def test_a_name_is_taken_once(desk: Desk) -> None:
    """The second preset of a name is refused, and so is one of a model that is not there."""
    assert (await desk.ask("POST", "/presets", json={"name": "A"})).status_code == 201
    again = await desk.ask("POST", "/presets", json={"name": " A "})
    assert again.json()["error"]["code"] == "name_taken"
    foreign = await desk.ask("POST", "/presets", json={"name": "B", "model_id": 987})
    assert foreign.status_code == 404


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "x" * 101),
        ("quantity", 0),
        ("quantity", 10_001),
        ("priority", 11),
        ("notes", "x" * 10_001),
        ("required_tags", ["x"] * 51),
        ("duration_hours", -1),
    ],
)
async def test_a_preset_out_of_limits_names_the_field(
    desk: Desk, field: str, value: object
) -> None:
    """422 says which field; nothing is kept."""
    answer = await desk.ask("POST", "/presets", json={"name": "A", field: value})
    assert answer.status_code == 422
    assert field in answer.text
    assert (await desk.ask("GET", "/presets")).json() == []


async def test_a_job_has_a_cost_and_a_price(desk: Desk) -> None:
    """v1 2.5: material, work, electricity, wear, packaging and other costs, failures, rent."""
    rates = {
        **{"spool_cost": 30, "spool_weight": 1000, "hourly_rate": 12, "post_processing_min": 10},
        **{"packing_min": 5, "support_min": 0, "electricity_rate": 0.5, "printer_wattage": 200},
        **{"printer_cost": 500, "printer_lifespan": 5000, "packaging_cost": 0.3},
        **{"other_costs": 0.2, "failure_rate": 10, "monthly_rent": 100, "parts_per_month": 1000},
    }
    kept = await desk.ask("PUT", "/pricing-config", json=rates)
    assert kept.status_code == 200 and kept.json()["spool_cost"] == 30
    model_id = await model_of(desk)
    body = {"item_name": "vase", "model_id": model_id, "quantity": 2, "duration_hours": 1}
    one = (20 * 0.03 + 0.25 * 12 + 0.2 * 0.5 + 0.1 + 0.3 + 0.2) * 1.1 + 0.1
    dry = await desk.ask("POST", "/jobs", json=body, headers={"X-Dry-Run": "true"})
    assert dry.json()["would_execute"]["estimated_cost"] == pytest.approx(2 * one, abs=0.01)
    job = (await desk.ask("POST", "/jobs", json=body)).json()
    assert job["estimated_cost"] == pytest.approx(2 * one, abs=0.01)
    assert job["suggested_price"] == pytest.approx(4 * one, abs=0.02)
    more = await desk.ask("PATCH", f"/jobs/{job['id']}", json={"quantity": 4})
    assert more.json()["estimated_cost"] == pytest.approx(4 * one, abs=0.01)


async def test_what_the_library_says_of_a_material_counts(desk: Desk) -> None:
    """The mean price of the library's filaments of that material, in place of any spool's."""
    model_id = await model_of(desk)
    body = {"item_name": "vase", "model_id": model_id, "filament_type": "PLA"}
    before = (await desk.ask("POST", "/jobs", json=body)).json()["estimated_cost"]
    filament = {"brand": "Acme", "name": "Gold", "material": "PLA", "cost_per_gram": 1.025}
    made = await desk.ask("POST", "/filaments", json=filament)
    assert made.status_code in (200, 201), made.text
    after = (await desk.ask("POST", "/jobs", json=body)).json()["estimated_cost"]
    assert after - before == pytest.approx(20 * 1.0 * 1.05, abs=0.02)


async def test_of_what_nothing_is_known_nothing_is_estimated(desk: Desk) -> None:
    """A job by hand, without a model, a file and a duration, has no price."""
    job = (await desk.ask("POST", "/jobs", json={"item_name": "by hand"})).json()
    assert (job["estimated_cost"], job["suggested_price"], job["time_left_s"]) == (None,) * 3


async def test_a_rate_that_would_divide_by_nothing_is_refused(desk: Desk) -> None:
    """422 names the field."""
    for name in ("spool_weight", "printer_lifespan", "parts_per_month"):
        answer = await desk.ask("PUT", "/pricing-config", json={name: 0})
        assert answer.status_code == 422 and name in answer.text


async def test_a_batch_goes_to_a_pool_in_copies(desk: Desk) -> None:
    """N jobs for any printers of a pool, so that several take their part; never both at once."""
    pool = await desk.ask("POST", "/pools", json={"name": "All", "printer_ids": [desk.printer_id]})
    body = {"item_name": "part", "pool_id": pool.json()["id"], "copies": 3}
    made = (await desk.ask("POST", "/jobs/batch", json=body)).json()
    assert [each["printer_id"] for each in made] == [None] * 3
    jobs = (await desk.ask("GET", "/jobs", params={"pool_id": body["pool_id"]})).json()
    assert len(jobs) == 3
    for wrong in ({**body, "printer_ids": [desk.printer_id]}, {"item_name": "part"}):
        answer = await desk.ask("POST", "/jobs/batch", json=wrong)
        assert answer.status_code == 422
        assert answer.json()["error"]["field"] == "printer_ids"
    many = await desk.ask("POST", "/jobs/batch", json={**body, "copies": 51})
    assert many.status_code == 422 and "copies" in many.text
