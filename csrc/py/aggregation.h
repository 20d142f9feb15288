/* The result of a search aggregation. */
#ifndef MVN_PY_AGGREGATION_H
#define MVN_PY_AGGREGATION_H

#include "reply.h"

/* A new list of the registered AggregationBucket objects, one for each message of `buckets`. NULL
 * with an exception set; DecodeError when they are malformed or nested deeper than MVN_MAX_DEPTH. */
PyObject *PyMvn_Aggregation_Buckets(PyMvn_State *state, const mvn_spans *buckets);

#endif
