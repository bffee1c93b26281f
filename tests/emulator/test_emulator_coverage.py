"""The coverage page says what the code does."""

from __future__ import annotations

from pathlib import Path

from emulator.coverage import page
from emulator.server import URLS

PAGE = Path(__file__).parents[2] / "docs" / "emulator-coverage.md"


def test_the_coverage_page_is_current():
    command = "python -m emulator.coverage > docs/emulator-coverage.md"
    assert PAGE.read_text() == page(), f"docs/emulator-coverage.md is out of date; run `{command}`"


def test_what_is_there_is_ticked_and_what_is_missing_is_not():
    assert "- [x] `/storage/volumes`: GET, POST, PATCH, DELETE; one: GET, PATCH, DELETE" in page()
    assert "- [ ] `/storage/luns`" in page()


def test_no_operation_has_two_routes():
    operations = [(route.method, route.path) for route in URLS]
    assert len(set(operations)) == len(operations)
