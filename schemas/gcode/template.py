"""Placeholders in G-code scripts: `G1 Z{last_position.z + 5} F600` (serial 9, safety S38).

A language of its own that can do nothing but look up a name from a fixed list and calculate:
`+ - * /`, parentheses, `min(a, b)`, `max(a, b)`. Nothing is executed, there are no attributes and
no loops, and what a name stands for is never read as a template again. `{{` is a brace.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

#: What a placeholder may be called. Numbers, except for TEXTS.
POSITION = ("last_position.x", "last_position.y", "last_position.z", "last_position.e")
NUMBERS = frozenset(
    {
        *POSITION,
        "last_position.f",
        *("nozzle_c", "bed_c", "chamber_c"),
        *(f"tool{tool}_c" for tool in range(16)),
        *("tool", "fan_percent", "feed_percent", "flow_percent"),
        *("job.size_bytes", "job.progress", "job.print_time_s", "job.layer"),
        *("profile.width_mm", "profile.depth_mm", "profile.height_mm", "profile.extruders"),
    }
)
TEXTS = frozenset({"job.name", "printer.name", "reason"})

#: A text that is longer than this is cut: it ends in M117 or a comment of the printer.
MAX_TEXT_CHARS = 60
_MAX_EXPRESSION_CHARS = 200
_MAX_DEPTH = 10
_MAX_VALUE = 1e9
_TOKEN = re.compile(r"\s*(?:(\d+\.?\d*|\.\d+)|([A-Za-z_][\w.]*)|([-+*/(),]))")
_BRACE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_UNSAFE = re.compile(r"[^ -~]|[;*{}\\]")

Values = Mapping[str, float | str | None]


class TemplateError(ValueError):
    """The template cannot be used; the text says why, for who wrote it."""


class NoValue(LookupError):
    """The placeholder *name* has no value now; nothing is wrong with the template."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{{{name}}} is not known now")
        self.name = name


def render(line: str, values: Values) -> str:
    """*line* with its placeholders replaced.

    Raises `TemplateError` for what is no template, `NoValue` for a name without a value.
    """

    def replaced(match: re.Match[str]) -> str:
        token = match[0]
        if token in ("{{", "}}"):
            return token[0]
        if match[1] is None:
            raise TemplateError(f"there is a brace without its partner in {line!r}")
        return _evaluate(match[1], values)

    return _BRACE.sub(replaced, line)


def sample(line: str) -> str:
    """*line* as it may come out some day. Raises `TemplateError` when it never can."""
    values: dict[str, float | str | None] = {name: 1.5 for name in NUMBERS}
    values.update(dict.fromkeys(TEXTS, "text"))
    return render(line, values)


def _evaluate(expression: str, values: Values) -> str:
    if len(expression) > _MAX_EXPRESSION_CHARS:
        raise TemplateError(f"a placeholder is longer than {_MAX_EXPRESSION_CHARS} characters")
    name = expression.strip()
    if name in TEXTS:
        text = values.get(name)
        if text is None:
            raise NoValue(name)
        return _UNSAFE.sub(" ", str(text))[:MAX_TEXT_CHARS]
    return _written(_Calculation(expression, values).value())


def _written(value: float) -> str:
    """As firmwares read numbers: no exponent, three decimals at most."""
    text = f"{value:.3f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


@dataclass(frozen=True, slots=True)
class _Token:
    number: float | None
    name: str
    sign: str


def _tokens(expression: str) -> Iterator[_Token]:
    position, end = 0, len(expression.rstrip())
    while position < end:
        match = _TOKEN.match(expression, position)
        if match is None:
            raise TemplateError(f"{{{expression}}} cannot be read at {expression[position:]!r}")
        position = match.end()
        number = float(match[1]) if match[1] else None
        yield _Token(number, match[2] or "", match[3] or "")


class _Calculation:
    """Recursive descent over one expression."""

    def __init__(self, expression: str, values: Values) -> None:
        self._text = expression
        self._values = values
        self._tokens = list(_tokens(expression))
        self._at = 0
        self._depth = 0

    def value(self) -> float:
        """The whole expression."""
        result = self._sum()
        if self._at < len(self._tokens):
            raise self._wrong()
        if not abs(result) <= _MAX_VALUE:  # also not for what is no number
            raise TemplateError(f"{{{self._text}}} is out of range")
        return result

    def _sum(self) -> float:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise TemplateError(f"{{{self._text}}} is nested too deeply")
        result = self._product()
        while (sign := self._sign("+-")) is not None:
            right = self._product()
            result = result + right if sign == "+" else result - right
        self._depth -= 1
        return result

    def _product(self) -> float:
        result = self._factor()
        while (sign := self._sign("*/")) is not None:
            right = self._factor()
            if sign == "/" and right == 0.0:
                raise TemplateError(f"{{{self._text}}} divides by zero")
            result = result * right if sign == "*" else result / right
        return result

    def _factor(self) -> float:
        minus = False
        while (sign := self._sign("+-")) is not None:
            minus ^= sign == "-"
        result = self._operand()
        return -result if minus else result

    def _operand(self) -> float:
        if self._at >= len(self._tokens):
            raise self._wrong()
        token = self._tokens[self._at]
        self._at += 1
        if token.number is not None:
            return token.number
        if token.sign == "(":
            result = self._sum()
            self._expect(")")
            return result
        if token.name in ("min", "max"):
            return self._function(token.name)
        return self._named(token.name)

    def _function(self, name: str) -> float:
        self._expect("(")
        results = [self._sum()]
        while self._sign(",") is not None:
            results.append(self._sum())
        self._expect(")")
        return min(results) if name == "min" else max(results)

    def _named(self, name: str) -> float:
        if name not in NUMBERS:
            if not name:
                raise self._wrong()
            known = ", ".join(sorted(NUMBERS | TEXTS))
            why = "a text stands alone" if name in TEXTS else f"there are {known}"
            raise TemplateError(f"{{{self._text}}}: no number is called {name}; {why}")
        value = self._values.get(name)
        if value is None:
            raise NoValue(name)
        return float(value)

    def _sign(self, signs: str) -> str | None:
        if self._at < len(self._tokens) and self._tokens[self._at].sign:
            sign = self._tokens[self._at].sign
            if sign in signs:
                self._at += 1
                return sign
        return None

    def _expect(self, sign: str) -> None:
        if self._sign(sign) is None:
            raise self._wrong()

    def _wrong(self) -> TemplateError:
        return TemplateError(f"{{{self._text}}} is no expression")
