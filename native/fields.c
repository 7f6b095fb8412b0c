/* SPDX-License-Identifier: MIT */
/*
 * The fields of an event that the core looks at: found in its dict, judged,
 * and turned into the flags of what the event lacks.
 *
 * They are looked for by exact strings in a dictionary that the encoder has
 * accepted, whose keys are strings.
 */
#include "fields.h"

#include <string.h>

#include "idcheck.h"
#include "without_gil.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Keys of a dict beyond which a look-up for each field costs less than one
   pass over all. */
#define SCAN_MAX 24

enum { NONE = -1, TYPE, USER, DEVICE, TIME, INSERT, LIBRARY, FIELD_COUNT };

static const char *const field_names[FIELD_COUNT] = {
    "event_type", "user_id", "device_id", "time", "insert_id", "library",
};
static PyObject *field_keys[FIELD_COUNT];

int
ra_id_fault(PyObject *id, uint64_t min_length, int is_device)
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

    user = ra_id_fault(fields[USER], ring->min_id_length, 0);
    device = ra_id_fault(fields[DEVICE], ring->min_id_length, 1);
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

/*
 * The field that a key names, FIELD_COUNT if none. Keys in a program's text
 * are interned, so most comparisons are of pointers.
 */
static int
field_of(PyObject *key)
{
    /* The fields by the length of their names, two at most. */
    static const signed char by_length[][2] = {
        {NONE, NONE}, {NONE, NONE},   {NONE, NONE}, {NONE, NONE},
        {TIME, NONE}, {NONE, NONE},   {NONE, NONE}, {USER, LIBRARY},
        {NONE, NONE}, {DEVICE, INSERT}, {TYPE, NONE},
    };
    Py_ssize_t length;
    int i;

    for (i = 0; i < FIELD_COUNT; i++)
        if (key == field_keys[i])
            return i;
    length = PyUnicode_GetLength(key);
    for (i = 0; (size_t)length < COUNT(by_length) && i < 2; i++) {
        int field = by_length[length][i];

        if (field != NONE && PyUnicode_Compare(key, field_keys[field]) == 0)
            return field;
    }
    return FIELD_COUNT;
}

/*
 * Find the fields in one pass over the dict. 0 if it has keys that are not
 * plain strings, or if a look-up for each field costs less.
 */
static int
scan(PyObject *event, PyObject **fields)
{
    /* One place more, for all that is none of the fields. */
    PyObject *found[FIELD_COUNT + 1] = {NULL};
    PyObject *key, *value;
    Py_ssize_t at = 0;

    if (RA_CAN_CHANGE_MEANWHILE || PyDict_Size(event) > SCAN_MAX)
        return 0;
    while (PyDict_Next(event, &at, &key, &value)) {
        if (!PyUnicode_CheckExact(key))
            return 0;
        found[field_of(key)] = value;
    }
    memcpy(fields, found, FIELD_COUNT * sizeof(fields[0]));
    return 1;
}

int
ra_look_at(const struct ra_ring *ring, PyObject *event)
{
    PyObject *fields[FIELD_COUNT];
    int i, flags;

    if (!scan(event, fields))
        for (i = 0; i < FIELD_COUNT; i++)
            if (ra_look_up(event, field_keys[i], &fields[i]) < 0) {
                ra_let_go(fields, i);
                return RA_RAISED;
            }
    flags = inspect(ring, fields);
    ra_let_go(fields, FIELD_COUNT);
    return flags;
}

int
ra_fields_setup(void)
{
    int i;

    for (i = 0; i < FIELD_COUNT; i++) {
        if (field_keys[i] == NULL)
            field_keys[i] = PyUnicode_InternFromString(field_names[i]);
        if (field_keys[i] == NULL)
            return -1;
    }
    return 0;
}
