"""Importing the library beside importing what it depends on, each in a fresh process."""

import os
import subprocess
import sys

from functools import partial
from statistics import median
from typing import Final

from measure import Figure, row, seconds, table, timed

ROUNDS: Final = 31
GOAL_RATIO: Final = 1.6
GOAL_MORE: Final = 75e-3
CODES: Final = {
    "bare": "pass",
    "dependencies": "import argon2, attrs, itsdangerous",
    "ours": "import parentauth",
}
# The first run leaves bytecode for the others, as an installation does.
ENVIRONMENT: Final = {
    name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
}


def run(code: str) -> None:
    """Run *code* in a Python of its own."""
    subprocess.run([sys.executable, "-c", code], check=True, env=ENVIRONMENT)  # noqa: S603


with table("import"):
    for warm in CODES.values():
        run(warm)
    # The three take turns; what counts is what each needs more than bare Python did just before.
    times = [
        {name: timed(partial(run, code)) for name, code in CODES.items()} for _ in range(ROUNDS)
    ]
    bare = median(each["bare"] for each in times)
    ours = Figure.of([each["ours"] - each["bare"] for each in times])
    dependencies = Figure.of([each["dependencies"] - each["bare"] for each in times])
    ratio = Figure.of(
        [(each["ours"] - each["bare"]) / (each["dependencies"] - each["bare"]) for each in times]
    )
    row(
        "import parentauth ÷ its dependencies alone",
        ours=seconds(ours.median),
        reference=seconds(dependencies.median),
        ratio=ratio.times(),
        goal=f"≤ {GOAL_RATIO}",
        met=ratio.median <= GOAL_RATIO,
    )
    row(
        "import parentauth over bare Python",
        ours=seconds(bare + ours.median),
        reference=seconds(bare),
        ratio=ours.more(),
        goal=f"≤ +{seconds(GOAL_MORE)}",
        met=ours.median <= GOAL_MORE,
    )
