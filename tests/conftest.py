"""What every test shares: how hypothesis searches, and that a failure can be played again."""

from hypothesis import settings

# Time limits per example fail on a busy machine and prove nothing; the blob replays what was found.
settings.register_profile("segue", deadline=None, print_blob=True)
settings.load_profile("segue")
