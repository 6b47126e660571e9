"""Files: bytes once per organization, names per printer, limits of printers."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from api.clock import Clock
from api.config import Settings
from api.errors import Conflict, Forbidden, Invalid, NotFound
from api.events.service import Ledger
from api.files.models import Blob
from api.files.service import Files, Tree
from api.principal import Principal, Role
from api.storage import open_storage
from schemas.printer import Profile
from tests.api.files.conftest import chunks

CUBE = (Path(__file__).parents[2] / "data" / "cube_small.gcode").read_bytes()
SEVEN, EIGHT = Tree.of_printer(7), Tree.of_printer(8)


def stored(settings: Settings) -> list[Path]:
    return [path for path in settings.data_dir.rglob("*") if path.is_file()]


async def test_same_bytes_are_one_blob(files: Files, admin: Principal, settings: Settings) -> None:
    """Whatever they are called; read back they are the same."""
    first = await files.ingest(admin, chunks(CUBE), "a.gcode")
    second = await files.ingest(admin, chunks(CUBE, 999), "b.gcode")
    assert first.id == second.id
    assert len(stored(settings)) == 1
    assert b"".join([chunk async for chunk in files.read(first)]) == CUBE
    assert b"".join([chunk async for chunk in files.read(first, 10, 20)]) == CUBE[10:30]
    path = files.path_for_reading(first)
    assert path is not None
    assert path.read_bytes() == CUBE
    assert first.facts["layers"] == 49


async def test_lost_bytes_come_back_with_the_next_upload(files: Files, admin: Principal) -> None:
    """A row whose file is gone does not swallow the upload that brings it again."""
    first = await files.ingest(admin, chunks(CUBE), "a.gcode")
    path = files.path_for_reading(first)
    assert path is not None
    path.unlink()
    again = await files.ingest(admin, chunks(CUBE), "a.gcode")
    assert again.id == first.id
    assert path.read_bytes() == CUBE


async def test_organizations_share_nothing(files: Files, admin: Principal) -> None:
    """The same bytes of two organizations are two blobs, foreign ones are not found (S25)."""
    mine = await files.ingest(admin, chunks(CUBE), "a.gcode")
    other = replace(admin, organization_id=2)
    theirs = await files.ingest(other, chunks(CUBE), "a.gcode")
    assert theirs.id != mine.id
    assert theirs.storage_key != mine.storage_key
    with pytest.raises(NotFound):
        await files.blob(2, mine.id)
    assert (await files.blob(1, mine.id)).sha256 == mine.sha256


@pytest.mark.parametrize(
    ("content", "code"), [(b"", "bad_request"), (b"hello", "not_gcode"), (b"G28\0", "not_gcode")]
)
async def test_refused_file_leaves_nothing(
    files: Files, admin: Principal, settings: Settings, content: bytes, code: str
) -> None:
    """No row, no bytes; also when OctoPrint's face took the same bytes before."""
    with pytest.raises(Invalid) as caught:
        await files.ingest(admin, chunks(content), "x.gcode", must_be_gcode=True)
    assert caught.value.code == code
    assert "x.gcode" in caught.value.detail
    assert stored(settings) == []
    assert not await Blob.exists()
    await files.ingest(admin, chunks(content), "x.gcode")
    with pytest.raises(Invalid):
        await files.ingest(admin, chunks(content), "x.gcode", must_be_gcode=True)


async def test_too_large_is_stopped_on_the_way(
    ledger: Ledger, clock: Clock, settings: Settings, admin: Principal
) -> None:
    """Bytes are counted as they come, whatever was declared (safety S46)."""
    settings = replace(settings, max_upload_bytes=1000)
    files = Files(open_storage(settings), ledger, clock, settings)
    asked = []

    async def endless() -> AsyncIterator[bytes]:
        while True:
            asked.append(1)
            yield b"G1 X1\n" * 50

    with pytest.raises(Invalid) as caught:
        await files.ingest(admin, endless(), "x.gcode")
    assert caught.value.code == "too_large"
    assert "1000 bytes" in caught.value.detail
    assert len(asked) == 4
    assert stored(settings) == []


async def test_viewers_upload_nothing(files: Files, admin: Principal) -> None:
    """Files are written by operators and admins."""
    with pytest.raises(Forbidden):
        await files.ingest(replace(admin, role=Role.VIEWER), chunks(CUBE), "a.gcode")


async def test_too_hot_for_the_printer_names_line_and_limit(files: Files, admin: Principal) -> None:
    """The answer says which line asks for what, and what is allowed (safety M19)."""
    blob = await files.ingest(admin, chunks(b"G28\nM104 S200\nM109 S290\n"), "a.gcode")
    files.check_against(blob, Profile(max_nozzle_c=290.0))
    for _ in range(2):
        with pytest.raises(Invalid) as caught:
            files.check_against(blob, Profile(max_nozzle_c=250.0))
        problem = caught.value
        assert problem.code == "limit_exceeded"
        assert problem.extra["line"] == 3
        assert problem.extra["asked_c"] == 290.0
        assert problem.extra["allowed_c"] == 250.0
        assert "line 3" in problem.detail
        assert "290" in problem.detail
        assert "250" in problem.detail


async def test_a_hot_line_behind_millions_of_others_is_named(
    files: Files, admin: Principal
) -> None:
    """Lines that passed uncounted are counted from the draft when one of them matters."""
    moves = b"G1 X100.1 Y100.2 E0.3\n" * 100_000
    content = moves + b"M104 S300\n" + moves + b"M109 S310\n" + moves
    blob = await files.ingest(admin, chunks(content), "tower.gcode")
    assert blob.facts["max_nozzle_c"] == {"line": 200_002, "c": 310.0}


async def test_refused_code_names_its_line(files: Files, admin: Principal) -> None:
    """A file that stores settings on the printer is not printed (safety M20)."""
    blob = await files.ingest(admin, chunks(b"G28\nM500\n"), "a.gcode")
    with pytest.raises(Invalid, match="line 2: M500"):
        files.check_against(blob, Profile())


async def test_a_profile_may_allow_a_code_in_files(files: Files, admin: Principal) -> None:
    """safety M20: M500 and M302 where the profile names them, and who may change that is said."""
    blob = await files.ingest(admin, chunks(b"G28\nM302 P1\nM500\n"), "a.gcode")
    files.check_against(blob, Profile(allowed_codes=("M302", "M500")))
    with pytest.raises(Invalid, match=r"line 3: M500 .* an admin can allow it"):
        files.check_against(blob, Profile(allowed_codes=("M302",)))
    shut = await files.ingest(admin, chunks(b"G28\nM997\n"), "b.gcode")
    with pytest.raises(Invalid, match=r"line 2: M997 [^;]*$"):
        files.check_against(shut, Profile(allowed_codes=("M302", "M500", "M997")))


async def test_each_printer_has_its_own_tree(files: Files, admin: Principal) -> None:
    """A name on one printer is not one on another; folders are made on the way."""
    blob = await files.ingest(admin, chunks(CUBE), "a.gcode")
    row = await files.put_name(admin, SEVEN, "/parts/.old/bär 1.gcode", "Bär 1.gcode", blob)
    assert row.path == "parts/old/bär 1.gcode"
    assert (await files.name(admin, SEVEN, "parts/old/bär 1.gcode")).blob_id == blob.id
    assert [(one.path, one.is_folder) for one in await files.names(admin, SEVEN)] == [
        ("parts", True),
        ("parts/old", True),
        ("parts/old/bär 1.gcode", False),
    ]
    assert [one.path for one in await files.names(admin, SEVEN, "parts/old")] == [row.path]
    assert await files.names(admin, EIGHT) == []
    with pytest.raises(NotFound):
        await files.name(admin, EIGHT, row.path)
    assert list(await files.blobs_of(admin, await files.names(admin, SEVEN))) == [blob.id]
    assert list(await files.blobs(1, [blob.id, 999])) == [blob.id]
    assert await files.blobs(2, [blob.id]) == {}


async def test_a_name_is_taken_over_by_the_next_upload(files: Files, admin: Principal) -> None:
    """Overwriting changes what the name means; the old bytes stay for jobs."""
    first = await files.ingest(admin, chunks(CUBE), "a.gcode")
    second = await files.ingest(admin, chunks(b"G28\n"), "a.gcode")
    before = await files.put_name(admin, SEVEN, "a.gcode", "a", first)
    after = await files.put_name(admin, SEVEN, "a.gcode", "a", second, userdata={"x": 1})
    assert before.id == after.id
    assert (await files.name(admin, SEVEN, "a.gcode")).blob_id == second.id
    assert (await files.blob(1, first.id)).id == first.id


async def test_files_and_folders_do_not_replace_each_other(files: Files, admin: Principal) -> None:
    """A conflict names the culprit; making a folder twice is no error."""
    blob = await files.ingest(admin, chunks(CUBE), "a.gcode")
    await files.make_folder(admin, SEVEN, "parts")
    await files.make_folder(admin, SEVEN, "parts")
    await files.put_name(admin, SEVEN, "a.gcode", "a", blob)
    with pytest.raises(Conflict):
        await files.put_name(admin, SEVEN, "parts", "parts", blob)
    with pytest.raises(Conflict):
        await files.make_folder(admin, SEVEN, "a.gcode")
    with pytest.raises(Conflict):
        await files.put_name(admin, SEVEN, "a.gcode/b.gcode", "b", blob)
    assert len(await files.names(admin, SEVEN)) == 2


async def test_a_folder_goes_with_all_below_it(files: Files, admin: Principal) -> None:
    """But not with its neighbours of a similar name."""
    blob = await files.ingest(admin, chunks(CUBE), "a.gcode")
    for path in ("p_/x.gcode", "p/x.gcode", "p/q/y.gcode", "pp.gcode"):
        await files.put_name(admin, SEVEN, path, path, blob)
    await files.put_name(admin, EIGHT, "p/x.gcode", "x", blob)
    await files.remove_name(admin, SEVEN, "p")
    assert [one.path for one in await files.names(admin, SEVEN)] == ["p_", "p_/x.gcode", "pp.gcode"]
    assert len(await files.names(admin, EIGHT)) == 2
    with pytest.raises(NotFound):
        await files.remove_name(admin, SEVEN, "p")


async def test_foreign_trees_are_not_there(files: Files, admin: Principal) -> None:
    """Neither for another organization, nor for a key of another printer (safety S25)."""
    blob = await files.ingest(admin, chunks(CUBE), "a.gcode")
    await files.put_name(admin, SEVEN, "a.gcode", "a", blob)
    stranger = replace(admin, organization_id=2)
    assert await files.names(stranger, SEVEN) == []
    for caller in (stranger, replace(admin, printer_id=8)):
        with pytest.raises(NotFound):
            await files.name(caller, SEVEN, "a.gcode")
        with pytest.raises(NotFound):
            await files.remove_name(caller, SEVEN, "a.gcode")
    with pytest.raises(NotFound):
        await files.put_name(replace(admin, printer_id=8), SEVEN, "b.gcode", "b", blob)


@pytest.mark.parametrize("path", ["../a.gcode", "", "/", "a\0.gcode"])
async def test_bad_paths_are_not_found_and_not_made(
    files: Files, admin: Principal, path: str
) -> None:
    """Reading: 404; writing: 400 (OctoPrint contract 4 and 6)."""
    blob = await files.ingest(admin, chunks(CUBE), "a.gcode")
    with pytest.raises(NotFound):
        await files.name(admin, SEVEN, path)
    with pytest.raises(Invalid):
        await files.put_name(admin, SEVEN, path, "a", blob)


async def test_a_moved_folder_takes_all_in_it_along(files: Files, admin: Principal) -> None:
    """One step: the rows stay themselves, a taken target changes nothing, a name is checked."""
    blob = await files.ingest(admin, chunks(CUBE), "a.gcode")
    for path in ("old/a.gcode", "old/in/b.gcode", "older.gcode"):
        await files.put_name(admin, SEVEN, path, path, blob)
    before = await files.name(admin, SEVEN, "old/in/b.gcode")
    moved = await files.move_name(admin, SEVEN, "old", "new/place")
    assert (moved.path, moved.display) == ("new/place", "place")
    paths = [one.path for one in await files.names(admin, SEVEN)]
    assert paths == [
        *("new", "new/place", "new/place/a.gcode", "new/place/in", "new/place/in/b.gcode"),
        "older.gcode",
    ]
    assert (await files.name(admin, SEVEN, "new/place/in/b.gcode")).id == before.id
    with pytest.raises(Conflict):
        await files.move_name(admin, SEVEN, "new", "older.gcode")
    with pytest.raises(Invalid):
        await files.move_name(admin, SEVEN, "new", "../x")


async def test_a_pools_tree_is_its_own(files: Files, admin: Principal) -> None:
    """Pool 7 and printer 7 do not meet; a key that is bound to a printer sees no pool's files."""
    blob = await files.ingest(admin, chunks(CUBE), "a.gcode")
    pool = Tree.of_pool(7)
    await files.put_name(admin, pool, "a.gcode", "a", blob)
    assert await files.names(admin, SEVEN) == []
    assert [one.tree for one in await files.names(admin, pool)] == ["pool:7"]
    with pytest.raises(NotFound):
        await files.names(replace(admin, printer_id=7), pool)
