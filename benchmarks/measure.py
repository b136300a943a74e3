"""
How the benchmarks measure, and the table that they print.

Ours and the reference take turns within one run, so that whatever else the machine does meets
both; figures are medians.  A ratio is the median of the turns' own ratios, and ``±`` is half the
distance between their quartiles: the noise.

    BENCH_CLOCK=cpu make bench

counts CPU time instead, this process's and its children's: less true, as nobody waits for disk
or server then, but the only thing that can be compared where many others use the machine.
"""

import os
import resource
import statistics
import time

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Final

import attrs

_WIDTHS: Final = (53, 15, 15, 15, 17, 4)
_UNITS: Final = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6))
_RULE: Final = "  ".join("-" * width for width in _WIDTHS)

Work = Callable[[], object]


def _cpu_time() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


_clock = _cpu_time if os.environ.get("BENCH_CLOCK") == "cpu" else time.perf_counter


@attrs.frozen
class Pair:
    """Seconds of ours and of the reference, turn by turn."""

    ours: Sequence[float]
    reference: Sequence[float]

    @property
    def our_median(self) -> float:
        """Seconds that ours takes."""
        return statistics.median(self.ours)

    @property
    def reference_median(self) -> float:
        """Seconds that the reference takes."""
        return statistics.median(self.reference)

    @property
    def slowness(self) -> "Figure":
        """How many times the reference's time ours takes."""
        turns = zip(self.ours, self.reference, strict=True)
        return Figure.of([ours / reference for ours, reference in turns])

    @property
    def speed(self) -> "Figure":
        """How many times as fast as the reference ours is."""
        turns = zip(self.ours, self.reference, strict=True)
        return Figure.of([reference / ours for ours, reference in turns])

    @property
    def overhead(self) -> "Figure":
        """How many seconds more than the reference ours takes."""
        turns = zip(self.ours, self.reference, strict=True)
        return Figure.of([ours - reference for ours, reference in turns])


@attrs.frozen
class Figure:
    """A median and its noise."""

    median: float
    noise: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Figure":
        """Return the median of *values*, and half the distance between their quartiles."""
        if len(values) == 1:
            return cls(values[0], 0.0)
        low, median, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(median, (high - low) / 2)

    def times(self) -> str:
        """Write it as a ratio."""
        return f"{self.median:.2f} ±{self.noise:.2f}"

    def more(self) -> str:
        """Write it as a difference in seconds."""
        return f"+{seconds(self.median)} ±{seconds(self.noise)}"


def timed(work: Work) -> float:
    """Return the seconds that *work* takes once."""
    begin = _clock()
    work()
    return _clock() - begin


def in_turn(ours: Work, reference: Work, *, turns: int, each: int = 1) -> Pair:
    """
    Run both in turn, and first both once for nothing.

    Args:
        each: How often each runs within its turn; times are per run.
    """

    def turn(work: Work) -> float:
        def repeated() -> None:
            for _ in range(each):
                work()

        return timed(repeated) / each

    ours()
    reference()
    times = [_both(lambda: turn(ours), lambda: turn(reference), at) for at in range(turns)]
    return Pair([first for first, _ in times], [second for _, second in times])


def _both(
    ours: Callable[[], float], reference: Callable[[], float], at: int
) -> tuple[float, float]:
    """Let each of them begin every other turn."""
    if at % 2:
        second = reference()
        return ours(), second
    return ours(), reference()


# -- What it reads like


def seconds(value: float) -> str:
    """Write a time in its unit."""
    unit, size = next((each for each in _UNITS if value >= each[1]), _UNITS[-1])
    return f"{value / size:.3g} {unit}"


def rate(value: float, what: str = "") -> str:
    """Write how many per second."""
    return f"{value:,.0f}{what}/s"


def row(
    name: str,
    *,
    ours: str,
    reference: str = "",
    ratio: str = "",
    goal: str = "",
    met: bool | None = None,
) -> None:
    """Print one line of the table; *met* is None where there is no goal."""
    cells = (name, ours, reference, ratio, goal, {True: "yes", False: "NO", None: ""}[met])
    name_width, *widths = _WIDTHS
    right = (f"{cell:>{width}}" for cell, width in zip(cells[1:], widths, strict=True))
    print(f"{name:<{name_width}}", *right, sep="  ", flush=True)


@contextmanager
def table(title: str) -> Generator[None]:
    """Print what stands above and below the lines of one script, and how busy the machine was."""
    row(title, ours="ours", reference="reference", ratio="ratio", goal="goal")
    print(_RULE, flush=True)
    yield
    load, cores = os.getloadavg()[0], os.cpu_count()
    print(f"(load {load:.1f} on {cores} cores, {_clock.__name__})\n", flush=True)
