#include "scalar.h"

#include <string.h>

#include "../../core/element.h"
#include "../compat.h"
#include "../errors.h"
#include "spooled.h"

/* Rows converted between two reservations, so that the worst case of a varint (10 bytes) is not
 * reserved for a whole large column. */
#define ROWS_AT_ONCE 1024

uint32_t PyMvn_Scalar_Member(int32_t type)
{
    switch (type) {
    case MVN_TYPE_BOOL:
        return 1;
    case MVN_TYPE_INT8:
    case MVN_TYPE_INT16:
    case MVN_TYPE_INT32:
        return 2;
    case MVN_TYPE_INT64:
        return 3;
    case MVN_TYPE_FLOAT:
        return 4;
    case MVN_TYPE_DOUBLE:
        return 5;
    case MVN_TYPE_STRING:
    case MVN_TYPE_VARCHAR:
    case MVN_TYPE_TEXT:
    case MVN_TYPE_TIMESTAMPTZ:
        return 6;
    case MVN_TYPE_ARRAY:
        return 8;
    case MVN_TYPE_JSON:
        return 9;
    case MVN_TYPE_GEOMETRY:
        return 12; /* as text (WKT) */
    default:
        return 0;
    }
}

static int64_t least(int32_t type)
{
    switch (type) {
    case MVN_TYPE_INT8:
        return INT8_MIN;
    case MVN_TYPE_INT16:
        return INT16_MIN;
    case MVN_TYPE_INT32:
        return INT32_MIN;
    default:
        return INT64_MIN;
    }
}

static int out_of_range(PyObject *value)
{
    PyErr_Format(PyExc_ValueError, "Value out of range: %S", value);
    return -1;
}

/* Room for one more number must have been reserved, here and below. */
static inline void put_varint(mvn_buffer *out, uint64_t value)
{
    mvn_writer writer = mvn_writer_over(out->data + out->size, MVN_MAX_VARINT);
    mvn_write_varint(&writer, value);
    out->size = (size_t)(writer.pos - out->data);
}

static inline void put_float(mvn_buffer *out, double value)
{
    float narrow = (float)value; /* beyond float's range: infinity, as protobuf does */
    uint32_t bits;
    memcpy(&bits, &narrow, sizeof(bits));
    mvn_writer writer = mvn_writer_over(out->data + out->size, sizeof(bits));
    mvn_write_u32le(&writer, bits);
    out->size += sizeof(bits);
}

static inline void put_double(mvn_buffer *out, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    mvn_writer writer = mvn_writer_over(out->data + out->size, sizeof(bits));
    mvn_write_u64le(&writer, bits);
    out->size += sizeof(bits);
}

static int put_exact_int(mvn_buffer *out, int32_t type, PyObject *value)
{
    int overflow = 0;
    int64_t number = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow != 0 || number < least(type) || number > ~least(type)) {
        return out_of_range(value);
    }
    put_varint(out, (uint64_t)number);
    return 0;
}

static int put_int(mvn_buffer *out, int32_t type, PyObject *value)
{
    if (MVN_LIKELY(PyLong_CheckExact(value))) {
        return put_exact_int(out, type, value);
    }
    if (PyBool_Check(value) || PyMvn_IsNumpyBool(value)) {
        PyErr_SetString(PyExc_TypeError, "expected an int, got a boolean");
        return -1;
    }
    PyObject *index = PyNumber_Index(value);
    int status = index == NULL ? -1 : put_exact_int(out, type, index);
    Py_XDECREF(index);
    return status;
}

/* Arrays answer __float__ and __index__ too when they hold one element; only scalars may. */
static bool has_length(PyObject *value)
{
    PyTypeObject *type = Py_TYPE(value);
    return (type->tp_as_sequence != NULL && type->tp_as_sequence->sq_length != NULL) ||
           (type->tp_as_mapping != NULL && type->tp_as_mapping->mp_length != NULL);
}

/* 1 or 0, or -1 with an exception. Beyond int64 even a truth is refused, as protobuf does. */
static int truth_of_int(PyObject *value)
{
    int overflow = 0;
    PyObject *index = PyNumber_Index(value);
    if (index == NULL) {
        return -1;
    }
    long long number = PyLong_AsLongLongAndOverflow(index, &overflow);
    int truth = overflow != 0 ? out_of_range(index) : number != 0;
    Py_DECREF(index);
    return truth;
}

static int put_bool(mvn_buffer *out, PyObject *value)
{
    int truth = -1;
    if (PyBool_Check(value)) {
        truth = value == Py_True;
    } else if (PyMvn_IsNumpyBool(value)) {
        truth = PyObject_IsTrue(value);
    } else if (has_length(value)) {
        PyErr_Format(PyExc_TypeError, "'%.200s' object cannot be interpreted as a bool",
                     Py_TYPE(value)->tp_name);
    } else {
        truth = truth_of_int(value);
    }
    if (truth >= 0) {
        put_varint(out, (uint64_t)truth);
    }
    return truth < 0 ? -1 : 0;
}

static int as_double(PyObject *value, double *number)
{
    if (MVN_LIKELY(PyFloat_CheckExact(value))) {
        *number = PyFloat_AS_DOUBLE(value);
        return 0;
    }
    if (!PyLong_CheckExact(value) && has_length(value)) {
        PyErr_Format(PyExc_TypeError, "must be real number, not %.200s", Py_TYPE(value)->tp_name);
        return -1;
    }
    *number = PyFloat_AsDouble(value);
    return *number == -1.0 && PyErr_Occurred() ? -1 : 0;
}

static inline int put_number(mvn_buffer *out, int32_t type, PyObject *value)
{
    double number;
    switch (type) {
    case MVN_TYPE_BOOL:
        return put_bool(out, value);
    case MVN_TYPE_FLOAT:
        if (as_double(value, &number) < 0) {
            return -1;
        }
        put_float(out, number);
        return 0;
    case MVN_TYPE_DOUBLE:
        if (as_double(value, &number) < 0) {
            return -1;
        }
        put_double(out, number);
        return 0;
    default:
        return put_int(out, type, value);
    }
}

int PyMvn_Scalar_Append(mvn_buffer *out, int32_t type, PyObject *value)
{
    if (PyMvn_Column_Status(mvn_buffer_reserve(out, MVN_MAX_VARINT)) < 0) {
        return -1;
    }
    return put_number(out, type, value);
}

static bool takes(int32_t type, mvn_element element)
{
    switch (type) {
    case MVN_TYPE_FLOAT:
    case MVN_TYPE_DOUBLE:
        return element != MVN_ELEMENT_OTHER;
    case MVN_TYPE_BOOL:
        return mvn_element_is_integer(element);
    default:
        return mvn_element_is_integer(element) && element != MVN_ELEMENT_BOOL;
    }
}

/* False when the element is out of range. Room must have been reserved. */
static inline bool put_element(mvn_buffer *out, int32_t type, const mvn_strided *source, size_t i)
{
    int64_t value;
    if (type == MVN_TYPE_DOUBLE) {
        put_double(out, mvn_strided_get(source, i));
        return true;
    }
    if (!mvn_strided_get_int(source, i, &value)) {
        return false;
    }
    if (type == MVN_TYPE_BOOL) {
        value = value != 0;
    } else if (value < least(type) || value > ~least(type)) {
        return false;
    }
    put_varint(out, (uint64_t)value);
    return true;
}

/* As PyMvn_Scalar_AppendBuffer, of elements that `type` takes. */
static int append_strided(mvn_buffer *out, int32_t type, const mvn_strided *source)
{
    size_t start = out->size;
    if (type == MVN_TYPE_FLOAT) {
        size_t bytes = source->count * sizeof(float);
        if (PyMvn_Column_Status(mvn_buffer_reserve(out, bytes)) < 0) {
            return -1;
        }
        mvn_strided_to_f32(source, out->data + start);
        out->size += bytes;
        return 1;
    }
    for (size_t i = 0; i < source->count; i++) {
        if (i % ROWS_AT_ONCE == 0) {
            size_t left = source->count - i;
            size_t rows = left < ROWS_AT_ONCE ? left : ROWS_AT_ONCE;
            if (PyMvn_Column_Status(mvn_buffer_reserve(out, rows * MVN_MAX_VARINT)) < 0) {
                out->size = start;
                return -1;
            }
        }
        if (!put_element(out, type, source, i)) {
            out->size = start;
            return 0;
        }
    }
    return 1;
}

/* A subclass may give its memory another meaning: numpy.ma hides masked elements. */
static int has_mask(PyObject *exporter)
{
    return PyType_HasFeature(Py_TYPE(exporter), Py_TPFLAGS_HEAPTYPE)
               ? PyMvn_HasAttribute(exporter, "mask")
               : 0;
}

int PyMvn_Scalar_AppendBuffer(mvn_buffer *out, int32_t type, PyObject *exporter,
                              Py_ssize_t *count)
{
    Py_buffer view;
    int result = 0;

    if (!PyObject_CheckBuffer(exporter)) {
        return 0;
    }
    int masked = has_mask(exporter);
    if (masked != 0) {
        return masked < 0 ? -1 : 0;
    }
    if (PyObject_GetBuffer(exporter, &view, PyBUF_RECORDS_RO) < 0) {
        return PyMvn_ForgetException();
    }
    if (view.ndim == 1 && PyMvn_Buffer_IsStrided(&view)) {
        bool swapped = false;
        mvn_element element =
            mvn_element_parse(view.format, (size_t)view.itemsize, &swapped);
        mvn_strided source = {view.buf, view.strides[0], (size_t)view.shape[0], element, swapped};
        if (takes(type, element)) {
            result = append_strided(out, type, &source);
        }
        *count = view.shape[0];
    }
    PyBuffer_Release(&view);
    return result;
}

static int adopt(PyMvn_Column *column, PyObject *whole)
{
    Py_ssize_t count = 0;
    PyMvn_Spooled *scratch = PyMvn_Spooled_Of(column);
    if (scratch == NULL) {
        return -1;
    }
    int taken = PyMvn_Scalar_AppendBuffer(&scratch->buffer, column->field->type, whole, &count);
    if (taken == 1 && count != column->n_rows) {
        scratch->buffer.size = 0;
        return 0; /* the general path says what is wrong with the length */
    }
    return taken == 1 && PyMvn_Spooled_Flush(scratch) < 0 ? -1 : taken;
}

/* An int32 that an INT8 or INT16 does not hold: pymilvus sends it, and this is what Milvus answers,
 * in its words, since programs look for them. Other exceptions stay for PyMvn_Column_Mismatch. */
static int fail_cell(const PyMvn_Column *column, Py_ssize_t row, PyObject *value)
{
    int32_t type = column->field->type;
    bool narrow = type == MVN_TYPE_INT8 || type == MVN_TYPE_INT16;
    if (narrow && PyLong_Check(value) && PyErr_ExceptionMatches(PyExc_ValueError)) {
        int overflow = 0;
        long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
        if (overflow == 0 && number >= INT32_MIN && number <= INT32_MAX) {
            PyErr_Clear();
            return PyMvn_Column_Fail(column, row, "DataNotMatchException",
                                     "the %zdth element (%lld) out of range: [%lld, %lld]", row,
                                     number, (long long)least(type), (long long)~least(type));
        }
    }
    return PyMvn_Column_Mismatch(column, row, value, NULL);
}

static int measure_some(PyMvn_Column *column, PyMvn_Spooled *scratch, Py_ssize_t begin,
                        Py_ssize_t end)
{
    int32_t type = column->field->type;
    for (Py_ssize_t row = begin; row < end; row++) {
        PyObject *value = column->cells[row]; /* borrowed from `cells`, which nobody else sees */
        if (value != NULL && PyMvn_Scalar_Append(&scratch->buffer, type, value) < 0) {
            return fail_cell(column, row, value);
        }
    }
    return PyMvn_Spooled_Flush(scratch);
}

static int measure(PyMvn_Column *column, Py_ssize_t begin, Py_ssize_t end)
{
    PyMvn_Spooled *scratch = PyMvn_Spooled_Of(column);
    if (scratch == NULL) {
        return -1;
    }
    while (column->whole == NULL && begin < end) {
        Py_ssize_t stop = end - begin < ROWS_AT_ONCE ? end : begin + ROWS_AT_ONCE;
        if (measure_some(column, scratch, begin, stop) < 0) {
            return -1;
        }
        begin = stop;
    }
    return 0;
}

/* The numbers are one packed field. */
static size_t inner_size(const PyMvn_Column *column)
{
    size_t bytes = PyMvn_Spooled_Bytes(column);
    return bytes == 0 ? 0 : mvn_bytes_field_size(1, bytes);
}

static size_t size(const PyMvn_Column *column)
{
    return mvn_bytes_field_size(PyMvn_Scalar_Member(column->field->type), inner_size(column));
}

static int open_payload(PyMvn_Column *column, mvn_writer *out)
{
    size_t inner = inner_size(column);
    mvn_write_bytes_header(out, PyMvn_Scalar_Member(column->field->type), inner);
    if (inner != 0) {
        mvn_write_bytes_header(out, 1, PyMvn_Spooled_Bytes(column));
    }
    return 0;
}

#define NUMBERS(name, text)                                                                       \
    const PyMvn_Codec PyMvn_Codec_##name = {                                                      \
        .label = text,                                                                            \
        .slot = MVN_SLOT_SCALARS,                                                                 \
        .adopt = adopt,                                                                           \
        .measure = measure,                                                                       \
        .size = size,                                                                             \
        .open = open_payload,                                                                     \
        .write = PyMvn_Spooled_Write,                                                             \
        .release = PyMvn_Spooled_Release,                                                         \
    };

NUMBERS(Bool, "bool")
NUMBERS(Int8, "int")
NUMBERS(Int16, "int")
NUMBERS(Int32, "int")
NUMBERS(Int64, "int64")
NUMBERS(Float, "float")
NUMBERS(Double, "double")
#undef NUMBERS
