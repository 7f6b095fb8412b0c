# SPDX-License-Identifier: MIT
"""
Where records wait. Memory; never HTTP.
"""
