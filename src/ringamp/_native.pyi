# SPDX-License-Identifier: MIT
# The extension's two names. What `lib` holds is declared in
# native/ringamp.cdef.h; bindings.py is the only module that imports this.
from typing import Any

ffi: Any
lib: Any
