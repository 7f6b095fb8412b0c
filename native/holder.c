/* SPDX-License-Identifier: MIT */
#include "holder.h"

#ifdef Py_GIL_DISABLED

struct holder {
    PyObject_HEAD
    PyObject *outcomes;
};

static PyTypeObject *holder_type;

/*
 * This thread's holder, of the outcomes it logged for last. Its dict of the
 * thread's state owns it, and lets go of it when that ends; the number tells
 * that state from a later one of the same thread of the system.
 */
static _Thread_local struct {
    uint64_t state;
    struct holder *holder;
} mine;

#define KEY "ringamp.holder"

/*
 * Give this thread a holder of `outcomes`: whether it has one. No exception.
 */
static int
take(PyObject *outcomes, uint64_t state)
{
    PyObject *dict = PyThreadState_GetDict();
    struct holder *holder = PyObject_New(struct holder, holder_type);
    int is_mine = 0;

    mine.state = 0;
    if (holder != NULL) {
        Py_INCREF(outcomes);
        holder->outcomes = outcomes;
        /* The end of the holder before may run code that logs in here. */
        is_mine = dict != NULL &&
                  PyDict_SetItemString(dict, KEY, (PyObject *)holder) == 0 &&
                  PyDict_GetItemString(dict, KEY) == (PyObject *)holder;
        Py_DECREF(holder);
    }
    if (is_mine) {
        mine.state = state;
        mine.holder = holder;
    } else {
        PyErr_Clear();
    }
    return is_mine;
}

PyObject *
ra_hold(PyObject *outcomes)
{
    uint64_t state = PyThreadState_GetID(PyThreadState_Get());
    PyObject *held = outcomes;

    if ((mine.state == state && mine.holder->outcomes == outcomes) ||
        take(outcomes, state))
        held = (PyObject *)mine.holder;
    Py_INCREF(held);
    return held;
}

PyObject *
ra_held(PyObject *holder)
{
    if (holder != NULL && Py_TYPE(holder) == holder_type)
        return ((struct holder *)holder)->outcomes;
    return holder;
}

void
ra_keep_for_ever(PyObject *object)
{
    /* From 3.14 on types have no need of it. */
#if PY_VERSION_HEX < 0x030e0000
    object->ob_tid = _Py_UNOWNED_TID;
    object->ob_ref_local = _Py_IMMORTAL_REFCNT_LOCAL;
    object->ob_ref_shared = 0;
#else
    (void)object;
#endif
}

static void
holder_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);

    Py_DECREF(((struct holder *)self)->outcomes);
    PyObject_Free(self);
    Py_DECREF(type);
}

static PyType_Slot slots[] = {
    {Py_tp_dealloc, holder_dealloc},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "ringamp._native.Holder",
    .basicsize = sizeof(struct holder),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .slots = slots,
};

int
ra_holder_setup(void)
{
    holder_type = (PyTypeObject *)PyType_FromSpec(&spec);
    if (holder_type == NULL)
        return -1;
    ra_keep_for_ever((PyObject *)holder_type);
    return 0;
}

#endif
