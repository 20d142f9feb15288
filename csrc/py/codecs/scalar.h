/* Numbers in packed wire form, for columns of numbers and for arrays of them. */
#ifndef MVN_PY_CODECS_SCALAR_H
#define MVN_PY_CODECS_SCALAR_H

#include "codec.h"
#include "../../core/buffer.h"

/* The member of ScalarField that holds elements of a type, or 0 for one that no member of this
 * encoder holds. */
uint32_t PyMvn_Scalar_Member(int32_t type);

/* Appends one number. `type` is one of BOOL to DOUBLE; integers must lie in its range. 0, or -1
 * with TypeError or ValueError for a value that is no such number (the caller adds the place).
 * May run Python code. */
int PyMvn_Scalar_Append(mvn_buffer *out, int32_t type, PyObject *value);

/* Appends all numbers of a one-dimensional buffer (an array of NumPy, array.array, memoryview)
 * without making Python objects of them. 1: done, *count numbers. 0: not such a buffer, not of
 * numbers that `type` takes, or one of them is out of range; nothing was appended, and taking the
 * elements one by one says what is wrong. -1 with an exception. */
int PyMvn_Scalar_AppendBuffer(mvn_buffer *out, int32_t type, PyObject *exporter,
                              Py_ssize_t *count);

#endif
