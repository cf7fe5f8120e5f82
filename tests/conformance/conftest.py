"""Failures of the suite are explained like those of any test."""

import pytest

pytest.register_assert_rewrite("segue.testing.conformance")
