/* ARRAY fields: one ScalarField message per row. */
#include "../compat.h"
#include "../errors.h"
#include "codec.h"
#include "scalar.h"
#include "spooled.h"
#include "text.h"

static bool is_text(int32_t type)
{
    return type == MVN_TYPE_VARCHAR || type == MVN_TYPE_STRING || type == MVN_TYPE_TEXT;
}

static bool is_number(int32_t type)
{
    uint32_t member = PyMvn_Scalar_Member(type);
    return member >= 1 && member <= 5;
}

static int append_text(PyMvn_Column *column, Py_ssize_t row, mvn_buffer *out, PyObject *value)
{
    size_t size = 0;
    if (PyMvn_Text_Size(value, &size) < 0) {
        return -1;
    }
    if (column->field->element_type == MVN_TYPE_VARCHAR &&
        PyMvn_Text_CheckLength(column, row, size) < 0) {
        return -1;
    }
    mvn_status status = mvn_buffer_reserve(out, 2 * MVN_MAX_VARINT);
    if (status == MVN_OK) {
        mvn_writer writer = mvn_writer_over(out->data + out->size, (size_t)2 * MVN_MAX_VARINT);
        mvn_write_bytes_header(&writer, 1, size);
        out->size = (size_t)(writer.pos - out->data);
        status = mvn_buffer_reserve(out, size);
    }
    if (PyMvn_Column_Status(status) < 0) {
        return -1;
    }
    PyMvn_Text_Write(value, out->data + out->size);
    out->size += size;
    return 0;
}

/* Adds the element's index to the text of the TypeError or ValueError that is set. */
static void name_element(Py_ssize_t index)
{
    if (PyErr_ExceptionMatches(PyExc_TypeError) || PyErr_ExceptionMatches(PyExc_ValueError)) {
        PyObject *error = PyMvn_TakeException();
        PyErr_Format(PyExc_TypeError, "element %zd: %S", index, error);
        Py_DECREF(error);
    }
}

/* Appends every element of an iterable; on failure says which one. */
static int append_elements(PyMvn_Column *column, Py_ssize_t row, mvn_buffer *out, PyObject *value)
{
    int32_t type = column->field->element_type;
    bool text = is_text(type);
    PyObject *items = PyMvn_Sequence(value, "an array must be iterable");
    int status = items == NULL ? -1 : 0;
    /* The list may be the caller's own: what is converted may change it. */
    for (Py_ssize_t i = 0; status == 0 && i < PySequence_Fast_GET_SIZE(items); i++) {
        PyObject *item = Py_NewRef(PySequence_Fast_GET_ITEM(items, i));
        status = text ? append_text(column, row, out, item) : PyMvn_Scalar_Append(out, type, item);
        Py_DECREF(item);
        if (status < 0) {
            name_element(i);
        }
    }
    Py_XDECREF(items);
    return status;
}

/* IntArray, FloatArray and so on: the packed numbers are one field. */
static int append_numbers(PyMvn_Column *column, Py_ssize_t row, mvn_buffer *out, PyObject *value)
{
    size_t mark = 0;
    Py_ssize_t count = 0;
    if (PyMvn_Column_Status(mvn_buffer_begin(out, 1, &mark)) < 0) {
        return -1;
    }
    int taken = PyMvn_Scalar_AppendBuffer(out, column->field->element_type, value, &count);
    if (taken < 0 || (taken == 0 && append_elements(column, row, out, value) < 0)) {
        return -1;
    }
    if (out->size == mark) {
        out->size -= 2; /* no element: no field, so neither its tag nor its length */
        return 0;
    }
    return PyMvn_Column_Status(mvn_buffer_end(out, mark));
}

static int append_row(PyMvn_Column *column, Py_ssize_t row, mvn_buffer *out, PyObject *value)
{
    int32_t type = column->field->element_type;
    size_t field = 0, member = 0;
    if (PyMvn_Column_Status(mvn_buffer_begin(out, 1, &field)) < 0 ||
        PyMvn_Column_Status(mvn_buffer_begin(out, PyMvn_Scalar_Member(type), &member)) < 0) {
        return -1;
    }
    int status = is_text(type) ? append_elements(column, row, out, value)
                               : append_numbers(column, row, out, value);
    if (status < 0) {
        return -1;
    }
    if (PyMvn_Column_Status(mvn_buffer_end(out, member)) < 0) {
        return -1;
    }
    return PyMvn_Column_Status(mvn_buffer_end(out, field));
}

static int measure(PyMvn_Column *column, Py_ssize_t begin, Py_ssize_t end)
{
    PyMvn_Spooled *scratch = PyMvn_Spooled_Of(column);
    int32_t type = column->field->element_type;
    if (scratch == NULL) {
        return -1;
    }
    for (Py_ssize_t row = begin; row < end; row++) {
        PyObject *value = column->cells[row]; /* borrowed from `cells`, which nobody else sees */
        if (value == NULL) {
            continue;
        }
        if (!is_number(type) && !is_text(type)) {
            return PyMvn_Column_Fail(column, row, "ParamError",
                                     "Unsupported element type: %d for Array field: %U", (int)type,
                                     column->field->name);
        }
        if (append_row(column, row, &scratch->buffer, value) < 0) {
            return PyMvn_Column_Mismatch(column, row, value, NULL);
        }
        if (PyMvn_Spooled_Flush(scratch) < 0) {
            return -1;
        }
    }
    return 0;
}

const PyMvn_Codec PyMvn_Codec_Array = {
    .label = "array",
    .slot = MVN_SLOT_SCALARS,
    .measure = measure,
    .size = PyMvn_Spooled_Size,
    .open = PyMvn_Spooled_Open,
    .write = PyMvn_Spooled_Write,
    .release = PyMvn_Spooled_Release,
};
