"""Routes as they are kept for requests: matched, and hardly ever built."""

from collections.abc import Callable

from quart.routing import QuartRule


class MatchedRule(QuartRule):
    """Makes the code that builds its addresses when somebody asks for one, which nobody here does.

    Werkzeug compiles two functions for each rule beforehand: with our thousand rules a third of the
    cold start of a function, and of the start of every process.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        compiled = super()._compile_builder

        def build(rule: QuartRule, **values: object) -> tuple[str, str]:
            return compiled(append_unknown)(rule, **values)

        return build
