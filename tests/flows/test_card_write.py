"""A file goes to a simulated printer's own card, over the whole way and both faces."""

from collections.abc import Iterator

import httpx
import pytest

from infra.farm.started import StartedFarm
from tests.fakes.migrated import sqlite_into
from tests.flows.conftest import Faces, eventually

pytestmark = [pytest.mark.flow, pytest.mark.timeout(180)]

SMALL = "".join(f"G1 X{20 + at % 100} Y{20 + at % 90} F900\n" for at in range(2000))
#: Long enough on its way that somebody can look at it and change their mind.
LARGE = "".join(f"G1 X{20 + at % 100}.{at % 10} Y{at % 90} F900 ; {at}\n" for at in range(600_000))


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faces]:
    directory = tmp_path_factory.mktemp("card")
    sqlite_into(directory / "data")
    options = ("--printers", "1", "--no-demo-job", "--speed", "2", "--card", "OLD.GCO:4000")
    with StartedFarm(directory, *options) as farm:
        found = Faces(farm)
        mounted = found.octoprint.post("/api/printer/sd", json={"command": "init"})
        assert mounted.status_code == 204, mounted.text
        eventually(lambda: listed(found), 10.0, "the card's list")
        yield found
        found.close()


def listed(faces: Faces) -> list[str]:
    """What is on the card, in lower case."""
    found = faces.get_octoprint("/api/files/sdcard")["files"]
    return sorted(str(each["name"]).lower() for each in found)


def state(faces: Faces) -> str:
    return str(faces.get_octoprint("/api/job")["state"])


def upload(faces: Faces, name: str, text: str, **fields: str) -> httpx.Response:
    files = {"file": (name, text.encode())}
    return faces.octoprint.post("/api/files/sdcard", files=files, data=fields)


def cancel(faces: Faces) -> None:
    answer = faces.octoprint.post("/api/job", json={"command": "cancel"})
    assert answer.status_code == 204, answer.text


def test_a_file_is_sent_and_printed_from_the_card(faces: Faces) -> None:
    """`print`: when it is there whole, the printer starts it by itself, from its card."""
    answer = upload(faces, "a small part.gcode", SMALL, print="true")
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert (told["done"], told["effectivePrint"]) == (False, True)
    assert told["files"]["sdcard"]["name"] == "a_smal~1.gco"
    eventually(lambda: state(faces) == "Printing from SD", 60.0, "the print from the card")
    assert "a_smal~1.gco" in listed(faces)
    file = faces.get_octoprint("/api/job")["job"]["file"]
    assert (file["name"].lower(), file["origin"]) == ("a_smal~1.gco", "sdcard")
    cancel(faces)
    eventually(lambda: state(faces) == "Operational", 30.0, "the end of the print")


def test_a_file_is_looked_at_and_cancelled_on_its_way(faces: Faces) -> None:
    """State and progress meanwhile; after the cancel nothing of it is on the card."""
    before = listed(faces)
    answer = upload(faces, "large.gcode", LARGE)
    assert answer.status_code == 201, answer.text
    eventually(lambda: state(faces) == "Sending file to SD", 60.0, "the beginning")
    at = f"/printers/{faces.printer['id']}"
    assert faces.get_v1(at)["state"] == "transferring"

    def completion() -> float:
        return float(faces.get_octoprint("/api/job")["progress"]["completion"] or 0.0)

    first = eventually(completion, 30.0, "progress")
    eventually(lambda: completion() > first, 30.0, "more of it")
    refused = faces.octoprint.post("/api/printer/command", json={"command": "G28"})
    assert refused.status_code == 409, refused.text
    sending = faces.get_v1(f"{at}/sd-files")["sending"]
    assert (sending["name"], sending["file_path"]) == ("large.gco", "large.gcode")
    cancel(faces)
    eventually(lambda: state(faces) == "Operational", 30.0, "the end")
    eventually(lambda: listed(faces) == before, 10.0, "the list as it was")
    assert faces.get_v1(f"{at}/sd-files")["sending"] is None
    assert not [line for line in faces.executed() if line.startswith("G28")]


def test_a_file_that_is_here_is_sent_and_selected(faces: Faces) -> None:
    """`uploadSd`, then the job's start prints it."""
    files = {"file": ("part.gcode", SMALL.encode())}
    assert faces.octoprint.post("/api/files/local", files=files).status_code == 201
    body = {"command": "uploadSd", "select": True}
    answer = faces.octoprint.post("/api/files/local/part.gcode", json=body)
    assert answer.status_code == 201, answer.text
    eventually(lambda: "part.gco" in listed(faces), 60.0, "the file on the card")
    eventually(lambda: state(faces) == "Operational", 10.0, "the end")
    file = faces.get_octoprint("/api/job")["job"]["file"]
    assert (file["path"], file["origin"]) == ("part.gco", "sdcard")
    size = len(SMALL.encode())
    entry = faces.get_octoprint("/api/files/sdcard/part.gco")
    assert 0.9 * size <= entry["size"] <= 1.1 * size
