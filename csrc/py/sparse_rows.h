/* Sparse vectors as Python objects: dicts, lists of pairs, and scipy's matrices, which are known by
 * their attributes (scipy is never imported).
 *
 * Failures are TypeError for what is no sparse vector at all and ValueError for an index or value
 * that cannot be; the caller says it in its own words. */
#ifndef MVN_PY_SPARSE_ROWS_H
#define MVN_PY_SPARSE_ROWS_H

#include "vectors.h"
#include "../core/sparse.h"

/* A scipy sparse matrix or array in rows. All zero when nothing is held. */
typedef struct {
    PyMvn_VectorView indices;
    PyMvn_VectorView values;
    size_t *offsets; /* n_rows + 1 of them, ascending and inside both views */
    Py_ssize_t n_rows;
} PyMvn_Csr;

/* Takes the memory of a scipy matrix of any format. 1: held; 0: `object` is none; -1. Runs Python
 * code. */
int PyMvn_Csr_Take(PyObject *object, PyMvn_Csr *csr);

void PyMvn_Csr_Release(PyMvn_Csr *csr);

/* Pairs of a row. */
static inline size_t PyMvn_Csr_Count(const PyMvn_Csr *csr, Py_ssize_t row)
{
    return csr->offsets[row + 1] - csr->offsets[row];
}

/* Writes a row, sorted: 8 bytes a pair. 0 or -1. */
int PyMvn_Csr_Write(const PyMvn_Csr *csr, Py_ssize_t row, uint8_t *out);

/* Takes one row in any form and finds how many pairs it has. `*object` (owned by the caller) is
 * afterwards a dict, an exact list or tuple, or bytes with the finished row. -1 with TypeError
 * when it is no row at all; the pairs of dicts and lists are not looked at. Runs Python code. */
Py_ssize_t PyMvn_SparseRow_Open(PyObject **object);

/* Writes what PyMvn_SparseRow_Open returned, sorted. The number of pairs is checked again. 0 or -1.
 * Runs Python code. */
int PyMvn_SparseRow_Write(PyObject *object, Py_ssize_t count, uint8_t *out);

#endif
