"""The package of a cloud function, as `sam build` has the Makefile make it; pip is a stand-in."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
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
