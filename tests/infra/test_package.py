"""What is deployed brings its bytecode: the package of a function, and the images.

A package is made by the Makefile, as `sam build` has it made; pip is a stand-in. Whoever runs
either can write nothing beside the code.
"""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.images import IMAGES, ROOT, final_stage, steps, surroundings, unpacked

THIS = f"{sys.version_info.major}.{sys.version_info.minor}"
UNCHECKED = (1).to_bytes(4, "little")  # the flags of bytecode that never looks at its source

#: The virtual environment's Python: it "installs" one package, all else is done by the real one.
_PYTHON = """#!/bin/sh
if [ "$2" = pip ]; then
  while [ "$1" != --target ]; do shift; done
  mkdir -p "$2/quart" && echo 'VERSION = 1' > "$2/quart/__init__.py"
else exec {python} "$@"; fi
"""
_FUNCTION = "import quart\nimport schemas\n\n\ndef http():\n    raise ValueError(quart.VERSION)\n"


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """A small Gantry, ready to be packed."""
    venv = tmp_path / ".venv" / "bin"
    venv.mkdir(parents=True)
    for name, text in (
        ("python", _PYTHON.format(python=sys.executable)),
        ("pipenv", "#!/bin/sh\necho quart==1\n"),
    ):
        (venv / name).write_text(text)
        (venv / name).chmod(0o755)
    (tmp_path / "Pipfile.lock").touch()
    (venv.parent / ".pipenv").touch()
    stale = Path("api/__pycache__/function.cpython-39.pyc")
    for name, text in (
        ("schemas/__init__.py", ""),
        ("api/__init__.py", ""),
        ("api/function.py", _FUNCTION),
        (str(stale), "of the machine that it was built on"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def packed(sources: Path, runtime: str) -> tuple[Path, str]:
    """The package for *runtime*, and what the build said to whoever ran it."""
    package = sources / "package"
    package.mkdir()
    made = [f"ARTIFACTS_DIR={package}", f"RUNTIME={runtime}"]
    command = ["make", "-s", "-f", str(ROOT / "Makefile"), "build-HttpFunction", *made]
    clean = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        command, cwd=sources, env=clean, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return package, done.stderr


def test_a_package_brings_bytecode_that_asks_for_no_source(sources: Path) -> None:
    """Where it is unpacked nothing can be written, and its files have other times than here."""
    package, said = packed(sources, THIS)
    assert said == ""
    modules = list(package.rglob("*.py"))
    assert len(modules) == 4
    caches = {Path(importlib.util.cache_from_source(str(module))) for module in modules}
    assert caches == set(package.rglob("*.pyc")), "and none of another Python"
    assert {cache.read_bytes()[4:8] for cache in caches} == {UNCHECKED}
    (package / "quart" / "__init__.py").write_text("VERSION = 'compiled at the start'\n")
    code = "import api.function; api.function.http()"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=package, capture_output=True, text=True, check=False
    )
    assert "ValueError: 1" in done.stderr
    assert "raise ValueError(quart.VERSION)" in done.stderr, "a trace shows its lines"


def test_a_package_without_that_python_is_whole_and_the_build_says_what_it_costs(
    sources: Path,
) -> None:
    """Nothing is compiled by another Python: it would be of no use, and a third of the package."""
    package, said = packed(sources, "3.99")
    assert "python3.99" in said and "cold start" in said
    assert len(list(package.rglob("*.py"))) == 4
    assert not list(package.rglob("*.pyc"))


def test_packages_are_built_for_the_python_that_runs_them() -> None:
    """The Makefile's RUNTIME is the template's Runtime."""
    [built] = re.findall(r"^RUNTIME := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    template = (ROOT / "infra" / "aws" / "template.yaml").read_text()
    assert re.findall(r"Runtime: (\S+)", template) == [f"python{built}"]


@pytest.mark.flow
@pytest.mark.parametrize("image", IMAGES)
def test_an_image_brings_the_bytecode_of_all_it_imports(image: str, tmp_path: Path) -> None:
    """Ours, the packages' and the library's own, which the base image has thrown away."""
    unpacked(image, tmp_path)
    for other in ("library", ".venv/lib"):
        (tmp_path / other).mkdir(parents=True)
        (tmp_path / other / "module.py").write_text("")
    made = [rest for name, rest in final_stage(image) if name == "RUN" and "compileall" in rest]
    [command] = [re.sub(r'"\$\(python -c .*?\)"', "library", rest) for rest in made]
    environ = surroundings(image, tmp_path)
    subprocess.run(["sh", "-ec", command], cwd=tmp_path, env=environ, check=True)
    modules = list(tmp_path.rglob("*.py"))
    assert {module.relative_to(tmp_path).parts[0] for module in modules} == {
        *(image, "schemas", "library", ".venv")
    }
    caches = [Path(importlib.util.cache_from_source(str(module))) for module in modules]
    assert {cache.read_bytes()[4:8] for cache in caches} == {UNCHECKED}


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_compiles_as_root_and_after_its_last_copy(image: str) -> None:
    """Before that there is nothing to compile, and afterwards nothing can be written."""
    told = [f"{name} {rest}" for name, rest in final_stage(image)]
    [compiled] = [number for number, step in enumerate(told) if "compileall" in step]
    copied = [number for number, step in enumerate(told) if step.startswith("COPY ")]
    assert max(copied) < compiled < told.index("USER gantry")
    assert "os.path.dirname(os.__file__)" in told[compiled]


def test_an_engine_is_given_what_images_are_made_of_and_nothing_else() -> None:
    """Everything is kept back (data, keys, the packages of this machine) but what is copied."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    kept = [line for line in lines if not line.startswith("#")]
    named = {
        source
        for image in IMAGES
        for name, rest in steps(image)
        if name == "COPY" and not rest.startswith("--")
        for source in rest.split()[:-1]
    }
    assert kept[0] == "*"
    assert {line for line in kept if line.startswith("!")} == {f"!{source}" for source in named}
    assert kept[-1] == "**/__pycache__"
