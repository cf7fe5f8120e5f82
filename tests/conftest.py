"""What every test shares: how hypothesis searches, and that a failure can be played again."""

import signal

import pytest
from hypothesis import settings

# A shell that starts the tests in the background lets them ignore Ctrl-C, and what they start would inherit that: the
# tests that interrupt a command would wait for ever.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Time limits per example fail on a busy machine and prove nothing; the blob replays what was found.
settings.register_profile("segue", deadline=None, print_blob=True)
settings.load_profile("segue")

# The suite that ships with the package explains its failures like any test here.
pytest.register_assert_rewrite("segue.testing.conformance")
