"""Upload, print files and models, asked as v1 clients ask (v1 2.5; safety S30-S33, S45)."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from quart import Quart
from quart.typing import TestClientProtocol as Client

from api.accounts.people import NewUser
from api.accounts.service import Accounts
from api.clock import Clock
from api.config import Settings
from api.events.service import Ledger
from api.files.models import Blob
from api.files.service import Files
from api.models_library.models import LibraryModel, PrintFile
from api.models_library.routes import LibraryRoutes
from api.models_library.service import FileJob, Library
from api.principal import Principal, Role
from api.storage import open_storage
from api.v1 import V1
from tests.api.accounts.conftest import PASSWORD
from tests.api.models_library.conftest import KnownJobs

DATA = Path(__file__).parents[2] / "data"
CUBE = (DATA / "cube_small.gcode").read_bytes()
TWO_COLOURS = (DATA / "twocolor_mmu.gcode").read_bytes()


def form(content: bytes, disposition: str = 'name="file"; filename="cube.gcode"') -> bytes:
    head = f"--xyz\r\nContent-Disposition: form-data; {disposition}\r\n\r\n".encode()
    return head + content + b"\r\n--xyz--\r\n"


async def upload(
    client: Client, headers: dict[str, str], body: bytes, **more: str
) -> tuple[int, Any]:
    kind = {"Content-Type": "multipart/form-data; boundary=xyz"}
    answer = await client.post(
        "/api/v1/print-files/upload", data=body, headers=headers | kind | more
    )
    return answer.status_code, await answer.get_json()


async def named(client: Client, headers: dict[str, str], name: str) -> tuple[int, Any]:
    return await upload(client, headers, form(CUBE, f'name="file"; filename="{name}"'))


async def get(client: Client, headers: dict[str, str], path: str) -> Any:
    answer = await client.get(f"/api/v1{path}", headers=headers)
    assert answer.status_code == 200, path
    return await answer.get_json()


async def test_upload_makes_a_print_file_and_its_model(
    client: Client, headers: dict[str, str]
) -> None:
    """The answer of v1 with what the slicer wrote."""
    status, body = await upload(client, headers, form(CUBE))
    assert status == 200
    assert body == {
        "id": 1,
        "filename": "cube.gcode",
        "project_name": "cube",
        "print_time_seconds": 352,
        "print_time_formatted": "5m",
        "total_weight_grams": 0.67,
        "layer_count": 49,
        "filaments": [
            {"slot": 1, "type": "PLA", "color": "#FF8000", "used_grams": 0.67, "used_mm": 224.22}
        ],
        "thumbnail_b64": None,
        "thumbnail_url": "/api/v1/print-files/1/thumbnail",
        "is_sliced": True,
        "model_id": 1,
        "is_new_model": True,
        "printer_model": None,
        "objects": [],
        "has_mesh": False,
        "bed_x_mm": 250.0,
        "bed_y_mm": 210.0,
        "compatible_api_types": ["serial"],
        "duplicate": None,
    }
    model = await get(client, headers, "/models/1")
    assert model["name"] == "cube"
    assert model["build_time_hours"] == pytest.approx(352 / 3600, abs=1e-4)
    assert model["default_filament_type"] == "PLA"


async def test_two_tools_are_two_filaments(client: Client, headers: dict[str, str]) -> None:
    """Each with its type, colour and weight."""
    _, body = await upload(client, headers, form(TWO_COLOURS))
    used = [(one["slot"], one["type"], one["used_grams"]) for one in body["filaments"]]
    assert used == [(1, "PLA", 3.33), (2, "PETG", 0.65)]
    assert body["print_time_formatted"] == "20m"


async def test_same_name_is_the_same_model(client: Client, headers: dict[str, str]) -> None:
    """Case and separators do not count; the same bytes are said to be there already."""
    _, first = await named(client, headers, "My Vase.gcode")
    _, second = await named(client, headers, "my_vase.GCODE")
    assert (second["model_id"], second["is_new_model"]) == (first["model_id"], False)
    assert second["duplicate"] == {
        "duplicate": True,
        "existing_file_id": first["id"],
        "existing_file_name": "My Vase.gcode",
    }
    _, other = await named(client, headers, "Other.gcode")
    assert other["is_new_model"]
    assert await Blob.all().count() == 1


@pytest.mark.parametrize(
    ("name", "kept"),
    [("naïve bär 1.gcode", "naïve bär 1.gcode"), (".x.g", "x.g"), ("$(id);a.gco", "(id)a.gco")],
)
async def test_names_are_kept_as_people_wrote_them(
    client: Client, headers: dict[str, str], name: str, kept: str
) -> None:
    """Apart from what could mislead (safety S32)."""
    status, body = await named(client, headers, name)
    assert (status, body["filename"]) == (200, kept)


BAD_UPLOADS: list[tuple[bytes, int, str, str]] = [
    (form(b""), 400, "bad_request", "empty"),
    (form(b"hello world"), 400, "not_gcode", "not G-code"),
    (form(b"G28\n\x00\x01"), 400, "not_gcode", "not G-code"),
    (form(CUBE, 'name="file"; filename="x.3mf"'), 400, "not_gcode", "export plain G-code"),
    (form(b"GCDE" + bytes(40), 'name="file"; filename="x.bgcode"'), 400, "not_gcode", "binary"),
    (form(CUBE, 'name="file"; filename="x.exe"'), 400, "not_gcode", ".gcode"),
    (form(CUBE, 'name="file"; filename="x"'), 400, "not_gcode", ".gcode"),
    (form(CUBE, 'name="file"; filename="../../x.gcode"'), 400, "bad_request", "slash"),
    (form(CUBE, 'name="file"; filename="..\\\\x.gcode"'), 400, "bad_request", "slash"),
    (
        form(CUBE, "name=\"file\"; filename*=UTF-8''%2e%2e%2fx.gcode"),
        *(400, "bad_request", "slash"),
    ),
    (form(CUBE, 'name="file"; filename=""'), 400, "bad_request", "file name"),
    (form(CUBE, 'name="file"'), 400, "bad_request", "file name"),
    (form(CUBE, 'name="other"; filename="x.gcode"'), 400, "bad_request", "named file"),
    (form(CUBE)[:-30], 400, "bad_request", "cut off"),
    (form(CUBE).removesuffix(b"--xyz--\r\n") + form(CUBE), 400, "bad_request", "one file"),
    (b"", 400, "bad_request", "cut off"),
    (b"nonsense", 400, "bad_request", "malformed"),
]


async def test_bad_uploads_are_refused_with_a_reason(
    client: Client, headers: dict[str, str]
) -> None:
    """A code and a sentence; no print file, no model (safety S30, S31, S33, S45)."""
    for body, wanted, code, words in BAD_UPLOADS:
        status, answer = await upload(client, headers, body)
        assert (status, answer["error"]["code"]) == (wanted, code), answer
        assert words in answer["detail"]
    assert not await PrintFile.exists()
    assert not await LibraryModel.exists()


async def test_upload_takes_a_form_only(client: Client, headers: dict[str, str]) -> None:
    """Another content type, or a form without boundary, is told what to send."""
    for kind, wanted in (
        ("application/json", 415),
        ("text/plain", 415),
        ("multipart/form-data", 400),
    ):
        status, answer = await upload(client, headers, form(CUBE), **{"Content-Type": kind})
        assert status == wanted
        assert answer["detail"]


async def test_too_large_says_the_limit(
    accounts: Accounts,
    library: Library,
    headers: dict[str, str],
    ledger: Ledger,
    clock: Clock,
    settings: Settings,
) -> None:
    """413, whether declared or counted (safety S46)."""
    small = replace(settings, max_upload_bytes=10_000)
    files = Files(open_storage(small), ledger, clock, small)
    quart = Quart("small", static_folder=None)
    LibraryRoutes(library, files, small).register(V1(quart, accounts))
    for content in (CUBE, CUBE * 20):
        status, answer = await upload(quart.test_client(), headers, form(content))
        assert (status, answer["error"]["code"]) == (413, "too_large")
        assert "GANTRY_MAX_UPLOAD_BYTES" in answer["detail"]


async def test_viewers_do_not_upload(
    client: Client, headers: dict[str, str], accounts: Accounts
) -> None:
    """Refused before a byte is read; reading is open to them."""
    admin = await accounts.authenticate(headers["Authorization"].removeprefix("Bearer "))
    new = NewUser(username="vera", email="", password=PASSWORD, role=Role.VIEWER)
    await accounts.create_user(admin, new)
    login = await accounts.login("vera", PASSWORD, "", "")
    vera = {"X-API-Key": login.token}
    status, answer = await upload(client, vera, form(CUBE))
    assert (status, answer["error"]["code"]) == (403, "permission_denied")
    assert await get(client, vera, "/print-files") == []
    assert (await client.post("/api/v1/print-files/upload")).status_code == 401


async def test_list_leaves_files_with_jobs_out_unless_asked(
    client: Client, headers: dict[str, str], jobs: KnownJobs
) -> None:
    """v1's include_scheduled; rows carry the job, newest first, in pages."""
    for name in ("a.gcode", "b.gcode", "c.gcode"):
        await named(client, headers, name)
    jobs.of_file[2] = FileJob(id=9, status="printing", name="B", needs_file=True)
    assert [row["id"] for row in await get(client, headers, "/print-files")] == [3, 1]
    rows = await get(client, headers, "/print-files?include_scheduled=true&skip=1&limit=1")
    assert [(row["id"], row["job_id"], row["job_status"]) for row in rows] == [(2, 9, "printing")]
    row = await get(client, headers, "/print-files/1")
    assert row["layer_height"] == 0.2
    assert row["nozzle_diameter"] == 0.4
    assert row["job_id"] is None
    assert len(row["file_hash"]) == 64
    assert row["uploaded_at"] == "2026-01-01T12:00:00.000Z"


async def test_delete_waits_for_the_job(
    client: Client, headers: dict[str, str], jobs: KnownJobs
) -> None:
    """409 while a job may print it; afterwards it is gone, a second time 404."""
    await named(client, headers, "a.gcode")
    jobs.of_file[1] = FileJob(id=9, status="pending", name="A", needs_file=True)
    answer = await client.delete("/api/v1/print-files/1", headers=headers)
    body = await answer.get_json()
    assert (answer.status_code, body["error"]["code"]) == (409, "file_in_use")
    assert body["error"]["job_id"] == 9
    jobs.of_file[1] = FileJob(id=9, status="completed", name="A", needs_file=False)
    answer = await client.delete("/api/v1/print-files/1", headers=headers)
    assert (answer.status_code, (await answer.get_json())["status"]) == (200, "deleted")
    assert (await client.delete("/api/v1/print-files/1", headers=headers)).status_code == 404
    assert (await client.get("/api/v1/print-files/1", headers=headers)).status_code == 404


async def test_models_are_made_and_listed(client: Client, headers: dict[str, str]) -> None:
    """The fields of v1 and what follows from them; two may share a name."""
    vase = {
        "name": "Vase",
        "build_time_hours": 2,
        "default_filament_type": "PETG",
        "category": "home",
        "color_requirements": {"1": {"color": "red", "grams": 12.5}},
        "cost_per_item": 10,
        "units_per_bed": 4,
        "is_superadmin": True,
    }
    answer = await client.post("/api/v1/models", json=vase, headers=headers)
    body = await answer.get_json()
    assert answer.status_code == 201
    assert body["required_colors"] == ["red"]
    assert body["total_filament_grams"] == 12.5
    assert body["time_per_item"] == 0.5
    assert body["value_per_bed"] == 40
    assert body["value_per_hour"] == 20
    assert body["markup_percent"] == 300
    assert "is_superadmin" not in body
    again = await client.post("/api/v1/models", json={"name": "vase"}, headers=headers)
    assert again.status_code == 201
    _, uploaded = await named(client, headers, "VASE.gcode")
    assert uploaded["model_id"] == body["id"]
    assert len(await get(client, headers, "/models")) == 2
    assert [one["id"] for one in await get(client, headers, "/models?category=home")] == [1]
    assert await get(client, headers, "/models?category=%25%27") == []
    assert (await client.get("/api/v1/models?category=%00", headers=headers)).status_code == 422


@pytest.mark.parametrize("path", ["/models", "/print-files"])
async def test_foreign_and_missing_rows_read_the_same(
    client: Client, headers: dict[str, str], library: Library, admin: Principal, path: str
) -> None:
    """404 for another organization's, for none and for impossible ids (safety S25)."""
    await named(client, headers, "a.gcode")
    await PrintFile.all().update(organization_id=2)
    await LibraryModel.all().update(organization_id=2)
    answers = set()
    for number in (1, 77, 2**31, 10**25):
        answer = await client.get(f"/api/v1{path}/{number}", headers=headers)
        assert answer.status_code == 404
        if number < 2**31:
            answers.add(await answer.get_data())
    assert len(answers) == 1
    assert await get(client, headers, f"{path}?include_scheduled=1") == []


BAD_MODELS: list[bytes] = [
    b"{}",
    b'{"name": ""}',
    b'{"name": "x", "build_time_hours": -1}',
    b'{"name": "x", "build_time_hours": NaN}',
    b'{"name": "x", "build_time_hours": 1e400}',
    b'{"name": "x", "units_per_bed": 0}',
    b'{"name": "x", "units_per_bed": 99999999999999999999}',
    b'{"name": "x", "default_filament_type": "WOOD"}',
    b'{"name": "x", "color_requirements": []}',
    b'{"name": "\\ud800"}',
    b"[" * 100_000,
]


async def test_bad_models_are_422(client: Client, headers: dict[str, str]) -> None:
    """Nothing is made (safety S29)."""
    kind = {"Content-Type": "application/json"}
    for body in BAD_MODELS:
        answer = await client.post("/api/v1/models", data=body, headers=headers | kind)
        assert answer.status_code == 422, body[:60]
    nul = {"name": "a\x00b", "notes": "x\x00"}
    assert (await client.post("/api/v1/models", json=nul, headers=headers)).status_code == 422
    assert not await LibraryModel.exists()


async def test_newest_file_of_a_model(
    library: Library, client: Client, headers: dict[str, str], admin: Principal
) -> None:
    """What a job of the model prints; none without a file."""
    await named(client, headers, "a.gcode")
    _, newest = await named(client, headers, "A.gcode")
    found = await library.newest_file(admin, newest["model_id"])
    assert found is not None
    assert found.id == newest["id"]
    await client.post("/api/v1/models", json={"name": "empty"}, headers=headers)
    assert await library.newest_file(admin, 2) is None


async def test_the_picture_of_a_file_is_served(client: Client, headers: dict[str, str]) -> None:
    """As the slicer put it in; a file without one answers 404."""
    _, body = await upload(client, headers, form(CUBE))
    answer = await client.get(body["thumbnail_url"], headers=headers)
    assert (answer.status_code, answer.content_type) == (200, "image/png")
    _, plain = await upload(client, headers, form(b"G28\nG1 X1\n"))
    assert plain["thumbnail_url"] is None
    answer = await client.get(f"/api/v1/print-files/{plain['id']}/thumbnail", headers=headers)
    assert answer.status_code == 404


async def test_models_are_changed_and_deleted(
    client: Client, headers: dict[str, str], jobs: KnownJobs
) -> None:
    """PATCH changes what is there; DELETE takes the files along, but not under a job's feet."""
    _, body = await upload(client, headers, form(CUBE))
    path = f"/api/v1/models/{body['model_id']}"
    change = {"name": "Calibration", "category": "tests", "cost_per_item": 2.5, "id": 99}
    answer = await client.patch(path, headers=headers, json=change)
    model = await answer.get_json()
    assert (model["id"], model["name"]) == (body["model_id"], "Calibration")
    assert (model["category"], model["cost_per_item"]) == ("tests", 2.5)
    for wrong in ({"name": " "}, {"name": ""}, {"units_per_bed": 0}):
        assert (await client.patch(path, headers=headers, json=wrong)).status_code in (400, 422)
    [variant] = (await (await client.get(f"{path}/variants", headers=headers)).get_json())[
        "variants"
    ]
    assert variant["id"] == body["id"]
    jobs.of_file[body["id"]] = FileJob(id=5, status="pending", name="x", needs_file=True)
    assert (await client.delete(path, headers=headers)).status_code == 409
    jobs.of_file.clear()
    assert (await client.delete(path, headers=headers)).status_code == 204
    for gone in (path, f"/api/v1/print-files/{body['id']}"):
        assert (await client.get(gone, headers=headers)).status_code == 404
    again, _ = await upload(client, headers, form(CUBE))
    assert again == 200
