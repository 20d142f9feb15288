/* DescribeIndex, as far as an iterator needs it: the names and parameters of a collection's
 * indexes. */
#ifndef MVN_PY_INDEXES_H
#define MVN_PY_INDEXES_H

#include "state.h"

/* Adds index_request and parse_indexes to the module. 0 or -1. */
int PyMvn_Indexes_Init(PyObject *module, PyMvn_State *state);

#endif
