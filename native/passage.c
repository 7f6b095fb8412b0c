/* SPDX-License-Identifier: MIT */
/*
 * One event's way through the middleware chain.
 *
 * A passage is the payload that the first middleware gets (`event`, `extra`)
 * and the end of the chain in one object: calling it with a payload encodes
 * and pushes that payload's event. So an event costs one object here, and no
 * Python frame but the middleware's own.
 *
 * The end is reached once. A middleware that calls it again, or keeps it and
 * calls it after the event was logged, cannot log an event twice.
 *
 * Whatever is unusual, a wake-up included, is handed to `unusual(event,
 * position)`, which is Python, at once and not when the chain returns: it may
 * have returned already. Its answer, if it is not None, is the `receipt`.
 *
 * The garbage collector does not know passages: they die with the call that
 * made them, and being known would cost a tenth of that call. One that is
 * put into its own event is never freed.
 */
#include "hotpath.h"

#include <structmember.h>

struct passage {
    PyObject_HEAD
    PyObject *event;
    PyObject *extra;
    PyObject *position;
    PyObject *receipt;
    PyObject *ring; /* its capsule; NULL: never push */
    PyObject *unusual;
};

static PyTypeObject *passage_type;
static PyObject *event_name;
static PyObject *under_way;

static PyObject *
event_of(PyObject *payload)
{
    PyObject *event;

    if (Py_TYPE(payload) != passage_type)
        return PyObject_GetAttr(payload, event_name);
    event = ((struct passage *)payload)->event;
    if (event == NULL)
        PyErr_SetString(PyExc_AttributeError, "event");
    Py_XINCREF(event);
    return event;
}

static int
tell_unusual(struct passage *passage, PyObject *event, PyObject *position)
{
    PyObject *receipt = PyObject_CallFunctionObjArgs(passage->unusual, event,
                                                     position, NULL);
    PyObject *before;

    if (receipt == NULL)
        return -1;
    if (receipt == Py_None) {
        Py_DECREF(receipt);
        return 0;
    }
    before = passage->receipt;
    passage->receipt = receipt;
    Py_XDECREF(before);
    return 0;
}

/*
 * Push the event of the payload, unless that has been done.
 */
static int
finish(struct passage *passage, PyObject *event)
{
    PyObject *position, *before;
    long long value;
    int answer;

    if (passage->position != under_way) {
        position = PyLong_FromLong(RA_AGAIN);
        answer = position == NULL ? -1
                                  : tell_unusual(passage, event, position);
        Py_XDECREF(position);
        return answer;
    }
    position = passage->ring != NULL ? ra_push_event(passage->ring, event)
                                     : PyLong_FromLong(RA_UNCLEAN);
    if (position == NULL)
        return -1;
    before = passage->position;
    passage->position = position;
    Py_DECREF(before);
    value = PyLong_AsLongLong(position);
    return (value & 7) == 0 ? 0 : tell_unusual(passage, event, position);
}

static PyObject *
passage_call(PyObject *self, PyObject *args, PyObject *kwargs)
{
    PyObject *event;
    int failed;

    if (PyTuple_Size(args) != 1 ||
        (kwargs != NULL && PyDict_Size(kwargs) != 0)) {
        PyErr_SetString(PyExc_TypeError, "next takes the payload");
        return NULL;
    }
    event = event_of(PyTuple_GetItem(args, 0));
    if (event == NULL)
        return NULL;
    failed = finish((struct passage *)self, event) < 0;
    Py_DECREF(event);
    if (failed)
        return NULL;
    Py_RETURN_NONE;
}

static void
passage_dealloc(PyObject *self)
{
    struct passage *passage = (struct passage *)self;
    PyTypeObject *type = Py_TYPE(self);

    Py_XDECREF(passage->event);
    Py_XDECREF(passage->extra);
    Py_XDECREF(passage->position);
    Py_XDECREF(passage->receipt);
    Py_XDECREF(passage->ring);
    Py_XDECREF(passage->unusual);
    PyObject_Free(self);
    Py_DECREF(type); /* An instance of a heap type holds its type. */
}

/*
 * An event that is nested too deeply to copy is shared beyond its first
 * level: the encoder refuses it and says where.
 */
static PyObject *
own_copy(PyObject *event)
{
    PyObject *copy = ra_copy_event(event);

    if (copy != NULL || !PyErr_ExceptionMatches(PyExc_ValueError))
        return copy;
    PyErr_Clear();
    return PyDict_Copy(event);
}

PyObject *
ra_begin(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    struct passage *passage;
    PyObject *event;

    if (nargs != 3 || !PyDict_Check(args[0])) {
        PyErr_SetString(PyExc_TypeError,
                        "begin takes the event's dict, extra, and what is "
                        "called when something is unusual");
        return NULL;
    }
    event = own_copy(args[0]);
    if (event == NULL)
        return NULL;
    passage = PyObject_New(struct passage, passage_type);
    if (passage == NULL) {
        Py_DECREF(event);
        return NULL;
    }
    Py_INCREF(args[1]);
    Py_INCREF(args[2]);
    Py_INCREF(under_way);
    Py_XINCREF(self);
    passage->event = event;
    passage->extra = args[1];
    passage->position = under_way;
    passage->receipt = NULL;
    passage->ring = self;
    passage->unusual = args[2];
    return (PyObject *)passage;
}

static PyMemberDef passage_members[] = {
    {"event", T_OBJECT_EX, offsetof(struct passage, event), 0, NULL},
    {"extra", T_OBJECT_EX, offsetof(struct passage, extra), 0, NULL},
    {"position", T_OBJECT_EX, offsetof(struct passage, position), READONLY,
     NULL},
    {"receipt", T_OBJECT, offsetof(struct passage, receipt), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot passage_slots[] = {
    {Py_tp_call, passage_call},
    {Py_tp_dealloc, passage_dealloc},
    {Py_tp_members, passage_members},
    {0, NULL},
};

static PyType_Spec passage_spec = {
    .name = "ringamp._native.Passage",
    .basicsize = sizeof(struct passage),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = passage_slots,
};

int
ra_passage_setup(void)
{
    if (passage_type != NULL)
        return 0;
    event_name = PyUnicode_InternFromString("event");
    under_way = PyLong_FromLong(RA_UNDER_WAY);
    passage_type = (PyTypeObject *)PyType_FromSpec(&passage_spec);
    return event_name == NULL || under_way == NULL || passage_type == NULL
               ? -1
               : 0;
}
