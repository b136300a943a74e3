"""
Ask pyright whether every public name has a known type, and its private ones as well.

What is left out: the rules of the state machine, private too, whose attributes say what they are
where they are set; and Alembic's environment, which nobody imports.
"""

import json
import subprocess
import sys

LEFT_OUT = (
    "parentauth.testing._machine",
    "parentauth.testing.machine.",
    "parentauth.testing.ParentAuthMachine",
    "parentauth.storage.migrations",
)


def main() -> int:
    """Print what is incomplete; return the exit code."""
    command = [sys.executable, "-m", "pyright", "--verifytypes", "parentauth", "--ignoreexternal"]
    done = subprocess.run([*command, "--outputjson"], capture_output=True, text=True, check=False)
    symbols = json.loads(done.stdout)["typeCompleteness"]["symbols"]
    incomplete = [
        symbol["name"]
        for symbol in symbols
        if (not symbol["isTypeKnown"] or symbol["isTypeAmbiguous"])
        and not symbol["name"].startswith(LEFT_OUT)
    ]
    for name in incomplete:
        print(f"{name} has no known type")
    print(f"{len(symbols)} types looked at, {len(incomplete)} incomplete")
    return 1 if incomplete or not symbols else 0


if __name__ == "__main__":
    sys.exit(main())
