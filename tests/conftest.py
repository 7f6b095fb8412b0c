# SPDX-License-Identifier: MIT
"""
Here so that the tests of every folder find `wreckage` and `source_tree`,
which lie beside this file.
"""
