# SPDX-License-Identifier: MIT
"""
The one place where things happen by themselves.
"""
