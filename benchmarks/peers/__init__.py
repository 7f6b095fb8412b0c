# SPDX-License-Identifier: MIT
"""
ringamp beside the SDKs that servers use now: same event, same sink.
"""
