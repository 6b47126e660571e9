"""Virtual time: an event loop that never waits, and processes that can die at any step.

`VirtualLoop` jumps to the next timer instead of sleeping, and runs what is meant for a thread at a
seeded moment of its own. A `Life` is one process: whatever touches the world in its name asks
`step()`, which ends it there when the seed says so. A dead life's tasks are cancelled, and nothing
that their `finally` blocks try has an effect any more: that is a kill -9, not a shutdown.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from selectors import BaseSelector
from typing import Any

_current: "ContextVar[Life | None]" = ContextVar("life", default=None)


#: So many turns of the loop in one moment mean that nobody lets time pass any more.
MAX_TURNS = 200_000
#: A real clock goes on by itself. Who is early by the last bit of a float waits for less than is
#: left of that bit here, and would do so for ever; after so many turns a moment passes.
_PATIENT_TURNS, _MOMENT_S = 10_000, 1e-6


class Killed(BaseException):
    """This process is dead: nothing it does has an effect any more."""


class Stuck(RuntimeError):
    """Nothing will ever happen again in this simulation."""


class _NoFiles(BaseSelector):
    """A selector without files: waiting is letting virtual time pass."""

    def __init__(self) -> None:
        self.now = 0.0
        self._turns = 0  # since time went on

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise Stuck("no timer and no task is left")
        before, self.now = self.now, self.now + max(0.0, timeout)
        self._turns = 0 if self.now > before else self._turns + 1
        if self._turns > _PATIENT_TURNS:
            self.now += _MOMENT_S
        if self._turns > MAX_TURNS:
            raise Stuck(f"somebody turns in circles at {self.now:.3f} s")
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> Any:
        return None

    def unregister(self, fileobj: Any) -> Any:
        return None

    def get_map(self) -> Any:
        return {}

    def get_key(self, fileobj: Any) -> Any:
        raise KeyError(fileobj)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time jumps; *rng* says how long the disk takes. *failures*: exceptions nobody took."""

    def __init__(self, rng: random.Random) -> None:
        self._virtual = _NoFiles()
        super().__init__(self._virtual)
        self._rng = rng
        self._busy_until: dict[int, float] = {}
        self.failures: list[str] = []
        self.set_task_factory(_make_task)  # type: ignore[arg-type]
        self.set_exception_handler(self._failed)

    def time(self) -> float:
        return self._virtual.now

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Run *func* after a while; one executor does one thing after another."""
        future: asyncio.Future[Any] = self.create_future()
        begin = max(self.time(), self._busy_until.get(id(executor), 0.0))
        end = begin + self._rng.choice((1e-6, 0.001, 0.004, 0.02))
        self._busy_until[id(executor)] = end
        self.call_at(end, self._run, future, func, args)
        return future

    def _run(self, future: asyncio.Future[Any], func: Callable[..., Any], args: Any) -> None:
        life = _current.get()
        if life is not None and not life.alive:
            return
        try:
            result = func(*args)
        except Killed:
            return
        except Exception as error:  # noqa: BLE001 - it is the future's
            if not future.done():
                future.set_exception(error)
            return
        if not future.done():
            future.set_result(result)

    def _failed(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if not isinstance(error, Killed | asyncio.CancelledError | BaseExceptionGroup):
            self.failures.append(f"{context.get('message')}: {error!r}")


class Life:
    """One process, from its start to its death."""

    def __init__(self, name: str, on_death: Callable[["Life"], None]) -> None:
        self.name = name
        self.alive = True
        self.tasks: dict[asyncio.Task[Any], None] = {}
        self.crash_in: int | None = None  # steps until it dies by itself
        self._on_death = on_death
        self.context = copy_context()
        self.context.run(_current.set, self)

    def check(self) -> None:
        """Raises `Killed` in a dead process."""
        if not self.alive:
            raise Killed(self.name)

    def step(self) -> None:
        """One more thing is about to be done, or has just been done."""
        self.check()
        if self.crash_in is not None:
            self.crash_in -= 1
            if self.crash_in <= 0:
                self.kill()
                raise Killed(self.name)

    def kill(self) -> None:
        """End it between two steps."""
        if self.alive:
            self.alive = False
            self._on_death(self)

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> "asyncio.Task[Any]":
        """Run *work* in this process."""
        return asyncio.get_running_loop().create_task(work, name=name, context=self.context.copy())

    async def reap(self) -> None:
        """Wait until nothing of a dead process moves."""
        while self.tasks:
            for task in tuple(self.tasks):
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)


def current_life() -> Life | None:
    """The process in whose name this runs; None: the world itself."""
    return _current.get()


def check_alive() -> None:
    """Raises `Killed` when this runs in the name of a dead process."""
    life = _current.get()
    if life is not None:
        life.check()


def _make_task(
    loop: asyncio.AbstractEventLoop,
    work: Coroutine[Any, Any, Any],
    *,
    context: Context | None = None,
    **more: Any,
) -> "asyncio.Task[Any]":
    task = asyncio.Task(work, loop=loop, context=context, **more)
    life = _current.get() if context is None else context.get(_current)
    if life is not None:
        life.tasks[task] = None
        task.add_done_callback(lambda done: life.tasks.pop(done, None))
    return task
