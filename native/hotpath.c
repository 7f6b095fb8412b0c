/* SPDX-License-Identifier: MIT */
/*
 * The builtins of the hot path: Python objects in, a position or a code out.
 * With copy.c and passage.c the only C code that knows Python.
 *
 * They are METH_FASTCALL functions and not cffi calls because cffi's wrappers
 * release the GIL around every call: beside one CPU-bound thread a push then
 * waits a switch interval (5 ms) to get it back. Keeping it for the 0.1 us
 * of a push costs nobody anything.
 *
 * House law in here: no waiting, no GIL release (but in close()), and no call
 * of anything written in Python; the one call out is push_event's, of the encoder, which
 * is C as well and takes as long as the event is large. The look-ups are by
 * exact strings in a dictionary that the encoder has accepted, whose keys are
 * strings.
 */
#include "hotpath.h"

#include <time.h>

#include "generation.h"
#include "idcheck.h"
#include "ring.h"
#include "without_gil.h"

#if defined(_WIN32)
#define EXPORTED __declspec(dllexport)
#else
#define EXPORTED __attribute__((visibility("default")))
#endif

/* What is wrong with one id; 0 is nothing. */
enum {
    RA_ID_FINE = 0,
    RA_ID_ABSENT = 1,
    RA_ID_NO_STRING = 2,
    RA_ID_SHORT = 3,
    RA_ID_REFUSED = 4,
};

enum { TYPE, USER, DEVICE, TIME, INSERT, LIBRARY, FIELD_COUNT };

static const char *const field_names[FIELD_COUNT] = {
    "event_type", "user_id", "device_id", "time", "insert_id", "library",
};
static PyObject *field_keys[FIELD_COUNT];

/* encoder(event, None, encoder_option) gives bytes. */
static PyObject *encoder;
static PyObject *encoder_option;

static int
id_fault(PyObject *id, uint64_t min_length, int is_device)
{
    char text[RA_REFUSED_MAX];
    Py_ssize_t length, i;

    if (id == NULL || id == Py_None)
        return RA_ID_ABSENT;
    if (!PyUnicode_Check(id))
        return RA_ID_NO_STRING;
    length = PyUnicode_GetLength(id);
    if (length == 0)
        return RA_ID_ABSENT;
    if ((uint64_t)length < min_length)
        return RA_ID_SHORT;
    if (!ra_id_may_be_refused((size_t)length, PyUnicode_ReadChar(id, 0)))
        return RA_ID_FINE;
    for (i = 0; i < length; i++) {
        Py_UCS4 character = PyUnicode_ReadChar(id, i);

        if (character >= 0x80)
            return RA_ID_FINE;
        text[i] = (char)character;
    }
    return ra_id_is_refused(text, (size_t)length, is_device) ? RA_ID_REFUSED
                                                             : RA_ID_FINE;
}

static int
is_space(Py_UCS4 character)
{
    return character == ' ' || (character >= '\t' && character <= '\r');
}

/*
 * A name made of white space alone is refused like an empty one.
 */
static int
is_event_type(PyObject *type)
{
    Py_ssize_t length, i;

    if (type == NULL || !PyUnicode_Check(type))
        return 0;
    length = PyUnicode_GetLength(type);
    for (i = 0; i < length; i++)
        if (!is_space(PyUnicode_ReadChar(type, i)))
            return 1;
    return 0;
}

static uint64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/*
 * The bucket of an id, as it stands in a record's flags. An id is a string,
 * which keeps its hash, so this cannot fail.
 */
static int
bucket_of(PyObject *id)
{
    uint64_t mixed =
        (uint64_t)PyObject_Hash(id) * UINT64_C(0x9E3779B97F4A7C15);

    return (int)(mixed >> 59) << RA_BUCKET_SHIFT;
}

/*
 * What the fields say: the flags of what the event lacks, or a code. A field
 * that is NULL is not in the payload. One that is there but None, or a time
 * that is no int, needs the careful road.
 */
static int
inspect(const struct ra_ring *ring, PyObject *const *fields)
{
    int user, device, flags = 0;

    if (!is_event_type(fields[TYPE]))
        return RA_NO_EVENT_TYPE;

    user = id_fault(fields[USER], ring->min_id_length, 0);
    device = id_fault(fields[DEVICE], ring->min_id_length, 1);
    if (user > RA_ID_ABSENT || device > RA_ID_ABSENT)
        return RA_BAD_ID;
    if (user == RA_ID_ABSENT && device == RA_ID_ABSENT)
        return RA_NO_ID;
    if (ring->is_dealt)
        flags = bucket_of(fields[user == RA_ID_FINE ? USER : DEVICE]);

    if (fields[TIME] == NULL)
        flags |= RA_LACKS_TIME;
    else if (!PyLong_CheckExact(fields[TIME]))
        return RA_UNCLEAN;
    if (fields[INSERT] == NULL)
        flags |= RA_LACKS_INSERT_ID;
    else if (!PyUnicode_CheckExact(fields[INSERT]))
        return RA_UNCLEAN;
    if (fields[LIBRARY] == NULL)
        flags |= RA_LACKS_LIBRARY;
    else if (!PyUnicode_CheckExact(fields[LIBRARY]))
        return RA_UNCLEAN;
    return flags;
}

static PyObject *
push(PyObject *self, PyObject *payload, PyObject *event)
{
    struct ra_ring *ring = PyCapsule_GetPointer(self, NULL);
    PyObject *fields[FIELD_COUNT];
    char *bytes;
    Py_ssize_t length;
    int i, flags;

    if (ring == NULL || PyBytes_AsStringAndSize(payload, &bytes, &length) < 0)
        return NULL;
    if (ring->generation != ra_generation())
        return PyLong_FromLong(RA_FORKED);
    /* The shortest object with a key, {"":0}; splice.c counts on the {" */
    if (length < 6 || bytes[0] != '{' || bytes[1] != '"')
        return PyLong_FromLong(RA_UNCLEAN);
    for (i = 0; i < FIELD_COUNT; i++)
        if (ra_look_up(event, field_keys[i], &fields[i]) < 0) {
            ra_let_go(fields, i);
            return NULL;
        }
    flags = inspect(ring, fields);
    ra_let_go(fields, FIELD_COUNT);
    if (flags < 0)
        return PyLong_FromLong(flags);
    return PyLong_FromLongLong(
        ra_push_open(ring, bytes, (uint64_t)length, (unsigned)flags, now_ms(),
                     RA_FORKED));
}

/*
 * push_dict(payload, event): push what the caller has encoded.
 */
static PyObject *
push_dict(PyObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    if (nargs != 2 || !PyDict_Check(args[1])) {
        PyErr_SetString(PyExc_TypeError,
                        "push_dict takes the payload and the event's dict");
        return NULL;
    }
    return push(self, args[0], args[1]);
}

/*
 * push_event(event): encode and push in one call. Whatever the encoder
 * refuses is RA_UNCLEAN: the careful road finds out why.
 */
PyObject *
ra_push_event(PyObject *self, PyObject *event)
{
    PyObject *payload, *answer;

    if (!PyDict_Check(event))
        return PyLong_FromLong(RA_UNCLEAN);
    payload = PyObject_CallFunctionObjArgs(encoder, event, Py_None,
                                           encoder_option, NULL);
    if (payload == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_Exception))
            return NULL; /* KeyboardInterrupt and its like. */
        PyErr_Clear();
        return PyLong_FromLong(RA_UNCLEAN);
    }
    answer = push(self, payload, event);
    Py_DECREF(payload);
    return answer;
}

/*
 * close(): every later push answers RA_FORKED, and every earlier one has been
 * committed when this returns.
 */
static PyObject *
close_ring(PyObject *self, PyObject *none)
{
    struct ra_ring *ring = PyCapsule_GetPointer(self, NULL);

    (void)none;
    if (ring == NULL)
        return NULL;
    ra_shut(ring);
    Py_RETURN_NONE;
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
        id_fault(args[0], min_length, args[2] == Py_True));
}

#define FASTCALL(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef push_methods[] = {
    {"push_dict", FASTCALL(push_dict), METH_FASTCALL, NULL},
    {"push_event", ra_push_event, METH_O, NULL},
    {"begin", FASTCALL(ra_begin), METH_FASTCALL, NULL},
    {"close", close_ring, METH_NOARGS, NULL},
};

static PyMethodDef free_methods[] = {
    {"copy_event", copy_event, METH_O, NULL},
    {"check_id", FASTCALL(check_id), METH_FASTCALL, NULL},
    {"begin_unpushed", FASTCALL(ra_begin), METH_FASTCALL, NULL},
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

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
ra_builtins(PyObject *encode, PyObject *option)
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

    Py_INCREF(encode);
    Py_INCREF(option);
    Py_XDECREF(encoder);
    Py_XDECREF(encoder_option);
    encoder = encode;
    encoder_option = option;

    if (into == NULL || ra_passage_setup() < 0 ||
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
    for (i = 0; i < FIELD_COUNT; i++) {
        if (field_keys[i] == NULL)
            field_keys[i] = PyUnicode_InternFromString(field_names[i]);
        if (field_keys[i] == NULL)
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
