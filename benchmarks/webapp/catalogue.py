# SPDX-License-Identifier: MIT
"""
What the application is run with: nothing, ringamp, and each Python peer of
the comparison of SDKs, in the versions given there.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.peers import installs
from benchmarks.peers.catalogue import BY_NAME, DEFAULT, OURS, PEERS, TUNED

NONE = "none"
INTERVAL = "interval"

SETTINGS: Mapping[str, tuple[str, ...]] = {
    OURS: (DEFAULT, INTERVAL),
    # Its default posts each event while the request waits.
    "mixpanel": (DEFAULT, TUNED),
}
"""Where it is not the default alone."""

OPTIONS: Mapping[tuple[str, str], Mapping[str, Any]] = {
    (OURS, INTERVAL): {"upload_interval_in_sec": 0.1},
}
"""Where a setting is not that of the comparison of SDKs."""

NAMES = (NONE, *(peer.name for peer in PEERS if not peer.is_node))

PACKAGES_OF = "import sysconfig; print(sysconfig.get_path('purelib'))"


@dataclass(frozen=True, eq=False, kw_only=True)
class Variant:
    """
    One SDK in one setting, or none.

    Attributes:
        name: Of the SDK.

        setting: Of its options.

        version: Of the SDK.

        options: For its constructor.

        adapter: The module that speaks to it.

        packages: The folder with the SDK; empty for this environment.
    """

    name: str
    setting: str = DEFAULT
    version: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    adapter: str = ""
    packages: str = ""

    @property
    def title(self) -> str:
        """
        How it is called in the output.
        """
        if self.name == NONE:
            return "no SDK"
        return " ".join(
            [self.name, *([self.setting] if self.setting != DEFAULT else [])]
        )


def prepare(name: str, work: Path) -> list[Variant]:
    """
    Install what *name* stands for, unless it is here; list its settings.

    Args:
        name: One of `NAMES`.

        work: Where the environments of the peers are kept.
    """
    if name == NONE:
        return [Variant(name=name)]
    peer = BY_NAME[name]
    if name == OURS:
        found, packages = version(name), ""
    else:
        # By this interpreter: one Python and one gunicorn for all of them.
        installed = installs.install(peer, work, sys.executable)
        found = installed.version
        packages = installs.run(
            installed.command[0], "-c", PACKAGES_OF
        ).strip()
    return [
        Variant(
            name=name,
            setting=setting,
            version=found,
            options=dict(options_of(name, setting)),
            adapter=Path(peer.adapter).stem,
            packages=packages,
        )
        for setting in SETTINGS.get(name, (DEFAULT,))
    ]


def options_of(name: str, setting: str) -> Mapping[str, Any]:
    """
    The options of a setting.
    """
    if (name, setting) in OPTIONS:
        return OPTIONS[name, setting]
    return BY_NAME[name].settings[setting].options
