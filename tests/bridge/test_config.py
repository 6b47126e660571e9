"""Settings: where they come from, and what is said about a wrong one."""

from pathlib import Path

import pytest

from bridge.config import Config, ConfigError, load, merged, state_dir


def test_state_directory_comes_from_flag_variable_or_home(tmp_path: Path) -> None:
    """In this order."""
    variables = {"GANTRY_STATE_DIR": "/a", "XDG_STATE_HOME": "/x"}
    assert state_dir("/flag", variables) == Path("/flag")
    assert state_dir(None, variables) == Path("/a")
    assert state_dir(None, {"XDG_STATE_HOME": "/x"}) == Path("/x/gantry-bridge")
    assert state_dir(None, {}) == Path("~/.local/state/gantry-bridge").expanduser()


def test_missing_file_has_no_settings(tmp_path: Path) -> None:
    """A bridge needs no configuration."""
    assert load(tmp_path) == Config()


def test_flags_add_to_the_file(tmp_path: Path) -> None:
    """What is given twice counts once."""
    (tmp_path / "bridge.toml").write_text(
        '[[simulate]]\nurl = "virtual://a"\n[[path]]\ndevice = "/dev/a"\n'
    )
    config = merged(load(tmp_path), ["virtual://a", "virtual://b"], ["/dev/b"])
    assert config == Config(simulate=("virtual://a", "virtual://b"), paths=("/dev/a", "/dev/b"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[simulate", "bridge.toml"),
        ("[[printer]]\nx = 1", "unknown table [[printer]]"),
        ('[simulate]\nurl = "x"', "two brackets"),
        ("[[simulate]]\nurl = 5", "number 1"),
        ('[[path]]\ndevice = "/dev/a"\nbaud = 1', "exactly one setting"),
        ('[[path]]\ndevice = "ttyUSB0"', "no absolute path"),
        ("\udc80", "cannot be read"),
    ],
)
def test_wrong_settings_name_file_and_setting(tmp_path: Path, text: str, said: str) -> None:
    """The operator knows where to look."""
    (tmp_path / "bridge.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError) as caught:
        load(tmp_path)
    assert said in str(caught.value)
