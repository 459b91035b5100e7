"""Settings that all tests share: the option --bless, and verification after every pass."""

from __future__ import annotations

import pytest

from tracegrad import config


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--bless", action="store_true", help="rewrite the expected half of the before/after files of the passes"
    )


@pytest.fixture(autouse=True)
def verified_passes():
    before, config.settings.verify = config.settings.verify, True
    yield
    config.settings.verify = before
