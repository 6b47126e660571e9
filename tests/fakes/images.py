"""The images of API and bridge without an engine: what their Dockerfiles say, in a folder."""

import json
import shlex
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "infra" / "docker"
IMAGES = ("api", "bridge")


def steps(image: str) -> list[tuple[str, str]]:
    """(instruction, rest) of a Dockerfile, continuation lines joined."""
    text = (DOCKER / f"{image}.Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.split(" ", 1)[0], line.split(" ", 1)[1].strip()) for line in lines]


def final_stage(image: str) -> list[tuple[str, str]]:
    """The steps that make the image itself."""
    found = steps(image)
    last = max(number for number, (name, _) in enumerate(found) if name == "FROM")
    return found[last:]


def unpacked(image: str, to: Path) -> None:
    """What the Dockerfile copies from here, where it copies it to."""
    for name, rest in final_stage(image):
        *sources, target = shlex.split(rest)
        for source in sources:
            is_ours = name == "COPY" and source != ".venv" and (ROOT / source).is_dir()
            if is_ours and not source.startswith("--"):
                ignored = shutil.ignore_patterns("__pycache__")
                shutil.copytree(ROOT / source, to / target, ignore=ignored)


def surroundings(image: str, root: Path) -> dict[str, str]:
    """The image's own environment, with its folders below *root* and our Python."""
    [said] = [rest for name, rest in final_stage(image) if name == "ENV"]
    environ = dict(pair.split("=", 1) for pair in shlex.split(said))
    for name, value in environ.items():
        if name != "PATH" and value.startswith("/"):
            environ[name] = str(root / value.strip("/"))
    python = str(Path(sys.executable).parent)
    return {**environ, "PATH": environ["PATH"].replace("/opt/gantry/.venv/bin", python)}


def words_of(image: str, instruction: str) -> list[str]:
    """The command that *instruction* of the image gives."""
    [said] = [rest for name, rest in final_stage(image) if name == instruction]
    words: list[str] = json.loads(said.partition("CMD ")[2] or said)
    return words
