/* JSON documents, and the $meta column of dynamic keys. */
#include "../json.h"

#include "codec.h"
#include "scalar.h"

/* A column's scratch: the bytes of its JSONArray. Measuring replaces each cell by its document, as
 * bytes, so that it is made once; writing drops it, so that documents and request do not both
 * stay in memory. Cells of $meta are documents from the start: row_encoder.c makes them. */
static int measure_cell(PyMvn_Column *column, Py_ssize_t row)
{
    size_t *total = column->scratch;
    if (!column->field->dynamic) {
        PyObject *document = PyMvn_Json_Document(column->state, column->cells[row]);
        if (document == NULL) {
            return PyMvn_Column_Mismatch(column, row, column->cells[row], NULL);
        }
        Py_SETREF(column->cells[row], document);
    }
    size_t bytes = (size_t)PyBytes_GET_SIZE(column->cells[row]);
    if (bytes > MVN_MAX_MESSAGE || mvn_bytes_field_size(1, bytes) > MVN_MAX_MESSAGE - *total) {
        return PyMvn_Column_Status(MVN_ETOOBIG);
    }
    *total += mvn_bytes_field_size(1, bytes);
    return 0;
}

static int measure(PyMvn_Column *column, Py_ssize_t begin, Py_ssize_t end)
{
    if (column->scratch == NULL) {
        column->scratch = PyMem_Calloc(1, sizeof(size_t));
        if (column->scratch == NULL) {
            PyErr_NoMemory();
            return -1;
        }
    }
    for (Py_ssize_t row = begin; row < end; row++) {
        if (column->cells[row] != NULL && measure_cell(column, row) < 0) {
            return -1;
        }
    }
    return 0;
}

static size_t inner_size(const PyMvn_Column *column)
{
    return column->scratch == NULL ? 0 : *(const size_t *)column->scratch;
}

static size_t size(const PyMvn_Column *column)
{
    return mvn_bytes_field_size(PyMvn_Scalar_Member(MVN_TYPE_JSON), inner_size(column));
}

static int open_payload(PyMvn_Column *column, mvn_writer *out)
{
    mvn_write_bytes_header(out, PyMvn_Scalar_Member(MVN_TYPE_JSON), inner_size(column));
    return 0;
}

static int write_rows(PyMvn_Column *column, Py_ssize_t begin, Py_ssize_t end, mvn_writer *out)
{
    for (Py_ssize_t row = begin; row < end; row++) {
        PyObject *document = column->cells[row]; /* borrowed */
        if (document != NULL) {
            mvn_write_bytes_field(out, 1, PyBytes_AS_STRING(document),
                                  (size_t)PyBytes_GET_SIZE(document));
            Py_CLEAR(column->cells[row]);
        }
    }
    return 0;
}

static void release(PyMvn_Column *column)
{
    PyMem_Free(column->scratch);
    column->scratch = NULL;
}

const PyMvn_Codec PyMvn_Codec_Json = {
    .label = "json",
    .slot = MVN_SLOT_SCALARS,
    .measure = measure,
    .size = size,
    .open = open_payload,
    .write = write_rows,
    .release = release,
};
