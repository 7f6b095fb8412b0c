# SPDX-License-Identifier: MIT
"""
What analytics cost a web application: the same one under gunicorn without
any SDK, with ringamp and with its peers, loaded by wrk.
"""
