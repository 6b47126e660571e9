"""How a cloud function starts: imported before everything else, by `api.function` alone.

Nothing that is imported becomes garbage, and looking for some among it is a tenth of a cold start.
What is there afterwards is never looked at again, at warm calls neither. Another tenth would be
Tortoise reading the source of every model, its own base first, for comments on their fields, and
compiling the patterns of domain names that it validates: nobody here asks for either.
"""

import gc
import inspect
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

gc.disable()


class _Later:
    """A compiled pattern, once somebody uses it."""

    def __init__(self, *given: Any) -> None:
        self._given = given

    def __getattr__(self, name: str) -> Any:
        return getattr(re.compile(*self._given), name)


@contextmanager
def _only_what_is_used() -> Iterator[None]:
    """In this block no class has a source, and the patterns of Tortoise's validators wait."""
    get_source, compile_now = inspect.getsource, re.compile

    def no_source(thing: object) -> NoReturn:
        raise OSError(f"nobody reads the source of {thing}")

    def compile_(*given: Any) -> Any:
        asks = sys._getframe(1).f_globals.get("__name__")
        return _Later(*given) if asks == "tortoise.validators" else compile_now(*given)

    inspect.getsource, re.compile = no_source, compile_  # type: ignore[assignment]
    try:
        yield
    finally:
        inspect.getsource, re.compile = get_source, compile_now


with _only_what_is_used():
    from tortoise import models


def _no_comments(cls: type[models.Model]) -> dict[str, str]:
    return {}


models._get_comments = _no_comments


def over() -> None:
    """What lives until now lives as long as the process; from now on garbage is looked for."""
    gc.freeze()
    gc.enable()
