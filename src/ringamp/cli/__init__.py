# SPDX-License-Identifier: MIT
"""
The command line: arguments in, exit code out; never any logic of its own.
"""
