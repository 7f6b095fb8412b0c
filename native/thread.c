/* SPDX-License-Identifier: MIT */
/*
 * A thread that takes no signals from its first step on, which may have to
 * wait for the GIL. And no signal handler of Python's runs in the midst of
 * this: it might raise, and leave the caller's signals blocked.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "signals.h"

#define EXPORTED __attribute__((visibility("default")))

/*
 * ra_thread_start: have `start`, which is `_thread.start_new_thread` or of
 * its kind, start a thread that calls `run` with the signals that the caller
 * takes and it does not; see signals.h.
 *
 * => Through ctypes.PyDLL, so with the GIL. What `start` returns; NULL with
 *    its exception.
 */
EXPORTED PyObject *
ra_thread_start(PyObject *start, PyObject *run)
{
    unsigned long long taken = ra_signals_block();
    PyObject *thread = PyObject_CallFunction(start, "O(K)", run, taken);

    ra_signals_unblock(taken);
    return thread;
}
