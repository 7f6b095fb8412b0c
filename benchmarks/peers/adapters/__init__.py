# SPDX-License-Identifier: MIT
"""
What runs in a peer's own environment: a driver and one adapter a peer. Never
anything that imports ringamp's benchmarks, nor a third package.
"""
