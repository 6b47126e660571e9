"""Whether a folder can be written: tried, as rights, mounts and full disks differ."""

import tempfile
from pathlib import Path


def make_writable(folder: Path) -> None:
    """Make *folder* and try a file in it; processes may start on it together. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder):
        pass
