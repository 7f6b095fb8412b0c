# SPDX-License-Identifier: MIT
"""
Reads Python sources without running them, for the test of the architecture.
"""

from __future__ import annotations

import ast

WATCHED = ("os", "random", "threading", "time", "uuid", "warnings")
"""Modules whose single names are told apart."""


class Module:
    """
    One source file: its name below `ringamp`, its tree.
    """

    def __init__(self, root, path):
        parts = path.relative_to(root).with_suffix("").parts
        self.is_package = parts[-1] == "__init__"
        self.name = "/".join(parts[:-1] if self.is_package else parts)
        self.home = self.name.partition("/")[0]
        self.path = path
        self.tree = ast.parse(path.read_text("utf-8"))

    def at(self, node):
        """
        Say where *node* is, as a compiler would.
        """
        return f"{self.path}:{node.lineno}"

    def imports(self):
        """
        Yield (node, absolute dotted name) for each name imported, anywhere.
        """
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    yield node, alias.name
            elif isinstance(node, ast.ImportFrom):
                start = "." * node.level + (node.module or "")
                for alias in node.names:
                    yield node, f"{start}.{alias.name}"

    def uses(self):
        """
        Yield (node, name) for `module.name` of watched modules, names
        imported from them, and builtins that are called.
        """
        for node, name in self.imports():
            if name.partition(".")[0] in WATCHED:
                yield node, name
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                yield node, node.func.id
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id in WATCHED
            ):
                yield node, f"{node.value.id}.{node.attr}"


def read(root):
    """
    Read every module below *root*.
    """
    return [Module(root, path) for path in sorted(root.rglob("*.py"))]


def graph(root):
    """
    Map each module below *root* to the modules it imports names from.
    """
    names = {
        ".".join(["ringamp", *module.name.split("/")]).rstrip("."): module
        for module in read(root)
    }
    edges = {}
    for dotted, module in names.items():
        targets = {
            name if name in names else name.rpartition(".")[0]
            for _, name in module.imports()
        }
        # What may come from `ringamp` itself is the business of the floors.
        edges[dotted] = (targets & names.keys()) - {dotted, "ringamp"}
    return edges
