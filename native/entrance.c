/* SPDX-License-Identifier: MIT */
/*
 * Where the events of one client come into a ring, and get their receipts.
 *
 * An entrance knows the ring, and what only Python knows: what a receipt
 * needs to find its event's outcome, and whom to call when something is
 * unusual. So an ordinary event is one call here, which answers its receipt.
 *
 * Whatever is unusual, a wake-up included, is handed to `unusual(event,
 * extra, position)`, which is Python and answers the receipt.
 *
 * The garbage collector knows entrances, which their client holds and who
 * hold it. It does not know receipts: these are made and dropped with every
 * event, and hold nothing that could hold them. That is why their type is
 * made here, and Python gives it its methods: the collector knows the objects
 * of every class that Python makes.
 */
#include "hotpath.h"

#include <structmember.h>

#include "holder.h"

struct receipt {
    PyObject_HEAD
    PyObject *holder; /* of the outcomes; NULL is None, of both */
    PyObject *known;
    long long position;
};

PyObject *ra_receipt_type;
static PyTypeObject *entrance_type;

PyObject *
ra_receipt(const struct ra_entrance *entrance, int64_t position)
{
    struct receipt *receipt =
        PyObject_New(struct receipt, (PyTypeObject *)ra_receipt_type);

    if (receipt == NULL)
        return NULL;
    receipt->holder = ra_hold(entrance->outcomes);
    receipt->known = NULL;
    receipt->position = position;
    return (PyObject *)receipt;
}

/*
 * Receipt(outcomes, position, known=None), as Python makes those of events
 * that were not queued.
 */
static PyObject *
receipt_new(PyTypeObject *type, PyObject *args, PyObject *kwargs)
{
    PyObject *outcomes, *known = Py_None;
    struct receipt *receipt;
    long long position;

    if (kwargs != NULL && PyDict_Size(kwargs) != 0) {
        PyErr_SetString(PyExc_TypeError, "a receipt takes no keywords");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "OL|O", &outcomes, &position, &known))
        return NULL;
    receipt = PyObject_New(struct receipt, type);
    if (receipt == NULL)
        return NULL;
    Py_INCREF(outcomes);
    Py_INCREF(known);
    receipt->holder = outcomes;
    receipt->known = known;
    receipt->position = position;
    return (PyObject *)receipt;
}

static void
receipt_dealloc(PyObject *self)
{
    struct receipt *receipt = (struct receipt *)self;
    PyTypeObject *type = Py_TYPE(self);

    Py_XDECREF(receipt->holder);
    Py_XDECREF(receipt->known);
    PyObject_Free(self);
    Py_DECREF(type); /* An instance of a heap type holds its type. */
}

static PyObject *
receipt_outcomes(PyObject *self, void *unused)
{
    PyObject *outcomes = ra_held(((struct receipt *)self)->holder);

    (void)unused;
    if (outcomes == NULL)
        outcomes = Py_None;
    Py_INCREF(outcomes);
    return outcomes;
}

static PyGetSetDef receipt_getset[] = {
    {"_outcomes", receipt_outcomes, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyMemberDef receipt_members[] = {
    {"_known", T_OBJECT, offsetof(struct receipt, known), READONLY, NULL},
    {"_position", T_LONGLONG, offsetof(struct receipt, position), READONLY,
     NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot receipt_slots[] = {
    {Py_tp_new, receipt_new},
    {Py_tp_dealloc, receipt_dealloc},
    {Py_tp_getset, receipt_getset},
    {Py_tp_members, receipt_members},
    {0, NULL},
};

static PyType_Spec receipt_spec = {
    .name = "ringamp.flusher.receipt.Receipt",
    .basicsize = sizeof(struct receipt),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = receipt_slots,
};

PyObject *
ra_unusual(const struct ra_entrance *entrance, PyObject *event,
           PyObject *extra, int64_t position)
{
    PyObject *at = PyLong_FromLongLong(position);
    PyObject *answer = NULL;

    if (at != NULL)
        answer = PyObject_CallFunctionObjArgs(entrance->unusual, event, extra,
                                              at, NULL);
    Py_XDECREF(at);
    return answer;
}

/*
 * log(event, extra): a receipt.
 */
static PyObject *
log_event(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    const struct ra_entrance *entrance = (struct ra_entrance *)self;
    int64_t position;

    if (nargs != 2) {
        PyErr_SetString(PyExc_TypeError, "log takes the event and extra");
        return NULL;
    }
    position = entrance->ring == NULL
                   ? RA_UNCLEAN
                   : ra_push_event(entrance->ring, args[0]);
    if ((position & 7) == 0)
        return ra_receipt(entrance, position);
    if (position == RA_RAISED)
        return NULL;
    return ra_unusual(entrance, args[0], args[1], position);
}

static int
entrance_traverse(PyObject *self, visitproc visit, void *arg)
{
    struct ra_entrance *entrance = (struct ra_entrance *)self;

    Py_VISIT(Py_TYPE(self));
    Py_VISIT(entrance->capsule);
    Py_VISIT(entrance->outcomes);
    Py_VISIT(entrance->unusual);
    return 0;
}

/*
 * No clear: every cycle goes through `unusual`, an object of Python's that
 * has one, and the builtins need what is here as long as they can be called.
 */
static void
entrance_dealloc(PyObject *self)
{
    struct ra_entrance *entrance = (struct ra_entrance *)self;
    PyTypeObject *type = Py_TYPE(self);

    PyObject_GC_UnTrack(self);
    Py_XDECREF(entrance->capsule);
    Py_XDECREF(entrance->outcomes);
    Py_XDECREF(entrance->unusual);
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

static PyType_Slot entrance_slots[] = {
    {Py_tp_traverse, entrance_traverse},
    {Py_tp_dealloc, entrance_dealloc},
    {0, NULL},
};

static PyType_Spec entrance_spec = {
    .name = "ringamp._native.Entrance",
    .basicsize = sizeof(struct ra_entrance),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC |
             Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = entrance_slots,
};

#define FASTCALL(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef log_method = {"log", FASTCALL(log_event), METH_FASTCALL,
                                 NULL};
static PyMethodDef begin_method = {"begin", FASTCALL(ra_begin), METH_FASTCALL,
                                   NULL};

PyObject *
ra_enter(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    struct ra_entrance *entrance;
    PyObject *log, *begin, *both = NULL;

    if (nargs != 2) {
        PyErr_SetString(PyExc_TypeError, "enter takes the outcomes, and what "
                                         "is called when something is "
                                         "unusual");
        return NULL;
    }
    entrance = PyObject_GC_New(struct ra_entrance, entrance_type);
    if (entrance == NULL)
        return NULL;
    entrance->ring = self == NULL ? NULL : PyCapsule_GetPointer(self, NULL);
    entrance->capsule = self;
    entrance->outcomes = args[0];
    entrance->unusual = args[1];
    Py_XINCREF(self);
    Py_INCREF(args[0]);
    Py_INCREF(args[1]);
    PyObject_GC_Track(entrance);
    log = PyCFunction_NewEx(&log_method, (PyObject *)entrance, NULL);
    begin = PyCFunction_NewEx(&begin_method, (PyObject *)entrance, NULL);
    Py_DECREF(entrance);
    if (log != NULL && begin != NULL)
        both = PyTuple_Pack(2, log, begin);
    Py_XDECREF(log);
    Py_XDECREF(begin);
    return both;
}

int
ra_entrance_setup(void)
{
    if (entrance_type != NULL)
        return 0;
    ra_receipt_type = PyType_FromSpec(&receipt_spec);
    if (ra_receipt_type == NULL || ra_holder_setup() < 0)
        return -1;
    ra_keep_for_ever(ra_receipt_type);
    entrance_type = (PyTypeObject *)PyType_FromSpec(&entrance_spec);
    return entrance_type == NULL ? -1 : 0;
}
