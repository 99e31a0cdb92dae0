"""Property tests that are the same every time and in no hurry."""

from hypothesis import settings

settings.register_profile('mmdetxfer', deadline=None, derandomize=True)
settings.load_profile('mmdetxfer')
