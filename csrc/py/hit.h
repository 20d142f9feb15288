/* Hit: one row of a search result, a dict with attributes. */
#ifndef MVN_PY_HIT_H
#define MVN_PY_HIT_H

#include "state.h"

/* A new Hit without items, or NULL with an exception set. `pk_name` is the str under which the
 * primary key is going to be stored. */
PyObject *PyMvn_Hit_New(PyMvn_State *state, PyObject *pk_name);

/* Makes the type and adds it to the module. 0 or -1. */
int PyMvn_Hit_Init(PyObject *module, PyMvn_State *state);

#endif
