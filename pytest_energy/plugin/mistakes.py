"""Mistakes in the use of the fixture, each answered in a sentence: what is wrong, the value, what to do.

Rule 1: the first line is what is wrong, as pytest's short summary shows no more.
"""

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from textwrap import fill
from typing import TYPE_CHECKING, NoReturn, TypeVar

from pytest_energy.codec import kind_of
from pytest_energy.errors import EnergyError
from pytest_energy.quantities import Count
from pytest_energy.spelling import did_you_mean, nearest
from pytest_energy.work import runner_of

F = TypeVar("F", bound=Callable[..., object])

UNUSED = "the test takes the fixture energy, but calls neither energy.measure nor energy.window"

_CALLED = "energy is not a function.\nMeasure one with energy.measure(function, argument)."
_ENTERED = 'energy is not a context manager.\nMeasure a block with energy.window("name").'


class EnergyAttributeError(EnergyError, AttributeError):
    """The fixture has no such attribute."""


EnergyAttributeError.__module__ = "pytest_energy"


def check_function(value: object, method: str, name: str = "work") -> None:
    """Refuse what can't be called in place of a function.

    Args:
        value: What was given.
        method: Of the fixture.
        name: Of its argument.

    Raises:
        EnergyError: *value* can't be called.
    """
    if callable(value):
        return
    what, example = f"a function as {name}=", f"work, {name}=functools.partial(step, batch)"
    if name == "work":
        what, example = "a function", "function, argument"
    if (runner := runner_of(value)) is not None:
        example = f"lambda: {runner}"
    raise EnergyError(
        f"energy.{method} takes {what}. Got {kind_of(value)}.\nWrite energy.{method}({example})."
    )


def check_names(work: Callable[..., object], args: Iterable[object], kwargs: Mapping[str, object]) -> None:
    """Refuse a misspelt argument of `energy.measure` that *work* doesn't take.

    Raises:
        EnergyError: A name of *kwargs* is like one of ours, and *work* can't be called with it.
    """
    misspelt = [name for name in kwargs if nearest(name, ("samples", "traced"))] if kwargs else []
    if not misspelt:
        return
    try:
        inspect.signature(work).bind(*args, **kwargs)
    except TypeError as error:
        hint = did_you_mean(misspelt[0], ("samples", "traced")).strip()
        raise EnergyError(f"can't call the function: {error}.\n{hint}") from None
    except ValueError:  # a builtin that has no signature
        return


def sample_count(value: object) -> int | None:
    """The samples that were given, or `None`.

    Raises:
        EnergyError: They are no whole number, or below 1.
    """
    try:
        return None if value is None else Count(1)(value)
    except ValueError as error:
        raise EnergyError(f"samples {error}") from None


def model_name(value: object) -> str:
    """The name that a model was given.

    Raises:
        EnergyError: It is no text, or empty.
    """
    if not isinstance(value, str) or not value:
        raise EnergyError(f"energy.model takes a text as name=. Got {kind_of(value)}.")
    return value


def window_name(value: object) -> str:
    """The name that a window was given.

    Raises:
        EnergyError: It is no text, or empty.
    """
    if not isinstance(value, str) or not value:
        raise EnergyError(
            f'energy.window takes a name. Got {kind_of(value)}.\nWrite: with energy.window("name"):'
        )
    return value


def called_right(method: F) -> F:
    """*method* of the fixture, which answers a call with wrong arguments by naming the right ones."""

    @wraps(method)
    def call(*args: object, **kwargs: object) -> object:
        try:
            return method(*args, **kwargs)
        except TypeError as error:
            entry = error.__traceback__
            if entry is None or entry.tb_next is not None:  # from inside of the method
                raise
        _refuse_call(method, args, kwargs)

    return call  # type: ignore[return-value]  # the same signature


def _refuse_call(
    method: Callable[..., object], args: Iterable[object], kwargs: Mapping[str, object]
) -> NoReturn:
    signature = inspect.signature(method)
    try:
        signature.bind(*args, **kwargs)
        because = "it can't be called with these arguments"
    except TypeError as error:
        because = str(error)
    unknown = (name for name in kwargs if name not in signature.parameters)
    hint = "".join(did_you_mean(name, signature.parameters) for name in unknown)
    usage = fill(f"energy.{method.__name__}{_shown(signature)}", 72)
    raise EnergyError(f"{because}.{hint}\nThe call is:\n{usage}")


def _shown(signature: inspect.Signature) -> str:
    """*signature* as a test writes the call: without `self` and types."""
    empty = inspect.Signature.empty
    parameters = [one.replace(annotation=empty) for one in signature.parameters.values()]
    return str(signature.replace(parameters=parameters[1:], return_annotation=empty))


class Guarded:
    """Errors for misuse: the fixture called, entered as a block, or asked for a misspelt name."""

    __slots__ = ()

    if not TYPE_CHECKING:  # a type checker refuses all of these by itself

        def __call__(self, *_: object, **__: object) -> NoReturn:
            raise EnergyError(_CALLED)

        def __enter__(self) -> NoReturn:
            raise EnergyError(_ENTERED)

        async def __aenter__(self) -> NoReturn:
            raise EnergyError(_ENTERED)

        def __exit__(self, *error: object) -> None:
            """Never reached; Python looks for it before it enters."""

        async def __aexit__(self, *error: object) -> None:
            """As `__exit__`."""

        def __getattr__(self, name: str) -> NoReturn:
            hint = ""
            if not name.startswith("__"):  # what Python and pytest look for
                names = [one for one in dir(type(self)) if not one.startswith("_")]
                hint = did_you_mean(name, names) or f" It has {', '.join(names)}."
            raise EnergyAttributeError(f"energy has no attribute {name!r}.{hint}")
