"""Benchmarks: this project and its peers, side by side in one run on the same data.

`make bench` sets up everything, runs all rounds, checks that the results are equal, and writes
docs/performance.md. `python -m bench --help` has the choices.
"""
