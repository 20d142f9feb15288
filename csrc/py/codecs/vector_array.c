/* ARRAY_OF_VECTOR, the sub-fields of struct arrays that hold vectors: for each row one VectorField
 * with the row's vectors end to end, all of them inside VectorField.vector_array.
 *
 * A cell is a list of vectors that struct_array.c made and that nobody else sees. Its length and
 * the dimension give its size, so that measuring only counts, and writing checks the vectors. */
#include "dense_cell.h"

/* Field numbers: of VectorField, its members as in dense_vector.c, and of VectorArray. */
#define VECTOR_DIM 1
#define VECTOR_ARRAY 8
#define FLOAT_ARRAY_DATA 1
#define ARRAY_DIM 1
#define ARRAY_DATA 2
#define ARRAY_ELEMENT_TYPE 3

typedef struct {
    const PyMvn_DenseType *type;
    size_t contents; /* bytes of ARRAY_DATA of the rows that were measured */
} Vectors;

/* Sizes of one row's VectorField, from the inside out. */
typedef struct {
    size_t payload; /* the vectors */
    size_t member;  /* FloatArray, or the payload itself */
    size_t body;    /* VectorField */
} RowSize;

static Vectors *vectors_of(PyMvn_Column *column)
{
    Vectors *vectors = column->scratch;
    if (vectors == NULL) {
        vectors = PyMem_Calloc(1, sizeof(*vectors));
        if (vectors == NULL) {
            PyErr_NoMemory();
            return NULL;
        }
        vectors->type = PyMvn_Dense_Find(column->field->element_type);
        column->scratch = vectors;
    }
    return vectors;
}

static bool is_f32(const Vectors *vectors)
{
    return vectors->type->native == MVN_ELEMENT_F32;
}

static size_t dim_size(const PyMvn_Column *column, uint32_t number)
{
    uint64_t dim = (uint64_t)column->field->dim;
    return dim == 0 ? 0 : mvn_varint_field_size(number, dim);
}

static void write_dim(const PyMvn_Column *column, uint32_t number, mvn_writer *out)
{
    if (column->field->dim != 0) {
        mvn_write_varint_field(out, number, (uint64_t)column->field->dim);
    }
}

/* Of a row that is not null. false when it is too large for a message. */
static bool row_size(const PyMvn_Column *column, const Vectors *vectors, Py_ssize_t row,
                     RowSize *size)
{
    size_t count = (size_t)PyList_GET_SIZE(column->cells[row]);
    size_t one = PyMvn_Dense_NativeSize(vectors->type, column->field->dim);
    if (one != 0 && count > MVN_MAX_MESSAGE / one) {
        return false;
    }
    size->payload = size->member = count * one;
    if (is_f32(vectors) && count != 0) {
        size->member = mvn_bytes_field_size(FLOAT_ARRAY_DATA, size->payload);
    }
    size->body = dim_size(column, VECTOR_DIM) +
                 mvn_bytes_field_size(vectors->type->slot, size->member);
    return true;
}

static int measure(PyMvn_Column *column, Py_ssize_t begin, Py_ssize_t end)
{
    Vectors *vectors = vectors_of(column);
    if (vectors == NULL) {
        return -1;
    }
    for (Py_ssize_t row = begin; row < end; row++) {
        RowSize size;
        if (column->cells[row] == NULL) {
            continue;
        }
        if (vectors->type == NULL) {
            return PyMvn_Column_Fail(column, row, "ParamError",
                                     "Unsupported element type: %d for Array of Vector field: %U",
                                     (int)column->field->element_type, column->field->name);
        }
        if (vectors->contents > MVN_MAX_MESSAGE || !row_size(column, vectors, row, &size)) {
            return PyMvn_Column_Status(MVN_ETOOBIG);
        }
        vectors->contents += mvn_bytes_field_size(ARRAY_DATA, size.body);
    }
    return 0;
}

/* Bytes of VectorArray. */
static size_t inner_size(const PyMvn_Column *column)
{
    const Vectors *vectors = column->scratch;
    return dim_size(column, ARRAY_DIM) + (vectors == NULL ? 0 : vectors->contents) +
           mvn_varint_field_size(ARRAY_ELEMENT_TYPE, (uint64_t)column->field->element_type);
}

static size_t size(const PyMvn_Column *column)
{
    return column->n_valid == 0 ? 0 : mvn_bytes_field_size(VECTOR_ARRAY, inner_size(column));
}

static int open_payload(PyMvn_Column *column, mvn_writer *out)
{
    if (column->n_valid != 0) {
        mvn_write_bytes_header(out, VECTOR_ARRAY, inner_size(column));
        write_dim(column, ARRAY_DIM, out);
        mvn_write_varint_field(out, ARRAY_ELEMENT_TYPE, (uint64_t)column->field->element_type);
    }
    return 0;
}

/* Writes `size` bytes of one vector. */
static int write_vector(const PyMvn_DensePlace *place, const Vectors *vectors, PyObject *list,
                        size_t size, mvn_writer *out)
{
    PyMvn_VectorView view = {.buffer.obj = NULL};
    int64_t dim = place->column->field->dim;
    PyObject *vector = Py_NewRef(PyList_GET_ITEM(list, place->element));
    bool native = false;
    int status = PyMvn_Dense_Check(place, vectors->type, dim, &vector, &view, &native);
    if (status == 0) {
        MVN_WRITER_ROOM(out, size);
        status = PyMvn_Dense_Write(place, vectors->type, dim, vector, &view, is_f32(vectors),
                                   out->pos);
        out->pos += size;
    }
    PyMvn_View_Release(&view);
    Py_DECREF(vector);
    return status;
}

static int write_row(PyMvn_Column *column, const Vectors *vectors, Py_ssize_t row,
                     mvn_writer *out)
{
    PyObject *list = column->cells[row]; /* borrowed from the column */
    size_t one = PyMvn_Dense_NativeSize(vectors->type, column->field->dim);
    RowSize size;

    if (!row_size(column, vectors, row, &size)) {
        return PyMvn_Column_Status(MVN_ETOOBIG);
    }
    mvn_write_bytes_header(out, ARRAY_DATA, size.body);
    write_dim(column, VECTOR_DIM, out);
    mvn_write_bytes_header(out, vectors->type->slot, size.member);
    if (is_f32(vectors) && PyList_GET_SIZE(list) != 0) {
        mvn_write_bytes_header(out, FLOAT_ARRAY_DATA, size.payload);
    }
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); i++) {
        PyMvn_DensePlace place = {column, row, i};
        if (write_vector(&place, vectors, list, one, out) < 0) {
            return -1;
        }
    }
    return 0;
}

static int write_rows(PyMvn_Column *column, Py_ssize_t begin, Py_ssize_t end, mvn_writer *out)
{
    const Vectors *vectors = column->scratch;
    for (Py_ssize_t row = begin; vectors != NULL && row < end; row++) {
        if (column->cells[row] != NULL && write_row(column, vectors, row, out) < 0) {
            return -1;
        }
    }
    return 0;
}

static void release(PyMvn_Column *column)
{
    PyMem_Free(column->scratch);
    column->scratch = NULL;
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
