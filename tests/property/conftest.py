"""Laws are checked without a limit on time: the first example of a law may import scipy."""

from hypothesis import settings

settings.register_profile("without a deadline", deadline=None)
settings.load_profile("without a deadline")
