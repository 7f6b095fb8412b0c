/* SPDX-License-Identifier: MIT */
/*
 * The builtins of the hot path: Python objects in, a position or a code out.
 * With fields.c, structs.c, entrance.c, holder.c, passage.c, copy.c and
 * thread.c the only C code that knows Python.
 *
 * They are METH_FASTCALL functions and not cffi calls because cffi's wrappers
 * release the GIL around every call: beside one CPU-bound thread a push then
 * waits a switch interval (5 ms) to get it back. Keeping it for the 0.1 us
 * of a push costs nobody anything.
 *
 * House law in here: no waiting, no GIL release (but in close()), and no call
 * of anything written in Python; the one call out is of the encoder, which is
 * C as well and takes as long as the event is large.
 */
#include "hotpath.h"

#include <time.h>

#include "fields.h"
#include "generation.h"
#include "ring.h"
#include "without_gil.h"

#if defined(_WIN32)
#define EXPORTED __declspec(dllexport)
#else
#define EXPORTED __attribute__((visibility("default")))
#endif

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* encoder(event, None, encoder_option) gives bytes. */
static PyObject *encoder;
static PyObject *encoder_option;

/* What the encoder is made of, if it is a builtin of the usual kind: calling
   that costs less than calling the object. */
typedef PyObject *(*fast_builtin)(PyObject *, PyObject *const *, Py_ssize_t,
                                  PyObject *);
static fast_builtin encoder_function;

static uint64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/*
 * Push what the encoder made of `event`.
 */
static int64_t
push(struct ra_ring *ring, PyObject *payload, PyObject *event)
{
    char *bytes;
    Py_ssize_t length;
    int flags;

    if (PyBytes_AsStringAndSize(payload, &bytes, &length) < 0)
        return RA_RAISED;
    if (ring->generation != ra_generation())
        return RA_FORKED;
    /* The shortest object with a key, {"":0}; splice.c counts on the {" */
    if (length < 6 || bytes[0] != '{' || bytes[1] != '"')
        return RA_UNCLEAN;
    flags = ra_look_at(ring, event);
    if (flags < 0)
        return flags;
    return ra_push_open(ring, bytes, (uint64_t)length, (unsigned)flags,
                        now_ms(), RA_FORKED);
}

static PyObject *
as_answer(int64_t at)
{
    return at == RA_RAISED ? NULL : PyLong_FromLongLong(at);
}

/*
 * push_dict(payload, event): push what the caller has encoded.
 */
static PyObject *
push_dict(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    struct ra_ring *ring = PyCapsule_GetPointer(self, NULL);

    if (ring == NULL)
        return NULL;
    if (nargs != 2 || !PyDict_Check(args[1])) {
        PyErr_SetString(PyExc_TypeError,
                        "push_dict takes the payload and the event's dict");
        return NULL;
    }
    return as_answer(push(ring, args[0], args[1]));
}

static PyObject *
encode(PyObject *event)
{
    PyObject *args[] = {event, Py_None, encoder_option};

    if (encoder_function != NULL)
        return encoder_function(PyCFunction_GetSelf(encoder), args, 3, NULL);
    return PyObject_CallFunctionObjArgs(encoder, event, Py_None,
                                        encoder_option, NULL);
}

/*
 * What was raised: RA_UNCLEAN, since the careful road finds out why; but not
 * for KeyboardInterrupt and its like.
 */
static int64_t
unclean(void)
{
    if (!PyErr_ExceptionMatches(PyExc_Exception))
        return RA_RAISED;
    PyErr_Clear();
    return RA_UNCLEAN;
}

int64_t
ra_push_event(struct ra_ring *ring, PyObject *event)
{
    PyObject *dict, *payload;
    int64_t at;

    if (PyDict_Check(event)) {
        dict = event;
        Py_INCREF(dict);
    } else {
        dict = ra_set_fields(event);
        if (dict == NULL)
            return PyErr_Occurred() ? unclean() : RA_UNCLEAN;
    }
    payload = encode(dict);
    at = payload == NULL ? unclean() : push(ring, payload, dict);
    Py_XDECREF(payload);
    Py_DECREF(dict);
    return at;
}

/*
 * push_event(event): encode and push in one call.
 */
static PyObject *
push_event(PyObject *self, PyObject *event)
{
    struct ra_ring *ring = PyCapsule_GetPointer(self, NULL);

    return ring == NULL ? NULL : as_answer(ra_push_event(ring, event));
}

/*
 * close(): refuse all later pushes; all earlier ones have been committed when
 * it returns.
 */
static PyObject *
close_ring(PyObject *self, PyObject *unused)
{
    struct ra_ring *ring = PyCapsule_GetPointer(self, NULL);

    (void)unused;
    if (ring == NULL)
        return NULL;
    ra_shut(ring);
    return Py_NewRef(Py_None);
}

static PyObject *
copy_event(PyObject *module, PyObject *event)
{
    (void)module;
    if (!PyDict_Check(event)) {
        PyErr_SetString(PyExc_TypeError, "copy_event takes a dict");
        return NULL;
    }
    return ra_copy_event(event);
}

static PyObject *
check_id(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    unsigned long long min_length;

    (void)module;
    if (nargs != 3) {
        PyErr_SetString(PyExc_TypeError, "check_id takes the id, the minimum "
                                         "length and whether it is a "
                                         "device's");
        return NULL;
    }
    min_length = PyLong_AsUnsignedLongLong(args[1]);
    if (PyErr_Occurred())
        return NULL;
    return PyLong_FromLong(
        ra_id_fault(args[0], min_length, args[2] == Py_True));
}

#define FASTCALL(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef push_methods[] = {
    {"push_dict", FASTCALL(push_dict), METH_FASTCALL, NULL},
    {"push_event", push_event, METH_O, NULL},
    {"enter", FASTCALL(ra_enter), METH_FASTCALL, NULL},
    {"close", close_ring, METH_NOARGS, NULL},
};

static PyMethodDef free_methods[] = {
    {"copy_event", copy_event, METH_O, NULL},
    {"check_id", FASTCALL(check_id), METH_FASTCALL, NULL},
    {"enter_unpushed", FASTCALL(ra_enter), METH_FASTCALL, NULL},
    {"know_struct", FASTCALL(ra_know_struct), METH_FASTCALL, NULL},
    {"set_fields", ra_set_fields_or_none, METH_O, NULL},
};

static int
add_methods(PyObject *into, PyMethodDef *methods, size_t count, PyObject *self)
{
    size_t i;

    for (i = 0; i < count; i++) {
        PyObject *function = PyCFunction_NewEx(&methods[i], self, NULL);
        int failed =
            function == NULL ||
            PyDict_SetItemString(into, methods[i].ml_name, function) < 0;

        Py_XDECREF(function);
        if (failed)
            return -1;
    }
    return 0;
}

/*
 * ra_builtins: the builtins that need no ring, and the codes. Takes what
 * encodes an event.
 *
 * => Called through ctypes.PyDLL, so with the GIL held; once, at import. A
 *    dict.
 */
EXPORTED PyObject *
ra_builtins(PyObject *encode_event, PyObject *option)
{
    static const struct {
        const char *name;
        int value;
    } codes[] = {
        {"FULL", RA_FULL},
        {"TOO_BIG", RA_TOO_BIG},
        {"FORKED", RA_FORKED},
        {"NO_EVENT_TYPE", RA_NO_EVENT_TYPE},
        {"NO_ID", RA_NO_ID},
        {"BAD_ID", RA_BAD_ID},
        {"UNCLEAN", RA_UNCLEAN},
        {"UNDER_WAY", RA_UNDER_WAY},
        {"AGAIN", RA_AGAIN},
        {"ID_FINE", RA_ID_FINE},
        {"ID_ABSENT", RA_ID_ABSENT},
        {"ID_NO_STRING", RA_ID_NO_STRING},
        {"ID_SHORT", RA_ID_SHORT},
        {"ID_REFUSED", RA_ID_REFUSED},
    };
    PyObject *into = PyDict_New();
    size_t i;

    Py_INCREF(encode_event);
    Py_INCREF(option);
    Py_XDECREF(encoder);
    Py_XDECREF(encoder_option);
    encoder = encode_event;
    encoder_option = option;
    if (PyCFunction_CheckExact(encode_event) &&
        PyCFunction_GetFlags(encode_event) == (METH_FASTCALL | METH_KEYWORDS))
        encoder_function =
            (fast_builtin)(void (*)(void))PyCFunction_GetFunction(encode_event);

    if (into == NULL || ra_fields_setup() < 0 || ra_passage_setup() < 0 ||
        ra_entrance_setup() < 0 ||
        PyDict_SetItemString(into, "Receipt", ra_receipt_type) < 0 ||
        add_methods(into, free_methods, COUNT(free_methods), NULL) < 0)
        goto failed;
    for (i = 0; i < COUNT(codes); i++) {
        PyObject *value = PyLong_FromLong(codes[i].value);
        int bad = value == NULL ||
                  PyDict_SetItemString(into, codes[i].name, value) < 0;

        Py_XDECREF(value);
        if (bad)
            goto failed;
    }
    return into;

failed:
    Py_XDECREF(into);
    return NULL;
}

static void
drop_owner(PyObject *capsule)
{
    Py_XDECREF((PyObject *)PyCapsule_GetContext(capsule));
}

/*
 * ra_bind: the builtins of one ring.
 *
 * => Called through ctypes.PyDLL, so with the GIL held. `ring` lies in memory
 *    that `owner` keeps alive, and so does its region; the builtins keep
 *    `owner` alive. A dict.
 */
EXPORTED PyObject *
ra_bind(struct ra_ring *ring, PyObject *owner)
{
    PyObject *into = PyDict_New();
    PyObject *capsule = PyCapsule_New(ring, NULL, drop_owner);

    if (into == NULL || capsule == NULL)
        goto failed;
    if (PyCapsule_SetContext(capsule, owner) < 0)
        goto failed;
    Py_INCREF(owner);
    if (add_methods(into, push_methods, COUNT(push_methods), capsule) < 0)
        goto failed;
    Py_DECREF(capsule);
    return into;

failed:
    Py_XDECREF(capsule);
    Py_XDECREF(into);
    return NULL;
}
