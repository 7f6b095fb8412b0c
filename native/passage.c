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
 * Whatever is unusual, a wake-up included, is handed to the entrance's
 * `unusual` at once and not when the chain returns: it may have returned
 * already. What it answers, if it is not None, is the `answer`; an event that
 * was nothing unusual has its `receipt`.
 *
 * The garbage collector does not know passages: they die with the call that
 * made them, and being known would cost a tenth of that call. One that is
 * put into its own event is never freed.
 */
#include "hotpath.h"

#include <structmember.h>

#include "without_gil.h"

struct passage {
    PyObject_HEAD
    PyObject *event;
    PyObject *extra;
    PyObject *receipt; /* None until there is one; so is the answer. */
    PyObject *answer;
    struct ra_entrance *entrance;
    long long position;
#ifdef Py_GIL_DISABLED
    ra_word is_reached; /* the end, by one thread of several */
#endif
};

static PyTypeObject *passage_type;
static PyObject *event_name;

static PyObject *
event_of(PyObject *payload)
{
    PyObject *event;

    if (Py_TYPE(payload) != passage_type)
        return PyObject_GetAttr(payload, event_name);
    RA_BEGIN_ALONE(payload);
    event = ((struct passage *)payload)->event;
    Py_XINCREF(event);
    RA_END_ALONE();
    if (event == NULL)
        PyErr_SetString(PyExc_AttributeError, "event");
    return event;
}

/*
 * Put `made`, which may be NULL for an exception, into `slot`; None changes
 * nothing.
 */
static int
take(PyObject **slot, PyObject *made)
{
    PyObject *before = *slot;

    if (made == NULL)
        return -1;
    if (made == Py_None)
        before = made;
    else
        *slot = made;
    Py_DECREF(before);
    return 0;
}

static PyObject *
extra_of(struct passage *passage)
{
    PyObject *extra;

    RA_BEGIN_ALONE((PyObject *)passage);
    extra = passage->extra == NULL ? Py_None : passage->extra;
    Py_INCREF(extra); /* Whoever is called may change it. */
    RA_END_ALONE();
    return extra;
}

/*
 * Whether the end is reached for the first time. With a GIL that is known
 * when the position is, since a push keeps it.
 */
static int
reach(struct passage *passage)
{
#ifdef Py_GIL_DISABLED
    uint64_t before = 0;

    return cas_seq_cst(&passage->is_reached, &before, 1);
#else
    return passage->position == RA_UNDER_WAY;
#endif
}

static void
turn_back(struct passage *passage)
{
#ifdef Py_GIL_DISABLED
    store_seq_cst(&passage->is_reached, 0);
#else
    (void)passage;
#endif
}

/*
 * Push the event of the payload, unless that has been done.
 */
static int
finish(struct passage *passage, PyObject *event)
{
    const struct ra_entrance *entrance = passage->entrance;
    PyObject *extra, *answer;
    int64_t position = RA_AGAIN;

    if (reach(passage)) {
        position = entrance->ring == NULL
                       ? RA_UNCLEAN
                       : ra_push_event(entrance->ring, event);
        if (position == RA_RAISED) {
            turn_back(passage);
            return -1;
        }
        passage->position = position;
        if ((position & 7) == 0)
            return take(&passage->receipt, ra_receipt(entrance, position));
    }
    extra = extra_of(passage);
    answer = ra_unusual(entrance, event, extra, position);
    Py_DECREF(extra);
    return take(&passage->answer, answer);
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
    return Py_NewRef(Py_None);
}

static void
passage_dealloc(PyObject *self)
{
    struct passage *passage = (struct passage *)self;
    PyTypeObject *type = Py_TYPE(self);

    Py_XDECREF(passage->event);
    Py_XDECREF(passage->extra);
    Py_DECREF(passage->receipt);
    Py_DECREF(passage->answer);
    Py_DECREF(passage->entrance);
    PyObject_Free(self);
    Py_DECREF(type); /* An instance of a heap type holds its type. */
}

/*
 * A dict of the passage's own; NULL without an exception for what is neither
 * a dict nor a struct that is known. An event that is nested too deeply to
 * copy is shared beyond its first level: the encoder refuses it and says
 * where.
 */
static PyObject *
own_copy(PyObject *event)
{
    PyObject *dict, *copy;

    if (PyDict_Check(event)) {
        dict = event;
        Py_INCREF(dict);
    } else {
        dict = ra_set_fields(event);
        if (dict == NULL)
            return NULL;
    }
    copy = ra_copy_event(dict);
    if (copy == NULL && PyErr_ExceptionMatches(PyExc_ValueError)) {
        PyErr_Clear();
        copy = PyDict_Copy(dict);
    }
    Py_DECREF(dict);
    return copy;
}

PyObject *
ra_begin(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    struct passage *passage;
    PyObject *event = nargs == 2 ? own_copy(args[0]) : NULL;

    if (event == NULL) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_TypeError,
                            "begin takes the event, a dict or an Event, and "
                            "extra");
        return NULL;
    }
    passage = PyObject_New(struct passage, passage_type);
    if (passage == NULL) {
        Py_DECREF(event);
        return NULL;
    }
    Py_INCREF(args[1]);
    Py_INCREF(Py_None);
    Py_INCREF(Py_None);
    Py_INCREF(self);
    passage->event = event;
    passage->extra = args[1];
    passage->receipt = Py_None;
    passage->answer = Py_None;
    passage->entrance = (struct ra_entrance *)self;
    passage->position = RA_UNDER_WAY;
#ifdef Py_GIL_DISABLED
    store_relaxed(&passage->is_reached, 0); /* relaxed: not known yet. */
#endif
    return (PyObject *)passage;
}

static PyMemberDef passage_members[] = {
    {"event", T_OBJECT_EX, offsetof(struct passage, event), 0, NULL},
    {"extra", T_OBJECT_EX, offsetof(struct passage, extra), 0, NULL},
    {"position", T_LONGLONG, offsetof(struct passage, position), READONLY,
     NULL},
    {"receipt", T_OBJECT_EX, offsetof(struct passage, receipt), READONLY,
     NULL},
    {"answer", T_OBJECT_EX, offsetof(struct passage, answer), READONLY, NULL},
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
    passage_type = (PyTypeObject *)PyType_FromSpec(&passage_spec);
    return event_name == NULL || passage_type == NULL ? -1 : 0;
}
