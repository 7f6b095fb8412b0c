# SPDX-License-Identifier: MIT
"""
What an event costs as one thing after another grows: one axis a file, each a
table and a plot. `python -m benchmarks.growth` measures them all.
"""
