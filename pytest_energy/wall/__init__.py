"""A run beside a meter outside the machine: its file, and gain, offset and lag of what it shows.

Everything here is a function of a run and of a file that exist already.
"""
