"""One progress bar for a whole job, however the job is split into parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
_whole: ContextVar[Any] = ContextVar("whole", default=None)


@contextmanager
def whole_job(total: int, name: str, unit: str, disable: bool = False) -> Iterator[Any]:
    """One bar on which all work within the block counts; the parts show no bars of their own.

    disable: show none at all.
    """
    with tqdm(total=total, desc=name, unit=unit, disable=disable) as bar:
        token = _whole.set(bar)
        try:
            yield bar
        finally:
            _whole.reset(token)


@contextmanager
def progress(total: int, name: str, unit: str, disable: bool = False) -> Iterator[Any]:
    """The bar to count on: the whole job's where there is one, otherwise one for these items alone."""
    whole = _whole.get()
    if whole is not None:
        yield whole
        return
    with tqdm(total=total, desc=name, unit=unit, disable=disable) as bar:
        yield bar


def counted(items: Iterable[Item], total: int, name: str, unit: str, disable: bool = False) -> Iterator[Item]:
    """The items one by one; each counts once the next is asked for."""
    with progress(total, name, unit, disable) as bar:
        for item in items:
            yield item
            bar.update()


def count_as_done(items: int) -> None:
    """Count items of the whole job that an earlier run has done; they do not affect the rate shown."""
    bar = _whole.get()
    if bar is not None:
        bar.n += items
        bar.initial += items
        # What the bar measures its rate from.
        bar.last_print_n += items
        bar.refresh()
