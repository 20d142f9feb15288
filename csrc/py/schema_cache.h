/* SchemaCache: compiled schemas by key, least recently used out first.
 *
 * A schema that was asked for before an invalidation never enters after it: a fetch notes the
 * generation it starts in, and put refuses what is older than the last invalidation of its key.
 * Keys are tuples of str, int and None, so that no look-up runs Python code; the lock (in
 * free-threaded builds; the GIL does otherwise) is held for operations on the table alone. */
#ifndef MVN_PY_SCHEMA_CACHE_H
#define MVN_PY_SCHEMA_CACHE_H

#include "state.h"

/* Adds the type SchemaCache to the module. 0 or -1. */
int PyMvn_SchemaCache_Init(PyObject *module, PyMvn_State *state);

#endif
