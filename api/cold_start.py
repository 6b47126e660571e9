"""How a cloud function starts: imported before everything else, by `api.function` alone.

Nothing that is imported becomes garbage, and looking for some among it is a tenth of a cold start.
What is there afterwards is never looked at again, at warm calls neither. Another tenth would be
Tortoise reading the source of every model for comments on its fields, which nobody here asks for.
"""

import gc

from tortoise import models

gc.disable()


def _no_comments(cls: type[models.Model]) -> dict[str, str]:
    return {}


models._get_comments = _no_comments


def over() -> None:
    """What lives until now lives as long as the process; from now on garbage is looked for."""
    gc.freeze()
    gc.enable()
