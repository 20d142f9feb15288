/* Search data: the vectors or texts of a search, as a PlaceholderGroup. */
#ifndef MVN_PY_PLACEHOLDERS_H
#define MVN_PY_PLACEHOLDERS_H

#include "state.h"
#include "../core/buffer.h"

/* Appends the body of a PlaceholderGroup to `out`: one placeholder "$0" whose type follows from
 * the first item, and `*nq` values. `data` is a list or array of vectors (lists, bytes, arrays, or
 * other buffers), a list of str, or sparse vectors in any form. `bytes_type` is the data type that
 * vectors given as bytes have (0: BINARY_VECTOR). `embedding_list`: each array is several vectors
 * end to end.
 * 0, or -1 with ParamError for data that cannot be searched for, or with whatever the data's own
 * code raised. On failure `out` may have grown, its old bytes are as they were. Runs Python code. */
int PyMvn_Placeholders_Append(PyMvn_State *state, mvn_buffer *out, PyObject *data, int bytes_type,
                              int embedding_list, Py_ssize_t *nq);

#endif
