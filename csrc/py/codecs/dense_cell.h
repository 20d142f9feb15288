/* One dense vector of any type: is the value that a user gave for it good, and what are its bytes?
 * Shared by the columns of vectors (dense_vector.c) and the vectors inside struct arrays
 * (vector_array.c). */
#ifndef MVN_PY_CODECS_DENSE_CELL_H
#define MVN_PY_CODECS_DENSE_CELL_H

#include "codec.h"
#include "../vectors.h"

/* What sets a dense vector type apart from the others. */
typedef struct {
    uint32_t slot;          /* its member of VectorField */
    mvn_element native;     /* what it is made of; U8 for packed bits */
    bool half;              /* 16-bit floats, which may also be sent as binary32 */
    bool strict;            /* values of a wrong type are ParamError, not DataNotMatchException */
    const char *unit;       /* of lengths in messages: "floats" */
    const char *bad_type;   /* how pymilvus begins its complaints */
    const char *bad_array;
} PyMvn_DenseType;

/* Where a vector is, for messages. */
typedef struct {
    const PyMvn_Column *column;
    Py_ssize_t row;
    Py_ssize_t element; /* index among the vectors of a struct array's row, else -1 */
} PyMvn_DensePlace;

/* The entry of a dense vector type (or element type), NULL for any other type. */
const PyMvn_DenseType *PyMvn_Dense_Find(int32_t type);

/* Bytes of a vector in native form; 0 when `dim` is not a dimension. */
size_t PyMvn_Dense_NativeSize(const PyMvn_DenseType *type, int64_t dim);

/* Checks that `*object` (owned by the caller; may be replaced by an equal list or array) is a
 * vector of `dim` elements, and takes its buffer into `view`, which the caller releases. `*native`
 * tells that it comes as native bytes (which matters for half types: other vectors may be sent as
 * binary32). 0, or -1 with the exception that the user sees. Runs Python code. */
int PyMvn_Dense_Check(const PyMvn_DensePlace *place, const PyMvn_DenseType *type, int64_t dim,
                      PyObject **object, PyMvn_VectorView *view, bool *native);

/* The same check for a view of two dimensions, all rows of which are alike; place->row is what a
 * failure names. Takes nothing. */
int PyMvn_Dense_CheckMatrix(const PyMvn_DensePlace *place, const PyMvn_DenseType *type,
                            int64_t dim, PyObject *object, const PyMvn_VectorView *view,
                            bool *native);

/* Writes a vector that was checked: as binary32 if `as_f32`, else in native form. An exact list is
 * checked again as it is read. 0 or -1 as above. Runs Python code. */
int PyMvn_Dense_Write(const PyMvn_DensePlace *place, const PyMvn_DenseType *type, int64_t dim,
                      PyObject *object, const PyMvn_VectorView *view, bool as_f32, uint8_t *out);

/* The exception for element `index` of `source`, which does not fit. Always -1. */
int PyMvn_Dense_FailElement(const PyMvn_DensePlace *place, const PyMvn_DenseType *type,
                            PyObject *object, const mvn_strided *source, size_t index);

/* Writes one row of a buffer that was checked. The index of an element that does not fit, or the
 * number of elements when all do. No Python code runs; the GIL is not needed. */
size_t PyMvn_Dense_WriteStrided(const PyMvn_DenseType *type, int64_t dim,
                                const mvn_strided *source, bool bytes, bool as_f32, uint8_t *out);

#endif
