# SPDX-License-Identifier: MIT
"""
What to do about a response. Answers only; never sleeps, sends or stores.
"""
