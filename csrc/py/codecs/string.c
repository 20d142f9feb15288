#include "text.h"

#include <string.h>

#include "../../core/utf8.h"
#include "../errors.h"
#include "scalar.h"

/* A lone surrogate: lets CPython raise its own UnicodeEncodeError. */
static MVN_NOINLINE int refuse_surrogate(PyObject *text)
{
    PyObject *bytes = PyUnicode_AsUTF8String(text);
    if (bytes != NULL) {
        Py_DECREF(bytes);
        PyErr_SetString(PyExc_ValueError, "the text cannot be encoded in UTF-8");
    }
    return -1;
}

static int str_size(PyObject *text, size_t *size)
{
#if PY_VERSION_HEX < 0x030C0000
    if (PyUnicode_READY(text) < 0) {
        return -1;
    }
#endif
    size_t points = (size_t)PyUnicode_GET_LENGTH(text);
    if (MVN_LIKELY(PyUnicode_IS_ASCII(text))) {
        *size = points;
        return 0;
    }
    mvn_status status =
        mvn_utf8_size(PyUnicode_DATA(text), (int)PyUnicode_KIND(text), points, size);
    return status == MVN_OK ? 0 : refuse_surrogate(text);
}

static int bytes_size(PyObject *bytes, size_t *size)
{
    PyObject *text =
        PyUnicode_DecodeUTF8(PyBytes_AS_STRING(bytes), PyBytes_GET_SIZE(bytes), "strict");
    if (text == NULL) {
        return -1;
    }
    Py_DECREF(text);
    *size = (size_t)PyBytes_GET_SIZE(bytes);
    return 0;
}

int PyMvn_Text_Size(PyObject *value, size_t *size)
{
    if (MVN_LIKELY(PyUnicode_Check(value))) {
        return str_size(value, size);
    }
    if (PyBytes_Check(value)) {
        return bytes_size(value, size);
    }
    PyErr_Format(PyExc_TypeError, "expected a str, got %.200s", Py_TYPE(value)->tp_name);
    return -1;
}

void PyMvn_Text_Write(PyObject *value, uint8_t *out)
{
    if (PyBytes_Check(value)) {
        memcpy(out, PyBytes_AS_STRING(value), (size_t)PyBytes_GET_SIZE(value));
    } else if (MVN_LIKELY(PyUnicode_IS_ASCII(value))) {
        memcpy(out, PyUnicode_DATA(value), (size_t)PyUnicode_GET_LENGTH(value));
    } else {
        (void)mvn_utf8_encode(PyUnicode_DATA(value), (int)PyUnicode_KIND(value),
                              (size_t)PyUnicode_GET_LENGTH(value), out);
    }
}

int PyMvn_Text_CheckLength(const PyMvn_Column *column, Py_ssize_t row, size_t size)
{
    int64_t limit = column->field->max_length;
    if (MVN_LIKELY(limit < 0 || size <= (uint64_t)limit)) {
        return 0;
    }
    return PyMvn_Column_Fail(column, row, "DataNotMatchException",
                             "invalid input, length of varchar field %U exceeds max length, "
                             "length: %zu, max length: %lld (in bytes of UTF-8)",
                             column->field->name, size, (long long)limit);
}

/* A column's scratch: the bytes of its StringArray. */
static int add_size(PyMvn_Column *column, size_t size)
{
    size_t *total = column->scratch;
    if (size > MVN_MAX_MESSAGE || mvn_bytes_field_size(1, size) > MVN_MAX_MESSAGE - *total) {
        return PyMvn_Column_Status(MVN_ETOOBIG);
    }
    *total += mvn_bytes_field_size(1, size);
    return 0;
}

/* What is no str in a VARCHAR or GEOMETRY: the class of the exception depends, as in pymilvus, on
 * whether it is a series of anything but text. */
static MVN_NOINLINE int refuse_value(PyMvn_Column *column, Py_ssize_t row, PyObject *value)
{
    PyObject *items = PyObject_GetIter(value), *item = NULL;
    while (items != NULL && (item = PyIter_Next(items)) != NULL) {
        PyObject *type = Py_NewRef((PyObject *)Py_TYPE(item));
        bool text = PyUnicode_Check(item);
        Py_DECREF(item);
        if (!text) {
            (void)PyMvn_Column_Fail(column, row, "ParamError",
                                    "field (%U) expects string input, got: %R",
                                    column->field->name, type);
            Py_DECREF(type);
            Py_DECREF(items);
            return -1;
        }
        Py_DECREF(type);
    }
    Py_XDECREF(items);
    return PyMvn_Column_Mismatch(column, row, value,
                                 PyErr_Occurred() ? NULL : "expected a str");
}

static int measure_text(PyMvn_Column *column, Py_ssize_t row, PyObject *value)
{
    const int32_t type = column->field->type;
    const bool strict = type == MVN_TYPE_VARCHAR || type == MVN_TYPE_GEOMETRY;
    size_t size = 0;
    if (strict && MVN_UNLIKELY(!PyUnicode_Check(value)) &&
        !(PyBytes_Check(value) && PyBytes_GET_SIZE(value) == 0)) {
        return refuse_value(column, row, value);
    }
    if (PyMvn_Text_Size(value, &size) < 0) {
        return PyMvn_Column_Mismatch(column, row, value, NULL);
    }
    if (type == MVN_TYPE_VARCHAR && PyMvn_Text_CheckLength(column, row, size) < 0) {
        return -1;
    }
    return add_size(column, size);
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
        if (column->cells[row] != NULL && measure_text(column, row, column->cells[row]) < 0) {
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
    return mvn_bytes_field_size(PyMvn_Scalar_Member(column->field->type), inner_size(column));
}

static int open_payload(PyMvn_Column *column, mvn_writer *out)
{
    mvn_write_bytes_header(out, PyMvn_Scalar_Member(column->field->type), inner_size(column));
    return 0;
}

/* str and bytes are immutable: what was measured still holds. */
static int write_rows(PyMvn_Column *column, Py_ssize_t begin, Py_ssize_t end, mvn_writer *out)
{
    for (Py_ssize_t row = begin; row < end; row++) {
        PyObject *value = column->cells[row];
        size_t bytes = 0;
        if (value == NULL) {
            continue;
        }
        if (PyMvn_Text_Size(value, &bytes) < 0) {
            return -1;
        }
        mvn_write_bytes_header(out, 1, bytes);
        MVN_WRITER_ROOM(out, bytes);
        PyMvn_Text_Write(value, out->pos);
        out->pos += bytes;
    }
    return 0;
}

static void release(PyMvn_Column *column)
{
    PyMem_Free(column->scratch);
    column->scratch = NULL;
}

#define TEXTS(name, text)                                                                         \
    const PyMvn_Codec PyMvn_Codec_##name = {                                                      \
        .label = text,                                                                            \
        .slot = MVN_SLOT_SCALARS,                                                                 \
        .measure = measure,                                                                       \
        .size = size,                                                                             \
        .open = open_payload,                                                                     \
        .write = write_rows,                                                                      \
        .release = release,                                                                       \
    };

TEXTS(Varchar, "varchar")
TEXTS(Text, "text")
TEXTS(Geometry, "geometry")
TEXTS(Timestamptz, "string")
#undef TEXTS
