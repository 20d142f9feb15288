/* SearchRequest, HybridSearchRequest, QueryRequest and DeleteRequest as bytes.
 *
 * The module functions encode_search, encode_hybrid_search, encode_query and encode_delete
 * (signatures and errors: _core.pyi) write each message in one pass into one buffer. What the
 * arguments mean is decided in milvus_native/requests.py; here they only become fields. */
#ifndef MVN_PY_REQUESTS_H
#define MVN_PY_REQUESTS_H

#include "state.h"

/* Adds the functions to the module. 0 or -1. */
int PyMvn_Requests_Init(PyObject *module, PyMvn_State *state);

#endif
