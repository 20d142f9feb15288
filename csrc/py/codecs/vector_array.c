/* ARRAY_OF_VECTOR, the sub-fields of struct arrays that hold vectors: for each row one VectorField
 * with the row's vectors end to end, all of them inside VectorField.vector_array.
 *
 * A cell is a list of vectors, made by struct_array.c. Its bytes are made while it is measured,
 * since a row's vectors have sizes of their own only when they are converted. */
#include "dense_cell.h"

#include "../../core/buffer.h"

/* Field numbers: VectorField, its members as in dense_vector.c, and VectorArray. */
#define VECTOR_DIM 1
#define VECTOR_ARRAY 8
#define FLOAT_VECTOR 2
#define FLOAT_ARRAY_DATA 1
#define ARRAY_DIM 1
#define ARRAY_DATA 2
#define ARRAY_ELEMENT_TYPE 3

static mvn_buffer *encoded_of(PyMvn_Column *column)
{
    if (column->scratch == NULL) {
        column->scratch = PyMem_Malloc(sizeof(mvn_buffer));
        if (column->scratch == NULL) {
            PyErr_NoMemory();
            return NULL;
        }
        mvn_buffer_init(column->scratch);
    }
    return column->scratch;
}

/* Appends one vector, the room for which was reserved. */
static int append_vector(const PyMvn_DensePlace *place, const PyMvn_DenseType *type,
                         PyObject *list, mvn_buffer *out, size_t size)
{
    PyMvn_VectorView view = {.buffer.obj = NULL};
    const PyMvn_Field *field = place->column->field;
    PyObject *vector = Py_NewRef(PyList_GET_ITEM(list, place->element));
    bool native = false;
    int status = PyMvn_Dense_Check(place, type, field->dim, &vector, &view, &native);
    if (status == 0) {
        status = PyMvn_Dense_Write(place, type, field->dim, vector, &view,
                                   type->native == MVN_ELEMENT_F32, out->data + out->size);
    }
    if (status == 0) {
        out->size += size;
    }
    PyMvn_View_Release(&view);
    Py_DECREF(vector);
    return status;
}

/* Appends ARRAY_DATA with the VectorField of one row. Nobody else sees the list. */
static int append_row(const PyMvn_Column *column, const PyMvn_DenseType *type, Py_ssize_t row,
                      mvn_buffer *out)
{
    PyObject *list = column->cells[row]; /* borrowed from the column */
    size_t count = (size_t)PyList_GET_SIZE(list);
    size_t size = PyMvn_Dense_NativeSize(type, column->field->dim);
    bool f32 = type->native == MVN_ELEMENT_F32;
    uint64_t dim = (uint64_t)column->field->dim;

    if (size != 0 && count > MVN_MAX_MESSAGE / size) {
        return PyMvn_Column_Status(MVN_ETOOBIG);
    }
    size_t payload = count * size, member = payload;
    if (f32) {
        member = payload == 0 ? 0 : mvn_bytes_field_size(FLOAT_ARRAY_DATA, payload);
    }
    size_t body = (dim == 0 ? 0 : mvn_varint_field_size(VECTOR_DIM, dim)) +
                  mvn_bytes_field_size(type->slot, member);
    size_t all = mvn_bytes_field_size(ARRAY_DATA, body);
    if (all > MVN_MAX_MESSAGE) {
        return PyMvn_Column_Status(MVN_ETOOBIG);
    }
    if (PyMvn_Column_Status(mvn_buffer_reserve(out, all)) < 0) {
        return -1;
    }
    mvn_writer writer = mvn_writer_over(out->data + out->size, all);
    mvn_write_bytes_header(&writer, ARRAY_DATA, body);
    if (dim != 0) {
        mvn_write_varint_field(&writer, VECTOR_DIM, dim);
    }
    mvn_write_bytes_header(&writer, type->slot, member);
    if (f32 && payload != 0) {
        mvn_write_bytes_header(&writer, FLOAT_ARRAY_DATA, payload);
    }
    out->size = (size_t)(writer.pos - out->data);
    for (size_t i = 0; i < count; i++) {
        PyMvn_DensePlace place = {column, row, (Py_ssize_t)i};
        if (append_vector(&place, type, list, out, size) < 0) {
            return -1;
        }
    }
    return 0;
}

static int measure(PyMvn_Column *column, Py_ssize_t begin, Py_ssize_t end)
{
    const PyMvn_DenseType *type = PyMvn_Dense_Find(column->field->element_type);
    mvn_buffer *encoded = encoded_of(column);
    if (encoded == NULL) {
        return -1;
    }
    for (Py_ssize_t row = begin; row < end; row++) {
        if (column->cells[row] == NULL) {
            continue;
        }
        if (type == NULL) {
            return PyMvn_Column_Fail(column, row, "ParamError",
                                     "Unsupported element type: %d for Array of Vector field: %U",
                                     (int)column->field->element_type, column->field->name);
        }
        if (append_row(column, type, row, encoded) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Bytes of VectorArray. */
static size_t inner_size(const PyMvn_Column *column)
{
    const mvn_buffer *encoded = column->scratch;
    uint64_t dim = (uint64_t)column->field->dim;
    return (dim == 0 ? 0 : mvn_varint_field_size(ARRAY_DIM, dim)) +
           (encoded == NULL ? 0 : encoded->size) +
           mvn_varint_field_size(ARRAY_ELEMENT_TYPE, (uint64_t)column->field->element_type);
}

static size_t size(const PyMvn_Column *column)
{
    return column->n_valid == 0 ? 0 : mvn_bytes_field_size(VECTOR_ARRAY, inner_size(column));
}

static int open_payload(PyMvn_Column *column, mvn_writer *out)
{
    if (column->n_valid == 0) {
        return 0;
    }
    mvn_write_bytes_header(out, VECTOR_ARRAY, inner_size(column));
    if (column->field->dim != 0) {
        mvn_write_varint_field(out, ARRAY_DIM, (uint64_t)column->field->dim);
    }
    mvn_write_varint_field(out, ARRAY_ELEMENT_TYPE, (uint64_t)column->field->element_type);
    return 0;
}

static int write_rows(PyMvn_Column *column, Py_ssize_t begin, Py_ssize_t end, mvn_writer *out)
{
    mvn_buffer *encoded = column->scratch;
    (void)end;
    if (begin == 0 && encoded != NULL) {
        mvn_write_raw(out, encoded->data, encoded->size);
        mvn_buffer_reset(encoded);
    }
    return 0;
}

static void release(PyMvn_Column *column)
{
    if (column->scratch != NULL) {
        mvn_buffer_reset(column->scratch);
        PyMem_Free(column->scratch);
        column->scratch = NULL;
    }
}

const PyMvn_Codec PyMvn_Codec_VectorArray = {
    .label = "array_of_vector",
    .slot = MVN_SLOT_VECTORS,
    .measure = measure,
    .size = size,
    .open = open_payload,
    .write = write_rows,
    .release = release,
};
