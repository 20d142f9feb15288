#include "spooled.h"

#include "scalar.h"

PyMvn_Spooled *PyMvn_Spooled_Of(PyMvn_Column *column)
{
    if (column->scratch == NULL) {
        PyMvn_Spooled *scratch = PyMem_Malloc(sizeof(PyMvn_Spooled));
        if (scratch == NULL) {
            PyErr_NoMemory();
            return NULL;
        }
        mvn_spool_init(&scratch->spool);
        mvn_buffer_init(&scratch->buffer);
        column->scratch = scratch;
    }
    return column->scratch;
}

int PyMvn_Spooled_Flush(PyMvn_Spooled *scratch)
{
    mvn_buffer *buffer = &scratch->buffer;
    if (PyMvn_Column_Status(mvn_spool_append(&scratch->spool, buffer->data, buffer->size)) < 0) {
        return -1;
    }
    buffer->size = 0;
    return 0;
}

size_t PyMvn_Spooled_Size(const PyMvn_Column *column)
{
    return mvn_bytes_field_size(PyMvn_Scalar_Member(column->field->type),
                                PyMvn_Spooled_Bytes(column));
}

int PyMvn_Spooled_Open(PyMvn_Column *column, mvn_writer *out)
{
    mvn_write_bytes_header(out, PyMvn_Scalar_Member(column->field->type),
                           PyMvn_Spooled_Bytes(column));
    return 0;
}

/* Rows have no borders in the spool: as large a share of the bytes is taken as of the rows. */
int PyMvn_Spooled_Write(PyMvn_Column *column, Py_ssize_t begin, Py_ssize_t end, mvn_writer *out)
{
    PyMvn_Spooled *scratch = column->scratch;
    Py_ssize_t left = column->n_rows - begin;
    if (scratch != NULL && left > 0) {
        uint64_t share = (uint64_t)scratch->spool.size * (uint64_t)(end - begin) / (uint64_t)left;
        mvn_spool_take(&scratch->spool, (size_t)share, out);
    }
    return 0;
}

void PyMvn_Spooled_Release(PyMvn_Column *column)
{
    PyMvn_Spooled *scratch = column->scratch;
    if (scratch != NULL) {
        mvn_spool_reset(&scratch->spool);
        mvn_buffer_reset(&scratch->buffer);
        PyMem_Free(scratch);
        column->scratch = NULL;
    }
}
