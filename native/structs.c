/* SPDX-License-Identifier: MIT */
/*
 * The fields of a struct that are not None, as a dict.
 *
 * An event has some fifty fields and sets five. Asking for each by name would
 * cost more than everything else that is done for it; here they are read from
 * where they lie in the object.
 *
 * Where that is, is found out and not assumed: Python makes a sample whose
 * fields have values that nothing else holds, and know_struct looks at which
 * word of the object each stands. A type whose sample does not show all of
 * them is not known, and its objects take the careful road.
 */
#include "hotpath.h"

#include "without_gil.h"

#define KNOWN_MAX 4

/* How deep structs may lie in one another: an event's plan is one deep. One
   may hold itself, which has no end. */
#define DEPTH_MAX 4

struct layout {
    PyTypeObject *type;
    Py_ssize_t count;
    PyObject *keys;      /* a tuple of interned strings */
    Py_ssize_t *offsets; /* bytes from the object's start */
};

static struct layout known[KNOWN_MAX];
static int known_count;

static Py_ssize_t
basic_size(PyObject *type)
{
    PyObject *size = PyObject_GetAttrString(type, "__basicsize__");
    Py_ssize_t bytes = size == NULL ? -1 : PyLong_AsSsize_t(size);

    Py_XDECREF(size);
    return bytes;
}

static PyObject *
word_at(PyObject *object, Py_ssize_t offset)
{
    return *(PyObject **)(void *)((char *)object + offset);
}

/*
 * The offset of the one word of `object` that is `value`, or -1.
 */
static Py_ssize_t
offset_of(PyObject *object, Py_ssize_t size, PyObject *value)
{
    Py_ssize_t offset, found = -1;

    for (offset = (Py_ssize_t)sizeof(PyObject);
         offset + (Py_ssize_t)sizeof(PyObject *) <= size;
         offset += (Py_ssize_t)sizeof(PyObject *)) {
        if (word_at(object, offset) != value)
            continue;
        if (found >= 0)
            return -1;
        found = offset;
    }
    return found;
}

/*
 * know_struct(sample, keys, values): learn where the type of `sample` has
 * its fields. `values` are those of the sample, `keys` the names they get in
 * the dict. Whether it could.
 */
PyObject *
ra_know_struct(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    struct layout *layout;
    Py_ssize_t i, size;

    (void)module;
    if (nargs != 3 || !PyTuple_Check(args[1]) || !PyTuple_Check(args[2]) ||
        PyTuple_Size(args[1]) != PyTuple_Size(args[2])) {
        PyErr_SetString(PyExc_TypeError, "know_struct takes a sample, and "
                                         "the keys and values of its fields");
        return NULL;
    }
    size = basic_size((PyObject *)Py_TYPE(args[0]));
    if (size < 0)
        return NULL;
    if (known_count == KNOWN_MAX)
        return Py_NewRef(Py_False);
    layout = &known[known_count];
    layout->count = PyTuple_Size(args[1]);
    layout->offsets =
        PyMem_Malloc((size_t)layout->count * sizeof(Py_ssize_t));
    if (layout->offsets == NULL)
        return Py_NewRef(Py_False);
    for (i = 0; i < layout->count; i++) {
        layout->offsets[i] =
            offset_of(args[0], size, PyTuple_GetItem(args[2], i));
        if (layout->offsets[i] < 0) {
            PyMem_Free(layout->offsets);
            return Py_NewRef(Py_False);
        }
    }
    layout->type = Py_TYPE(args[0]);
    layout->keys = args[1];
    Py_INCREF(layout->type);
    Py_INCREF(layout->keys);
    known_count++;
    return Py_NewRef(Py_True);
}

static const struct layout *
layout_of(PyObject *object)
{
    int i;

    for (i = 0; i < known_count; i++)
        if (known[i].type == Py_TYPE(object))
            return &known[i];
    return NULL;
}

static PyObject *set_fields(const struct layout *layout, PyObject *object,
                            int depth);

/*
 * Put a field into `dict`; one that is a struct itself as a dict.
 */
static int
put_field(PyObject *dict, PyObject *key, PyObject *value, int depth)
{
    const struct layout *inner;
    PyObject *made;
    int failed;

    if (PyUnicode_CheckExact(value) || PyDict_CheckExact(value) ||
        PyFloat_CheckExact(value) || (inner = layout_of(value)) == NULL)
        return PyDict_SetItem(dict, key, value);
    Py_INCREF(value); /* It may be taken out of its place meanwhile. */
    made = set_fields(inner, value, depth + 1);
    Py_DECREF(value);
    failed = made == NULL || PyDict_SetItem(dict, key, made) < 0;
    Py_XDECREF(made);
    return failed ? -1 : 0;
}

static PyObject *
set_fields(const struct layout *layout, PyObject *object, int depth)
{
    PyObject *dict = depth > DEPTH_MAX ? NULL : PyDict_New();
    Py_ssize_t i;

    /* Whoever sets a field without a GIL has the object alone for that. */
    RA_BEGIN_ALONE(object);
    for (i = 0; dict != NULL && i < layout->count; i++) {
        PyObject *value = word_at(object, layout->offsets[i]);

        if (value == Py_None)
            continue;
        /* NULL: somebody deleted it; asking for it by name says so best. */
        if (value == NULL ||
            put_field(dict, PyTuple_GetItem(layout->keys, i), value, depth) < 0)
            Py_CLEAR(dict);
    }
    RA_END_ALONE();
    return dict;
}

PyObject *
ra_set_fields(PyObject *object)
{
    const struct layout *layout = layout_of(object);

    return layout == NULL ? NULL : set_fields(layout, object, 0);
}

/*
 * set_fields(struct): the dict, or None.
 */
PyObject *
ra_set_fields_or_none(PyObject *module, PyObject *object)
{
    PyObject *dict = ra_set_fields(object);

    (void)module;
    if (dict == NULL && !PyErr_Occurred())
        return Py_NewRef(Py_None);
    return dict;
}
