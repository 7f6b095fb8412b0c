# SPDX-License-Identifier: MIT
"""
Runnable measurements, one question per file; `python -m benchmarks.throughput`
asks them all. Never numbers that a test asserts.
"""
