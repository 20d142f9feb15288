/* Columns of dense vectors: FLOAT_VECTOR, FLOAT16_VECTOR, BFLOAT16_VECTOR, INT8_VECTOR and
 * BINARY_VECTOR.
 *
 * Half vectors given as numbers go as binary32, which the server narrows, like pymilvus does it;
 * if one row of the batch comes as native bytes then all rows do, since both forms share a oneof. */
#include "dense_cell.h"

/* A slice larger than this is copied without the GIL. */
#define MVN_COPY_UNLOCKED ((size_t)1 << 18)

typedef struct {
    const PyMvn_DenseType *type;
    PyMvn_VectorView *views; /* of each row, made for the first buffer; NULL before */
    PyMvn_VectorView whole;  /* of column->whole */
    bool native;             /* some row came as native bytes */
} Dense;

static Dense *dense_of(PyMvn_Column *column)
{
    Dense *dense = column->scratch;
    if (dense == NULL) {
        dense = PyMem_Calloc(1, sizeof(*dense));
        if (dense == NULL) {
            PyErr_NoMemory();
            return NULL;
        }
        dense->type = PyMvn_Dense_Find(column->field->type);
        column->scratch = dense;
    }
    return dense;
}

static bool as_f32(const Dense *dense)
{
    return dense->type->native == MVN_ELEMENT_F32 || (dense->type->half && !dense->native);
}

/* Bytes of one vector as it is sent. The dimension was checked, unless all rows are null. */
static size_t row_size(const PyMvn_Column *column, const Dense *dense)
{
    size_t native = PyMvn_Dense_NativeSize(dense->type, column->field->dim);
    return dense->type->half && !dense->native ? 2 * native : native;
}

/* A view for a row's buffer; NULL with an exception. */
static PyMvn_VectorView *view_of(PyMvn_Column *column, Dense *dense, Py_ssize_t row)
{
    if (dense->views == NULL) {
        dense->views = PyMem_Calloc((size_t)column->n_rows, sizeof(*dense->views));
        if (dense->views == NULL) {
            PyErr_NoMemory();
            return NULL;
        }
    }
    return &dense->views[row];
}

static int dense_adopt(PyMvn_Column *column, PyObject *whole)
{
    Dense *dense = dense_of(column);
    if (dense == NULL) {
        return -1;
    }
    PyMvn_VectorView *view = &dense->whole;
    int taken = PyMvn_View_Take(whole, view);
    if (taken <= 0) {
        return taken;
    }
    if (view->buffer.obj == NULL || view->buffer.ndim != 2 ||
        view->element == MVN_ELEMENT_OTHER || view->buffer.shape[0] != column->n_rows ||
        column->n_rows == 0) {
        PyMvn_View_Release(view);
        return 0;
    }
    PyMvn_DensePlace place = {column, 0, -1};
    bool native = false;
    if (PyMvn_Dense_CheckMatrix(&place, dense->type, column->field->dim, whole, view, &native) < 0) {
        return -1;
    }
    dense->native = native;
    return 1;
}

static int dense_measure(PyMvn_Column *column, Py_ssize_t begin, Py_ssize_t end)
{
    Dense *dense = dense_of(column);
    if (dense == NULL) {
        return -1;
    }
    if (dense->whole.buffer.obj != NULL) {
        return 0;
    }
    for (Py_ssize_t row = begin; row < end; row++) {
        PyObject **cell = &column->cells[row];
        PyMvn_VectorView none = {.buffer.obj = NULL}, *view = &none;
        PyMvn_DensePlace place = {column, row, -1};
        bool native = false;
        if (*cell == NULL) {
            continue;
        }
        if (!PyList_CheckExact(*cell) && !PyTuple_CheckExact(*cell) &&
            !PyBytes_CheckExact(*cell)) {
            view = view_of(column, dense, row);
            if (view == NULL) {
                return -1;
            }
        }
        if (PyMvn_Dense_Check(&place, dense->type, column->field->dim, cell, view, &native) < 0) {
            return -1;
        }
        dense->native = dense->native || native;
    }
    return 0;
}

/* Bytes of all vectors. Beyond what a message may hold it stops counting. */
static size_t payload_size(const PyMvn_Column *column, const Dense *dense)
{
    size_t size = row_size(column, dense), rows = (size_t)column->n_valid;
    return size != 0 && rows > MVN_MAX_MESSAGE / size ? MVN_MAX_MESSAGE : rows * size;
}

static size_t dim_size(const PyMvn_Column *column)
{
    uint64_t dim = (uint64_t)column->field->dim;
    return dim == 0 ? 0 : mvn_varint_field_size(1, dim);
}

static size_t dense_size(const PyMvn_Column *column)
{
    const Dense *dense = column->scratch;
    size_t size = dim_size(column);
    if (dense != NULL && column->n_valid != 0) {
        size_t payload = payload_size(column, dense);
        if (as_f32(dense)) {
            size += mvn_bytes_field_size(2, mvn_bytes_field_size(1, payload));
        } else {
            size += mvn_bytes_field_size(dense->type->slot, payload);
        }
    }
    return size;
}

static int dense_open(PyMvn_Column *column, mvn_writer *out)
{
    const Dense *dense = column->scratch;
    if (column->field->dim != 0) {
        mvn_write_varint_field(out, 1, (uint64_t)column->field->dim);
    }
    if (dense != NULL && column->n_valid != 0) {
        size_t payload = payload_size(column, dense);
        if (as_f32(dense)) {
            mvn_write_bytes_header(out, 2, mvn_bytes_field_size(1, payload));
            mvn_write_bytes_header(out, 1, payload);
        } else {
            mvn_write_bytes_header(out, dense->type->slot, payload);
        }
    }
    return 0;
}

/* Writes rows [begin, end) of a matrix; the first row that has an element that does not fit, whose
 * index goes to `*element`, or `end`. Touches no Python object. */
static Py_ssize_t write_matrix(const PyMvn_Column *column, const Dense *dense, Py_ssize_t begin,
                               Py_ssize_t end, uint8_t *out, size_t *element)
{
    const PyMvn_VectorView *view = &dense->whole;
    size_t size = row_size(column, dense);
    mvn_strided source = PyMvn_View_Row(view, begin);
    bool f32 = as_f32(dense);

    if (view->buffer.strides[0] == (Py_ssize_t)source.count * source.stride && f32) {
        /* No gaps between the rows: they are one long row. */
        source.count *= (size_t)(end - begin);
        mvn_strided_to_f32(&source, out);
        return end;
    }
    for (Py_ssize_t row = begin; row < end; row++, out += size) {
        source = PyMvn_View_Row(view, row);
        *element = PyMvn_Dense_WriteStrided(dense->type, column->field->dim, &source, view->bytes,
                                            f32, out);
        if (*element != source.count) {
            return row;
        }
    }
    return end;
}

static int write_whole(PyMvn_Column *column, const Dense *dense, Py_ssize_t begin, Py_ssize_t end,
                       mvn_writer *out)
{
    size_t size = row_size(column, dense) * (size_t)(end - begin);
    uint8_t *pos = out->pos;
    size_t element = 0;
    Py_ssize_t stop;

    MVN_WRITER_ROOM(out, size);
    if (size > MVN_COPY_UNLOCKED) {
        Py_BEGIN_ALLOW_THREADS
        stop = write_matrix(column, dense, begin, end, pos, &element);
        Py_END_ALLOW_THREADS
    } else {
        stop = write_matrix(column, dense, begin, end, pos, &element);
    }
    if (stop != end) {
        PyMvn_DensePlace place = {column, stop, -1};
        mvn_strided source = PyMvn_View_Row(&dense->whole, stop);
        return PyMvn_Dense_FailElement(&place, dense->type, column->whole, &source, element);
    }
    out->pos += size;
    return 0;
}

static int dense_write(PyMvn_Column *column, Py_ssize_t begin, Py_ssize_t end, mvn_writer *out)
{
    static const PyMvn_VectorView none = {.buffer.obj = NULL};
    const Dense *dense = column->scratch;
    if (dense == NULL) { /* no rows */
        return 0;
    }
    if (dense->whole.buffer.obj != NULL) {
        return write_whole(column, dense, begin, end, out);
    }
    size_t size = row_size(column, dense);
    bool f32 = as_f32(dense);
    for (Py_ssize_t row = begin; row < end; row++) {
        PyObject *cell = column->cells[row]; /* borrowed; the column owns it and is ours alone */
        const PyMvn_VectorView *view = dense->views == NULL ? &none : &dense->views[row];
        PyMvn_DensePlace place = {column, row, -1};
        if (cell == NULL) {
            continue;
        }
        MVN_WRITER_ROOM(out, size);
        if (PyMvn_Dense_Write(&place, dense->type, column->field->dim, cell, view, f32, out->pos) <
            0) {
            return -1;
        }
        out->pos += size;
    }
    return 0;
}

static void dense_release(PyMvn_Column *column)
{
    Dense *dense = column->scratch;
    column->scratch = NULL;
    if (dense == NULL) {
        return;
    }
    PyMvn_View_Release(&dense->whole);
    for (Py_ssize_t row = 0; dense->views != NULL && row < column->n_rows; row++) {
        PyMvn_View_Release(&dense->views[row]);
    }
    PyMem_Free(dense->views);
    PyMem_Free(dense);
}

#define DENSE_CODEC(name, text)                                                                   \
    const PyMvn_Codec PyMvn_Codec_##name = {                                                      \
        .label = text,                                                                            \
        .slot = MVN_SLOT_VECTORS,                                                                 \
        .adopt = dense_adopt,                                                                     \
        .measure = dense_measure,                                                                 \
        .size = dense_size,                                                                       \
        .open = dense_open,                                                                       \
        .write = dense_write,                                                                     \
        .release = dense_release,                                                                 \
    };
DENSE_CODEC(BinaryVector, "binary_vector")
DENSE_CODEC(FloatVector, "float_vector")
DENSE_CODEC(Float16Vector, "float16_vector")
DENSE_CODEC(BFloat16Vector, "bfloat16_vector")
DENSE_CODEC(Int8Vector, "int8_vector")
#undef DENSE_CODEC
