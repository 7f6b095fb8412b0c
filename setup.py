# SPDX-License-Identifier: MIT
"""
Builds the extension and names the wheel's ABI; all else is pyproject.toml.
"""

from __future__ import annotations

import sys
import sysconfig

from setuptools import setup
from setuptools.command.build_ext import build_ext

MISSING = """
ringamp's C core could not be compiled.

It needs a C compiler and the headers of this Python:
  Debian, Ubuntu   apt-get install gcc libc6-dev python3-dev
  Fedora, RHEL     dnf install gcc glibc-headers python3-devel
  Alpine           apk add gcc musl-dev python3-dev
  macOS            xcode-select --install
The compiler's own words stand above. This Python: {python}
"""


class BuildExt(build_ext):
    """
    Says what to install when the compiler or a header is missing.
    """

    def run(self) -> None:
        """
        Build, or say what is missing.
        """
        try:
            super().run()
        except Exception:
            sys.stderr.write(MISSING.format(python=sys.executable))
            raise


abi3 = not sysconfig.get_config_var("Py_GIL_DISABLED")

setup(
    cffi_modules=["native/ffi_build.py:ffi"],
    cmdclass={"build_ext": BuildExt},
    options={"bdist_wheel": {"py_limited_api": "cp310"}} if abi3 else {},
)
