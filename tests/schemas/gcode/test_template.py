"""Placeholders of scripts: they calculate, and nothing else (safety S38)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.gcode import scripts
from schemas.gcode.template import NoValue, TemplateError, render, sample
from schemas.printer import Profile

VALUES: dict[str, float | str | None] = {
    "last_position.z": 12.4,
    "nozzle_c": 215.0,
    "bed_c": None,
    "job.name": "cube;M112\n{nozzle_c}*.gcode",
}


@pytest.mark.parametrize(
    ("line", "rendered"),
    [
        ("G28", "G28"),
        ("G1 Z{last_position.z + 5} F600", "G1 Z17.4 F600"),
        ("G1 Z{min(last_position.z+10, 2*(3+4))}", "G1 Z14"),
        ("M104 S{nozzle_c/2-0.5}", "M104 S107"),
        ("G1 Z{-last_position.z}", "G1 Z-12.4"),
        ("M117 {{x}}", "M117 {x}"),
        ("M104 S{max(nozzle_c, 1e0)}", None),
        ("M117 {job.name}", "M117 cube M112  nozzle_c  .gcode"),
    ],
)
def test_placeholders_become_numbers_and_texts(line: str, rendered: str | None) -> None:
    """A text can bring no second command, comment, checksum or placeholder with it."""
    if rendered is None:
        with pytest.raises(TemplateError):
            render(line, VALUES)
    else:
        assert render(line, VALUES) == rendered


@pytest.mark.parametrize(
    "line",
    [
        *("{7*}", "{", "}", "{}", "{nozzle_c", "{unknown.name}", "{job.name + 1}", "{1/0}"),
        *("{nozzle_c.__class__}", "{0.__class__}", "{__import__('os')}", "{% if 1 %}"),
        *("{nozzle_c[0]}", "{nozzle_c:d}", "{nozzle_c!r}", "{9**9**9}", "{lambda: 1}"),
        *("{" + "(" * 50 + "1" + ")" * 50 + "}", "{" + "9" * 300 + "}", "{min()}"),
    ],
)
def test_whatever_is_no_arithmetic_is_an_error_when_it_is_written(line: str) -> None:
    """safety S38: no attribute, no call, no format; the text says what is wrong."""
    with pytest.raises(TemplateError) as caught:
        sample(line)
    assert str(caught.value)


def test_a_value_that_nobody_knows_is_no_mistake_of_the_template() -> None:
    """It is known only when the script runs."""
    assert sample("M140 S{bed_c}") == "M140 S1.5"
    with pytest.raises(NoValue, match="bed_c"):
        render("M140 S{bed_c}", VALUES)


def test_double_braces_of_other_template_languages_are_printed() -> None:
    """safety S38: `{{7*7}}` is no question."""
    assert render("M117 {{7*7}}", VALUES) == "M117 {7*7}"


@given(st.text(alphabet="{}()+-*/.,0123456789 abnozzle_c%$;\n", max_size=60))
def test_any_text_is_rendered_or_refused(text: str) -> None:
    """Bounded, and no other exception."""
    try:
        assert len(render(text, VALUES)) <= 2000
    except (TemplateError, NoValue):
        pass


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("on_party", "G28", "no such script"),
        ("on_pause", "G28\nG1 Z{last_position.q}", "line 2"),
        ("on_cancel", "M104 S400", "400 °C"),
        ("on_resume", "M997", "line 1"),
    ],
)
def test_scripts_are_checked_when_they_are_configured(name: str, text: str, words: str) -> None:
    """Not in the middle of a night's print."""
    with pytest.raises(scripts.ScriptError, match=words):
        scripts.check({"before_print": "G28 ; home", name: text}, Profile())
