"""The farm's command line: what it takes, and what it says to what it does not."""

from pathlib import Path

import pytest

from infra.farm.options import Attached, parse


def test_newcomer_gets_two_printers_at_twenty_times_speed() -> None:
    """Without arguments the first print ends within a minute."""
    options = parse([])
    assert (options.printers, options.speed, options.port) == (2, 20.0, 8000)
    assert options.demo_job
    assert options.data == Path("data").absolute()


def test_attach_takes_name_device_and_baud() -> None:
    """Several devices, with and without a baud rate."""
    options = parse(["--attach", "a=/dev/ttyUSB0@115200", "--attach", "b=/dev/pts/3"])
    assert options.attach == (Attached("a", "/dev/ttyUSB0", 115200), Attached("b", "/dev/pts/3", 0))


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--attach", "/dev/ttyUSB0"], "NAME=/dev/path"),
        (["--attach", "a=ttyUSB0"], "NAME=/dev/path"),
        (["--attach", "a=/dev/ttyUSB0@fast"], "baud rate"),
        (["--attach", "a=/dev/a", "--attach", "a=/dev/b"], "its own name"),
        (["--port", "70000"], "65535"),
        (["--printers", "-1"], "0 to 100"),
        (["--speed", "nan"], "real time"),
    ],
)
def test_wrong_arguments_say_what_is_wanted(
    arguments: list[str], word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 2 and a line that tells what to write."""
    with pytest.raises(SystemExit) as ended:
        parse(arguments)
    assert ended.value.code == 2
    assert word in capsys.readouterr().err


def test_url_names_this_machine_when_listening_everywhere() -> None:
    """0.0.0.0 is no address to call."""
    assert parse(["--host", "0.0.0.0"]).url == "http://127.0.0.1:8000"


def test_admin_password_may_come_from_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A password need not stand in the process list."""
    secret = tmp_path / "password"
    secret.write_text("from a file 9A\n", encoding="utf-8")
    monkeypatch.setenv("GANTRY_ADMIN_PASSWORD_FILE", str(secret))
    assert parse([]).admin_password == "from a file 9A"
