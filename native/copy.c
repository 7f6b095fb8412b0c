/* SPDX-License-Identifier: MIT */
/*
 * The copy of an event that middleware may change: its dicts and lists are
 * new, everything else is shared.
 *
 * Each is copied in one step and then looked through, not the event's own:
 * other threads may change that where there is no GIL, and with one an
 * allocation may run the garbage collector, whose finalizers are Python code.
 */
#include "hotpath.h"

/* Deeper than any event the service takes (40), far from any stack's end. */
#define COPY_DEPTH_MAX 100

static PyObject *copy_value(PyObject *value, int depth);

/*
 * Whether `value` is copied and not shared: a dict or list, or of a subclass
 * (a defaultdict's copy is a dict). Most values are of other types, so these
 * are told apart first.
 */
static int
is_container(PyObject *value)
{
    /* Comparisons of a pointer; the last line calls functions. */
    if (PyUnicode_CheckExact(value) || PyLong_CheckExact(value) ||
        PyFloat_CheckExact(value) || value == Py_None)
        return 0;
    if (PyDict_CheckExact(value) || PyList_CheckExact(value))
        return 1;
    return PyDict_Check(value) || PyList_Check(value);
}

static PyObject *
copy_list(PyObject *list, int depth)
{
    PyObject *copy = PyList_GetSlice(list, 0, PY_SSIZE_T_MAX);
    Py_ssize_t i;

    for (i = 0; copy != NULL && i < PyList_Size(copy); i++) {
        PyObject *value = PyList_GetItem(copy, i);
        PyObject *inner;

        if (!is_container(value))
            continue;
        Py_INCREF(value);
        inner = copy_value(value, depth);
        Py_DECREF(value);
        if (inner == NULL || PyList_SetItem(copy, i, inner) < 0)
            Py_CLEAR(copy);
    }
    return copy;
}

static PyObject *
copy_dict(PyObject *dict, int depth)
{
    PyObject *copy = PyDict_Copy(dict);
    PyObject *key, *value;
    Py_ssize_t at = 0;

    /* Only values that are containers are set anew, and under keys that are
       there, so the copy does not change its shape under PyDict_Next. */
    while (copy != NULL && PyDict_Next(copy, &at, &key, &value)) {
        PyObject *inner;
        int failed;

        if (!is_container(value))
            continue;
        Py_INCREF(key);
        Py_INCREF(value);
        inner = copy_value(value, depth);
        failed = inner == NULL || PyDict_SetItem(copy, key, inner) < 0;
        Py_XDECREF(inner);
        Py_DECREF(value);
        Py_DECREF(key);
        if (failed)
            Py_CLEAR(copy);
    }
    return copy;
}

static PyObject *
copy_value(PyObject *value, int depth)
{
    if (depth > COPY_DEPTH_MAX) {
        PyErr_SetString(PyExc_ValueError, "nested deeper than 100 levels");
        return NULL;
    }
    if (!is_container(value)) {
        Py_INCREF(value);
        return value;
    }
    return PyDict_Check(value) ? copy_dict(value, depth + 1)
                               : copy_list(value, depth + 1);
}

PyObject *
ra_copy_event(PyObject *event)
{
    return copy_dict(event, 0);
}
