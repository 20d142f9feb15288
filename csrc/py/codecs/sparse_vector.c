/* Columns of SPARSE_FLOAT_VECTOR: VectorField{sparse_float_vector{contents...}}, without the
 * dimensions, which pymilvus leaves out for rows. */
#include "codec.h"
#include "../sparse_rows.h"

typedef struct {
    PyMvn_Csr whole;    /* of column->whole */
    uint32_t *counts;   /* pairs of each row, of cells */
    size_t contents;    /* bytes of the rows with their tags and lengths */
} Sparse;

static Sparse *sparse_of(PyMvn_Column *column)
{
    if (column->scratch == NULL) {
        column->scratch = PyMem_Calloc(1, sizeof(Sparse));
        if (column->scratch == NULL) {
            PyErr_NoMemory();
        }
    }
    return column->scratch;
}

/* Every complaint about a sparse vector is ParamError, as in pymilvus. */
static int fail_row(const PyMvn_Column *column, Py_ssize_t row)
{
    PyObject *text = PyMvn_Vector_Complaint();
    if (text != NULL) {
        PyMvn_Column_Fail(column, row, "ParamError", "%U", text);
        Py_DECREF(text);
    }
    return -1;
}

static int sparse_adopt(PyMvn_Column *column, PyObject *whole)
{
    Sparse *sparse = sparse_of(column);
    if (sparse == NULL) {
        return -1;
    }
    int taken = PyMvn_Csr_Take(whole, &sparse->whole);
    if (taken < 0) {
        return fail_row(column, 0);
    }
    if (taken > 0 && sparse->whole.n_rows != column->n_rows) {
        PyMvn_Csr_Release(&sparse->whole);
        taken = 0;
    }
    return taken;
}

static int sparse_measure(PyMvn_Column *column, Py_ssize_t begin, Py_ssize_t end)
{
    Sparse *sparse = sparse_of(column);
    if (sparse == NULL) {
        return -1;
    }
    bool adopted = sparse->whole.offsets != NULL;
    if (!adopted && sparse->counts == NULL) {
        sparse->counts = PyMem_New(uint32_t, (size_t)column->n_rows);
        if (sparse->counts == NULL) {
            PyErr_NoMemory();
            return -1;
        }
    }
    for (Py_ssize_t row = begin; row < end; row++) {
        size_t count;
        if (adopted) {
            count = PyMvn_Csr_Count(&sparse->whole, row);
        } else if (column->cells[row] == NULL) {
            continue;
        } else {
            Py_ssize_t pairs = PyMvn_SparseRow_Open(&column->cells[row]);
            if (pairs < 0) {
                return fail_row(column, row);
            }
            count = (size_t)pairs;
            sparse->counts[row] = (uint32_t)pairs;
        }
        if (count > MVN_MAX_MESSAGE / MVN_SPARSE_PAIR || sparse->contents > MVN_MAX_MESSAGE) {
            return PyMvn_Column_Fail(column, row, "ParamError",
                                     "the sparse vectors up to here exceed 2 GiB");
        }
        sparse->contents += mvn_bytes_field_size(1, count * MVN_SPARSE_PAIR);
    }
    return 0;
}

static size_t sparse_size(const PyMvn_Column *column)
{
    const Sparse *sparse = column->scratch;
    if (sparse == NULL || column->n_valid == 0) {
        return 0;
    }
    return mvn_bytes_field_size(6, sparse->contents);
}

static int sparse_open(PyMvn_Column *column, mvn_writer *out)
{
    const Sparse *sparse = column->scratch;
    if (sparse != NULL && column->n_valid != 0) {
        mvn_write_bytes_header(out, 6, sparse->contents);
    }
    return 0;
}

static int sparse_write(PyMvn_Column *column, Py_ssize_t begin, Py_ssize_t end, mvn_writer *out)
{
    const Sparse *sparse = column->scratch;
    if (sparse == NULL) { /* no rows */
        return 0;
    }
    bool adopted = sparse->whole.offsets != NULL;
    for (Py_ssize_t row = begin; row < end; row++) {
        int status;
        if (!adopted && column->cells[row] == NULL) {
            continue;
        }
        size_t count = adopted ? PyMvn_Csr_Count(&sparse->whole, row) : sparse->counts[row];
        mvn_write_bytes_header(out, 1, count * MVN_SPARSE_PAIR);
        MVN_WRITER_ROOM(out, count * MVN_SPARSE_PAIR);
        if (adopted) {
            status = PyMvn_Csr_Write(&sparse->whole, row, out->pos);
        } else {
            status = PyMvn_SparseRow_Write(column->cells[row], (Py_ssize_t)count, out->pos);
        }
        if (status < 0) {
            return fail_row(column, row);
        }
        out->pos += count * MVN_SPARSE_PAIR;
    }
    return 0;
}

static void sparse_release(PyMvn_Column *column)
{
    Sparse *sparse = column->scratch;
    column->scratch = NULL;
    if (sparse != NULL) {
        PyMvn_Csr_Release(&sparse->whole);
        PyMem_Free(sparse->counts);
        PyMem_Free(sparse);
    }
}

const PyMvn_Codec PyMvn_Codec_SparseVector = {
    .label = "sparse_float_vector",
    .slot = MVN_SLOT_VECTORS,
    .adopt = sparse_adopt,
    .measure = sparse_measure,
    .size = sparse_size,
    .open = sparse_open,
    .write = sparse_write,
    .release = sparse_release,
};
