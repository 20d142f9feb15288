/* JSON documents, and the $meta column of dynamic keys. */
#include "../json.h"

#include "codec.h"
#include "../errors.h"
#include "documents.h"
#include "spooled.h"

int PyMvn_Documents_Append(PyMvn_Column *column, PyObject *document)
{
    PyMvn_Spooled *scratch = PyMvn_Spooled_Of(column);
    if (scratch == NULL) {
        return -1;
    }
    return PyMvn_Column_Status(mvn_spool_append_bytes_field(
        &scratch->spool, 1, PyBytes_AS_STRING(document), (size_t)PyBytes_GET_SIZE(document)));
}

/* Puts the place before the text of an exception of pymilvus's that json.c has raised; other
 * exceptions are about what orjson met. */
static int refuse(PyMvn_Column *column, Py_ssize_t row)
{
    PyObject *error = PyMvn_TakeException();
    PyObject *message = PyObject_GetAttrString(error, "message");
    PyErr_Clear();
    PyMvn_RestoreException(error);
    if (message == NULL || !PyUnicode_Check(message)) {
        Py_XDECREF(message);
        return PyMvn_Column_Mismatch(column, row, column->cells[row], NULL);
    }
    (void)PyMvn_Column_Fail(column, row, "DataNotMatchException", "%U", message);
    Py_DECREF(message);
    return -1;
}

/* Documents are copied at once: orjson gives bytes that hold several times the memory they need. */
static int measure_cell(PyMvn_Column *column, Py_ssize_t row)
{
    PyObject *document = PyMvn_Json_Document(column->state, column->cells[row]);
    if (document == NULL) {
        return refuse(column, row);
    }
    int status = PyMvn_Documents_Append(column, document);
    Py_DECREF(document);
    return status;
}

static int measure(PyMvn_Column *column, Py_ssize_t begin, Py_ssize_t end)
{
    if (column->field->dynamic) {
        return 0;
    }
    for (Py_ssize_t row = begin; row < end; row++) {
        if (column->cells[row] != NULL && measure_cell(column, row) < 0) {
            return -1;
        }
    }
    return 0;
}

const PyMvn_Codec PyMvn_Codec_Json = {
    .label = "json",
    .slot = MVN_SLOT_SCALARS,
    .measure = measure,
    .size = PyMvn_Spooled_Size,
    .open = PyMvn_Spooled_Open,
    .write = PyMvn_Spooled_Write,
    .release = PyMvn_Spooled_Release,
};
