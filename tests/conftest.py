import pytest

from tests.school import Portal


@pytest.fixture
def portal() -> Portal:
    """Give a portal whose parents were never invited."""
    return Portal()
