/* Cells of vector columns. Dense and sparse columns hold vectors for the rows that are not null,
 * and nothing for the others. */
#include "cells.h"

#include "../core/half.h"
#include "../core/sparse.h"

typedef enum { WIDTH_OK, WIDTH_NOT_POSITIVE, WIDTH_NOT_BYTES, WIDTH_NOT_DENSE } width_status;

/* What one vector takes of its payload: elements for FLOAT (0 is allowed), bytes for the others.
 * A width too large for size_t becomes SIZE_MAX, which no payload has. */
static width_status dense_width(int32_t type, int64_t dim, size_t *width)
{
    uint64_t size = (uint64_t)dim;
    *width = 0;
    switch (type) {
    case MVN_TYPE_FLOAT_VECTOR:
        if (dim < 0) {
            return WIDTH_NOT_POSITIVE;
        }
        break;
    case MVN_TYPE_FLOAT16_VECTOR:
    case MVN_TYPE_BFLOAT16_VECTOR:
    case MVN_TYPE_INT8_VECTOR:
    case MVN_TYPE_BINARY_VECTOR:
        if (dim <= 0) {
            return WIDTH_NOT_POSITIVE;
        }
        if (type == MVN_TYPE_BINARY_VECTOR) {
            if (dim % 8 != 0) {
                return WIDTH_NOT_BYTES;
            }
            size /= 8;
        } else if (type != MVN_TYPE_INT8_VECTOR) {
            size *= 2; /* dim is below 2^63 */
        }
        break;
    default:
        return WIDTH_NOT_DENSE;
    }
    *width = size > SIZE_MAX ? SIZE_MAX : (size_t)size;
    return WIDTH_OK;
}

static PyObject *raise_width(width_status status, int32_t type, int64_t dim)
{
    switch (status) {
    case WIDTH_NOT_BYTES:
        return PyMvn_RaiseMilvus("ParamError",
                                 "Binary vector dimension must be a multiple of 8, got %lld",
                                 (long long)dim);
    case WIDTH_NOT_DENSE:
        return PyMvn_RaiseMilvus("ParamError", "Unsupported vector array element type: %d",
                                 (int)type);
    default:
        return PyMvn_RaiseMilvus("ParamError",
                                 "Vector dimension must be a positive integer, got %lld",
                                 (long long)dim);
    }
}

static mvn_vectors_kind member_of(int32_t type)
{
    switch (type) {
    case MVN_TYPE_FLOAT_VECTOR:
        return MVN_VECTORS_FLOAT;
    case MVN_TYPE_BINARY_VECTOR:
        return MVN_VECTORS_BINARY;
    case MVN_TYPE_FLOAT16_VECTOR:
        return MVN_VECTORS_FLOAT16;
    case MVN_TYPE_BFLOAT16_VECTOR:
        return MVN_VECTORS_BFLOAT16;
    case MVN_TYPE_INT8_VECTOR:
        return MVN_VECTORS_INT8;
    default:
        return MVN_VECTORS_NONE;
    }
}

static int32_t type_of_payload(const mvn_vectors *vectors)
{
    switch (vectors->data.size == 0 ? MVN_VECTORS_NONE : vectors->kind) {
    case MVN_VECTORS_FLOAT:
        return MVN_TYPE_FLOAT_VECTOR;
    case MVN_VECTORS_BINARY:
        return MVN_TYPE_BINARY_VECTOR;
    case MVN_VECTORS_FLOAT16:
        return MVN_TYPE_FLOAT16_VECTOR;
    case MVN_VECTORS_BFLOAT16:
        return MVN_TYPE_BFLOAT16_VECTOR;
    case MVN_VECTORS_INT8:
        return MVN_TYPE_INT8_VECTOR;
    default:
        return 0;
    }
}

/* Elements (FLOAT) or bytes of the payload, none when it is of another type. */
static size_t payload_units(const mvn_vectors *vectors, int32_t type)
{
    if (vectors->kind != member_of(type)) {
        return 0;
    }
    return type == MVN_TYPE_FLOAT_VECTOR ? vectors->data.size / 4 : vectors->data.size;
}

/* Lists of the numbers in `size` bytes. */
static PyObject *half_list(const uint8_t *bytes, size_t size, int32_t type)
{
    size_t width = type == MVN_TYPE_INT8_VECTOR ? 1 : 2;
    PyObject *list = PyList_New((Py_ssize_t)(size / width));
    for (size_t i = 0; list != NULL && i < size / width; i++) {
        uint16_t bits =
            width == 1 ? bytes[i] : (uint16_t)(bytes[2 * i] | (unsigned)bytes[2 * i + 1] << 8);
        PyObject *item = type == MVN_TYPE_INT8_VECTOR ? PyLong_FromLong((int8_t)(uint8_t)bits)
                         : type == MVN_TYPE_FLOAT16_VECTOR
                             ? PyFloat_FromDouble((double)mvn_f32_from_f16(bits))
                             : PyLong_FromLong(bits); /* NumPy has no bfloat16: pymilvus
                                                         gives the bits */
        if (item == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, item);
    }
    return list;
}

static PyObject *bytes_in_list(const uint8_t *bytes, size_t size)
{
    PyObject *value = PyBytes_FromStringAndSize((const char *)bytes, (Py_ssize_t)size);
    PyObject *list = value == NULL ? NULL : PyList_New(1);
    if (list == NULL) {
        Py_XDECREF(value);
        return NULL;
    }
    PyList_SET_ITEM(list, 0, value);
    return list;
}

int PyMvn_Vectors_Count(const mvn_vectors *vectors, int32_t *element_type, size_t *count)
{
    size_t width;
    *count = 0;
    if (*element_type == 0) {
        *element_type = type_of_payload(vectors);
        if (*element_type == 0) {
            return 1;
        }
    }
    if (dense_width(*element_type, vectors->dim, &width) != WIDTH_OK) {
        return 0;
    }
    if (width != 0) {
        *count = payload_units(vectors, *element_type) / width;
    }
    return 1;
}

PyObject *PyMvn_Vectors_RaiseUncountable(const mvn_vectors *vectors, int32_t element_type)
{
    size_t width;
    return raise_width(dense_width(element_type, vectors->dim, &width), element_type,
                       vectors->dim);
}

static PyObject *one_vector(const mvn_vectors *vectors, int32_t type, size_t index, size_t width,
                            PyMvn_VectorListing listing)
{
    if (type == MVN_TYPE_FLOAT_VECTOR) {
        return PyMvn_Reply_Floats(vectors->data.data + 4 * index * width, width);
    }
    const uint8_t *bytes = vectors->data.data + index * width;
    if (listing == PyMvn_VECTORS_RAW) {
        return PyBytes_FromStringAndSize((const char *)bytes, (Py_ssize_t)width);
    }
    return type == MVN_TYPE_BINARY_VECTOR ? bytes_in_list(bytes, width)
                                          : half_list(bytes, width, type);
}

PyObject *PyMvn_Vectors_List(const mvn_vectors *vectors, int32_t element_type, size_t count,
                             PyMvn_VectorListing listing)
{
    const mvn_bits *valid = &vectors->valid;
    size_t width, length = valid->count == 0 ? count : valid->count;
    if (count == 0 && valid->count == 0) {
        return PyList_New(0);
    }
    (void)dense_width(element_type, vectors->dim, &width);
    PyObject *list = PyList_New((Py_ssize_t)length);
    size_t stored = 0;
    for (size_t i = 0; list != NULL && i < length; i++) {
        bool null = valid->count != 0 && valid->data[i] == 0;
        PyObject *item;
        if (null || stored >= count) {
            item = Py_NewRef(Py_None);
            stored += null && count == valid->count; /* nulls have a placeholder */
        } else {
            item = one_vector(vectors, element_type, stored++, width, listing);
        }
        if (item == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, item);
    }
    return list;
}

static int give(PyObject *object, PyObject **value)
{
    *value = object;
    return object == NULL ? -1 : 1;
}

/* 1 for a row with a vector, 0 for a null row, -1 for a row beyond the validity. */
static int take_row(PyMvn_Cells *cells)
{
    const mvn_bits *valid = &cells->column->valid;
    size_t row = cells->row++;
    if (valid->count == 0) {
        return 1;
    }
    if (row >= valid->count) {
        PyMvn_Reply_Malformed(cells->state, "field %R has validity for %zu rows only", cells->name,
                              valid->count);
        return -1;
    }
    return valid->data[row] != 0;
}

static PyObject *matrix_row(PyMvn_Cells *cells, size_t index)
{
    Py_ssize_t begin = (Py_ssize_t)(index * cells->width);
    return PySequence_GetSlice(cells->matrix, begin, begin + (Py_ssize_t)cells->width);
}

static int next_dense(PyMvn_Cells *cells, PyObject **value)
{
    const mvn_column *column = cells->column;
    int taken = take_row(cells);
    if (taken <= 0) {
        return taken < 0 ? -1 : give(Py_NewRef(Py_None), value);
    }
    width_status status = dense_width(column->type, column->vectors.dim, &cells->width);
    if (status != WIDTH_OK) {
        raise_width(status, column->type, column->vectors.dim);
        return -1;
    }
    size_t index = cells->stored++;
    if (cells->width == 0) { /* FLOAT with dim 0 */
        return give(cells->matrix != NULL ? matrix_row(cells, 0) : PyList_New(0), value);
    }
    if (index >= payload_units(&column->vectors, column->type) / cells->width) {
        return give(Py_NewRef(Py_None), value);
    }
    if (cells->matrix != NULL) {
        return give(matrix_row(cells, index), value);
    }
    if (column->type != MVN_TYPE_FLOAT_VECTOR && cells->rules->query) {
        return give(bytes_in_list(column->vectors.data.data + index * cells->width, cells->width),
                    value);
    }
    return give(one_vector(&column->vectors, column->type, index, cells->width,
                           PyMvn_VECTORS_RAW),
                value);
}

static PyObject *sparse_dict(mvn_span row, size_t count)
{
    PyObject *dict = PyDict_New(), *index = NULL, *number = NULL;
    if (dict == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        index = PyLong_FromUnsignedLong(mvn_sparse_index(row, i));
        if (index == NULL) {
            goto fail;
        }
        number = PyFloat_FromDouble((double)mvn_sparse_value(row, i));
        if (number == NULL || PyDict_SetItem(dict, index, number) < 0) {
            goto fail;
        }
        Py_CLEAR(index);
        Py_CLEAR(number);
    }
    return dict;
fail:
    Py_XDECREF(index);
    Py_XDECREF(number);
    Py_DECREF(dict);
    return NULL;
}

static int malformed(PyMvn_Cells *cells, mvn_status status)
{
    mvn_error error;
    (void)mvn_fail(&error, status, "row %zu", cells->row - 1);
    PyMvn_RaiseStatus(cells->state, status, &error, "column of vectors");
    return -1;
}

static int next_sparse(PyMvn_Cells *cells, PyObject **value)
{
    mvn_span row = {NULL, 0};
    int taken = take_row(cells);
    if (taken < 0) {
        return -1;
    }
    if (taken == 0 || cells->stored++ >= cells->count) {
        return give(Py_NewRef(Py_None), value);
    }
    mvn_status status =
        mvn_items_next(&cells->reader, cells->column->vectors.items.number, &row);
    if (status != MVN_OK) {
        return malformed(cells, status);
    }
    size_t count = 0;
    if (mvn_sparse_count(row, &count) != MVN_OK) {
        PyMvn_RaiseMilvus("ParamError", "The length of data must be a multiple of 8, got %zu",
                          row.size);
        return -1;
    }
    return give(sparse_dict(row, count), value);
}

/* Unlike plain vectors, a null row has a placeholder here. */
static int next_vector_array(PyMvn_Cells *cells, PyObject **value)
{
    const mvn_vectors *outer = &cells->column->vectors;
    mvn_vectors inner;
    mvn_span item = {NULL, 0};
    size_t row = cells->row, count;
    mvn_status status = MVN_OK;
    int taken = take_row(cells);
    if (taken < 0) {
        return -1;
    }
    if (row < cells->count) {
        status = mvn_items_next(&cells->reader, outer->items.number, &item);
        if (status != MVN_OK) {
            return malformed(cells, status);
        }
    }
    if (taken == 0) {
        return give(Py_NewRef(Py_None), value);
    }
    if (row >= cells->count) {
        return give(PyList_New(0), value);
    }
    status = mvn_index_vectors(cells->scratch, item, &inner);
    if (status != MVN_OK) {
        *value = NULL;
        (void)malformed(cells, status);
    } else {
        int32_t type = outer->element_type;
        *value = PyMvn_Vectors_Count(&inner, &type, &count)
                     ? PyMvn_Vectors_List(&inner, type, count, PyMvn_VECTORS_RAW)
                     : PyMvn_Vectors_RaiseUncountable(&inner, type);
    }
    mvn_arena_reset(cells->scratch);
    return *value == NULL ? -1 : 1;
}

/* The whole payload as one writable numpy array, of which the rows become views. */
static PyObject *float32_array(const mvn_vectors *vectors)
{
    PyObject *numpy = NULL, *bytes = NULL, *view = NULL, *array = NULL;
    size_t size = vectors->kind == MVN_VECTORS_FLOAT ? vectors->data.size : 0;

    bytes = PyBytes_FromStringAndSize((const char *)vectors->data.data, (Py_ssize_t)size);
    if (bytes == NULL) {
        goto done;
    }
    numpy = PyImport_ImportModule("numpy");
    if (numpy == NULL) {
        goto done;
    }
    view = PyObject_CallMethod(numpy, "frombuffer", "Os", bytes, "<f4");
    if (view == NULL) {
        goto done;
    }
    array = PyObject_CallMethod(view, "astype", "s", "float32");
done:
    Py_XDECREF(numpy);
    Py_XDECREF(bytes);
    Py_XDECREF(view);
    return array;
}

int PyMvn_VectorCells_Open(PyMvn_Cells *cells)
{
    const mvn_vectors *vectors = &cells->column->vectors;
    mvn_vectors_kind items = cells->column->type == MVN_TYPE_SPARSE_FLOAT_VECTOR
                                 ? MVN_VECTORS_SPARSE
                                 : MVN_VECTORS_ARRAY;
    switch (cells->column->type) {
    case MVN_TYPE_SPARSE_FLOAT_VECTOR:
    case MVN_TYPE_ARRAY_OF_VECTOR:
        cells->next = items == MVN_VECTORS_SPARSE ? next_sparse : next_vector_array;
        if (vectors->kind == items) {
            cells->count = vectors->items.count;
            cells->reader = mvn_reader_of(vectors->items.message);
        }
        return 0;
    default:
        cells->next = next_dense;
        if (cells->rules->strict_float32 && cells->column->type == MVN_TYPE_FLOAT_VECTOR) {
            cells->matrix = float32_array(vectors);
            return cells->matrix == NULL ? -1 : 0;
        }
        return 0;
    }
}
