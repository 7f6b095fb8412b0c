# SPDX-License-Identifier: MIT
"""
One file per server, named as the user imports it. None is needed for safety:
they say *when*, for those who want to.
"""
