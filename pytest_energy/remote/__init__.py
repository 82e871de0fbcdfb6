"""A meter on another machine: an agent there reads the counters, a meter here makes the readings.

`protocol` has the values that cross. `agent` follows the counters, `server` answers for it over HTTP.
"""
