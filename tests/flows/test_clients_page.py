"""docs/clients.md is true: every `$ curl` of it runs against a farm and says what stands there."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from infra.farm.started import StartedFarm
from tests.flows.conftest import DATA, ROOT, Faces, eventually

pytestmark = [pytest.mark.flow, pytest.mark.timeout(180)]

PAGE = ROOT / "docs" / "clients.md"
WRITTEN_FOR = ("http://127.0.0.1:18555", "/octoprint/sim1")
_BLOCK = re.compile(r"```console\n(.*?)```", re.DOTALL)
_SECRET = re.compile(r"[A-Za-z0-9_-]{40,}")
SKIPPED = "…"


@dataclass(frozen=True)
class Example:
    """One command of the page, and the lines that it is said to answer."""

    command: str
    said: tuple[str, ...]

    @property
    def needs_print(self) -> bool:
        return "# while it prints" in self.command

    @property
    def cancels(self) -> bool:
        return '"command": "cancel"' in self.command


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartedFarm]:
    """The page's farm; a print takes long enough to be met."""
    directory = tmp_path_factory.mktemp("farm")
    with StartedFarm(directory, "--printers", "1", "--speed", "10", "--no-demo-job") as started:
        yield started


def examples() -> Iterator[Example]:
    for block in _BLOCK.findall(PAGE.read_text("utf-8")):
        for piece in re.split(r"(?m)^\$ ", block)[1:]:
            lines = piece.rstrip("\n").split("\n")
            ends = next(at for at, line in enumerate(lines) if not line.endswith("\\"))
            command = "\n".join(lines[: ends + 1])
            if command.startswith("curl "):
                yield Example(command, tuple(lines[ends + 1 :]))


def has_said(said: tuple[str, ...], heard: list[str]) -> bool:
    """Whether *heard* is what the page says, where `…` stands for any lines."""
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == SKIPPED else re.escape(line) + r"\n" for line in said
    )
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in heard)) is not None


def plain(text: str, faces: Faces) -> list[str]:
    """What was heard as the page writes it: another address, and no secret that is the same."""
    url = urlsplit(faces.printer["octoprint_url"])
    there = text.replace(f"http://{url.netloc}", WRITTEN_FOR[0]).replace(url.path, WRITTEN_FOR[1])
    return _SECRET.sub("<secret>", there).splitlines()


def settled(faces: Faces, state: str) -> None:
    """The printer is in *state*."""
    eventually(lambda: faces.get_octoprint("/api/job")["state"] == state, 60.0, state)


def test_what_the_page_shows_is_what_is_answered(faces: Faces, tmp_path: Path) -> None:
    """In the page's order, with the people that it names; bash and curl as its reader has them."""
    for name in ("mara", "nora"):
        person = {"name": name, "password": "Correct-horse-7", "active": True}
        groups = {"groups": ["readonly"]} if name == "mara" else {}
        path = "/api/access/users"
        made = faces.octoprint.post(
            path, json={**person, **groups}, headers={"X-Api-Key": faces.farm.ready["token"]}
        )
        assert made.status_code == 200, made.text
    for file in (DATA / "cube_small.gcode", ROOT / "README.md"):
        shutil.copy(file, tmp_path)
    environment = {
        "PATH": os.environ["PATH"],
        "URL": faces.printer["octoprint_url"],
        "KEY": faces.printer["octoprint_key"],
        "TOKEN": faces.farm.ready["token"],
    }
    shown = list(examples())
    assert len(shown) >= 12
    for example in shown:
        if example.needs_print:
            sent = {"file": ("cube_small.gcode", (DATA / "cube_small.gcode").read_bytes())}
            settled(faces, "Operational")
            faces.octoprint.post("/api/files/local", files=sent, data={"print": "true"})
            settled(faces, "Printing")
        if example.cancels:
            settled(faces, "Printing")
        command = example.command.replace(WRITTEN_FOR[0], faces.farm.ready["url"])
        ran = subprocess.run(
            ["bash", "-c", command.replace("curl ", "curl -sS ", 1)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        said = tuple(_SECRET.sub("<secret>", line) for line in example.said)
        heard = plain(ran.stdout, faces)
        assert has_said(said, heard), f"{example.command}\n{ran.stdout}"
        if example.needs_print:
            faces.octoprint.post("/api/job", json={"command": "cancel"})
        if example.needs_print or example.cancels:
            settled(faces, "Operational")
