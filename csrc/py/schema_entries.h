/* The entries of a SchemaCache: from key to schema, in the order of their last use.
 *
 * Not safe between threads: SchemaCache holds its lock around each call. Keys are such that no
 * look-up runs Python code, and neither do the ends of an entry and of a schema; so none of these
 * functions does. */
#ifndef MVN_PY_SCHEMA_ENTRIES_H
#define MVN_PY_SCHEMA_ENTRIES_H

#include <stdbool.h>
#include <stdint.h>

#include "state.h"

/* One schema. A Python object so that a dict can hold it; not reachable from Python. */
typedef struct PyMvn_SchemaEntry {
    PyObject_HEAD
    PyObject *key;                   /* strong */
    PyObject *schema;                /* strong */
    struct PyMvn_SchemaEntry *older; /* borrowed, as `newer`: both are in the table, or NULL */
    struct PyMvn_SchemaEntry *newer;
    uint64_t generation; /* in which its fetch started */
    int64_t stored;      /* when it was made; see PyMvn_Now */
} PyMvn_SchemaEntry;

typedef struct {
    PyObject *table;           /* strong: dict of key to PyMvn_SchemaEntry */
    PyMvn_SchemaEntry *oldest; /* borrowed: the entries of `table` by their last use */
    PyMvn_SchemaEntry *newest;
} PyMvn_SchemaEntries;

/* 0, or -1 with MemoryError and an empty struct. */
int PyMvn_SchemaEntries_Open(PyMvn_SchemaEntries *entries);

void PyMvn_SchemaEntries_Close(PyMvn_SchemaEntries *entries);

/* An entry that is in no table yet. New reference or NULL. */
PyMvn_SchemaEntry *PyMvn_SchemaEntry_New(PyMvn_State *state, PyObject *key, PyObject *schema,
                                         uint64_t generation);

/* Whether it is `max_age` seconds old; never if that is negative. */
bool PyMvn_SchemaEntry_IsExpired(const PyMvn_SchemaEntry *entry, double max_age);

/* The entry of a key, borrowed; NULL, perhaps with an exception, when there is none. */
PyMvn_SchemaEntry *PyMvn_SchemaEntries_Find(const PyMvn_SchemaEntries *entries, PyObject *key);

/* Makes an entry of the table the one used last. */
void PyMvn_SchemaEntries_Use(PyMvn_SchemaEntries *entries, PyMvn_SchemaEntry *entry);

/* Takes in `entry` as the one used last, in place of `replaced` of the same key, or NULL. The caller
 * holds a reference to both. 0, or -1 with nothing changed. */
int PyMvn_SchemaEntries_Put(PyMvn_SchemaEntries *entries, PyMvn_SchemaEntry *entry,
                            PyMvn_SchemaEntry *replaced);

/* Takes out `entry`, to which the caller holds a reference. 0, or -1 with nothing changed. */
int PyMvn_SchemaEntries_Remove(PyMvn_SchemaEntries *entries, PyMvn_SchemaEntry *entry);

/* A new list of them, or NULL. */
PyObject *PyMvn_SchemaEntries_List(const PyMvn_SchemaEntries *entries);

/* How many there are. */
Py_ssize_t PyMvn_SchemaEntries_Count(const PyMvn_SchemaEntries *entries);

/* Memory of the schemas, in bytes. */
size_t PyMvn_SchemaEntries_Size(const PyMvn_SchemaEntries *entries);

/* Makes the type of an entry. 0 or -1. */
int PyMvn_SchemaEntries_Init(PyObject *module, PyMvn_State *state);

#endif
