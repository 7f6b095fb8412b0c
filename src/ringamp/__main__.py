# SPDX-License-Identifier: MIT
"""
`python -m ringamp`: the same as the command `ringamp`.
"""

from __future__ import annotations

from ringamp.cli.main import main

if __name__ == "__main__":
    main()
