"""Laws are checked without a limit on time: a busy machine is not a broken law."""

from hypothesis import settings

settings.register_profile("without a deadline", deadline=None)
settings.load_profile("without a deadline")
