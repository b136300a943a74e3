"""
A test that is skipped in CI was not run: then the session fails, and says which and why.

The Makefile loads this plugin with ``-p tests.strict_ci``; it acts where ``CI=true``.
"""

import os

import pytest


def _skipped(config: pytest.Config) -> list[pytest.TestReport | pytest.CollectReport]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return [] if reporter is None else reporter.stats.get("skipped", [])


def _active(config: pytest.Config) -> bool:
    # A worker's skips reach the terminal of the session that started it.
    return os.environ.get("CI") == "true" and not hasattr(config, "workerinput")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Turn success into failure when anything was skipped."""
    if (
        _active(session.config)
        and _skipped(session.config)
        and session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}
    ):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Name what was skipped, and the reason that it gave."""
    if not _active(config):
        return
    for report in _skipped(config):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        terminalreporter.write_line(f"FAILED because skipped in CI: {report.nodeid}: {reason}")
