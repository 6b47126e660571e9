"""What the farm does to its own room before it starts it."""

import json
from pathlib import Path

import pytest

from infra.farm.rooms import SetupFailed, follow


def test_a_paired_bridge_follows_the_farm_to_another_port(tmp_path: Path) -> None:
    """The second `make run` may listen elsewhere; the bridge stays the same one."""
    pairing = tmp_path / "pairing.json"
    pairing.write_text('{"url":"http://127.0.0.1:8000","bridge_id":"B","name":"N"}', "utf-8")
    follow(pairing, "http://127.0.0.1:9000")
    assert json.loads(pairing.read_text("utf-8")) == {
        "url": "http://127.0.0.1:9000",
        "bridge_id": "B",
        "name": "N",
    }
    assert pairing.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "[]", "{}", "nonsense"])
def test_a_broken_pairing_is_one_clear_error(tmp_path: Path, text: str) -> None:
    """It names the file and what to do."""
    pairing = tmp_path / "pairing.json"
    pairing.write_text(text, "utf-8")
    with pytest.raises(SetupFailed, match=r"remove the folder .* and run again"):
        follow(pairing, "http://127.0.0.1:9000")
