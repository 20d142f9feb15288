#include "placeholders.h"

#include <string.h>

#include "errors.h"
#include "sparse_rows.h"
#include "vectors.h"
#include "../core/wire_writer.h"

/* PlaceholderType of the protocol: a vector's is its data type's, and those of embedding lists
 * follow at a distance. */
#define TYPE_VARCHAR 21
#define TYPE_BINARY_VECTOR 100
#define TYPE_FLOAT_VECTOR 101
#define TYPE_FLOAT16_VECTOR 102
#define TYPE_BFLOAT16_VECTOR 103
#define TYPE_SPARSE_VECTOR 104
#define TYPE_INT8_VECTOR 105
#define EMBEDDING_LIST 200

/* Field numbers. */
#define GROUP_PLACEHOLDERS 1
#define VALUE_TAG 1
#define VALUE_TYPE 2
#define VALUE_VALUES 3

/* More text of the data than this helps nobody. */
#define SHOWN "%.2000S"

typedef struct {
    PyMvn_State *state;
    mvn_buffer *out;
    PyObject *data; /* borrowed from the caller */
    int bytes_type;
    int embedding_list;
} Search;

typedef enum { KIND_NONE, KIND_TEXT, KIND_BYTES, KIND_LIST, KIND_ARRAY } Kind;

static Kind kind_of(PyObject *item)
{
    if (PyList_Check(item)) {
        return KIND_LIST;
    }
    if (PyUnicode_Check(item)) {
        return KIND_TEXT;
    }
    if (PyBytes_Check(item) || PyByteArray_Check(item)) {
        return KIND_BYTES;
    }
    if (PyMemoryView_Check(item)) {
        PyMvn_VectorView view;
        if (PyMvn_View_Take(item, &view) <= 0) {
            PyErr_Clear(); /* released; taking it again will say so */
            return KIND_ARRAY;
        }
        bool bytes = view.bytes;
        PyMvn_View_Release(&view);
        return bytes ? KIND_BYTES : KIND_ARRAY;
    }
    return PyObject_CheckBuffer(item) ? KIND_ARRAY : KIND_NONE;
}

static int fail_illegal(const Search *search)
{
    if (PyList_Check(search->data) && PyList_GET_SIZE(search->data) == 0) {
        /* pymilvus's accident comes first: programs, and their tests, look for its words. */
        PyMvn_RaiseMilvus("ParamError", "Unexpected error, message=<list index out of range>: "
                          "`search_data` value [] is illegal");
        return -1;
    }
    PyMvn_RaiseMilvus("ParamError", "`search_data` value " SHOWN " is illegal", search->data);
    return -1;
}

/* Names the item that an exception is about; other exceptions stay as they are. */
static int fail_item(Py_ssize_t index)
{
    PyObject *text = PyMvn_Vector_Complaint();
    if (text != NULL) {
        PyMvn_RaiseMilvus("ParamError", "data[%zd]: %U", index, text);
        Py_DECREF(text);
    }
    return -1;
}

/* Objects whose elements no vector field has. */
static int fail_unsupported(PyObject *object)
{
    PyObject *what = PyObject_GetAttrString(object, "dtype");
    if (what == NULL) {
        PyErr_Clear();
        what = Py_NewRef((PyObject *)Py_TYPE(object));
    }
    PyMvn_RaiseMilvus("ParamError", "unsupported data type: %S", what);
    Py_DECREF(what);
    return -1;
}

static int check_buffer(const Search *search, mvn_status status)
{
    if (status == MVN_OK) {
        return 0;
    }
    if (status == MVN_ETOOBIG) {
        PyMvn_RaiseMilvus("ParamError", "`search_data` exceeds 2 GiB, the most a message holds");
    } else {
        PyMvn_RaiseStatus(search->state, status, NULL, "search data");
    }
    return -1;
}

/* --- building the message --- */

/* The head of PlaceholderValue. */
static int append_head(const Search *search, int type)
{
    mvn_status status = mvn_buffer_append_bytes_field(search->out, VALUE_TAG, "$0", 2);
    if (status == MVN_OK) {
        status = mvn_buffer_append_varint_field(search->out, VALUE_TYPE, (uint64_t)type);
    }
    return check_buffer(search, status);
}

/* Tag and length of a value of `size` bytes, and room for it: the caller writes there and then
 * adds `size` to search->out->size. NULL with an exception on failure. */
static uint8_t *begin_value(const Search *search, size_t size)
{
    mvn_buffer *out = search->out;
    mvn_status status = MVN_ETOOBIG;
    if (size <= MVN_MAX_MESSAGE) {
        status = mvn_buffer_reserve(out, 2 * MVN_MAX_VARINT + size);
    }
    if (check_buffer(search, status) < 0) {
        return NULL;
    }
    mvn_writer writer = mvn_writer_over(out->data + out->size, 2 * MVN_MAX_VARINT);
    mvn_write_bytes_header(&writer, VALUE_VALUES, size);
    out->size += (size_t)(writer.pos - (out->data + out->size));
    return out->data + out->size;
}

static mvn_element element_of(int type)
{
    switch (type) {
    case TYPE_BINARY_VECTOR:
        return MVN_ELEMENT_U8;
    case TYPE_FLOAT16_VECTOR:
        return MVN_ELEMENT_F16;
    case TYPE_BFLOAT16_VECTOR:
        return MVN_ELEMENT_BF16;
    case TYPE_INT8_VECTOR:
        return MVN_ELEMENT_I8;
    default:
        return MVN_ELEMENT_F32;
    }
}

/* The vector type that arrays of `element` are searched as, 0 for none. */
static int type_of(mvn_element element)
{
    switch (element) {
    case MVN_ELEMENT_F32:
    case MVN_ELEMENT_F64:
        return TYPE_FLOAT_VECTOR;
    case MVN_ELEMENT_F16:
        return TYPE_FLOAT16_VECTOR;
    case MVN_ELEMENT_BF16:
        return TYPE_BFLOAT16_VECTOR;
    case MVN_ELEMENT_I8:
        return TYPE_INT8_VECTOR;
    case MVN_ELEMENT_U8:
        return TYPE_BINARY_VECTOR;
    default:
        return 0;
    }
}

/* Writes an array as `target`. 0, or -1 with ValueError for an element that does not fit. */
static int write_array(const mvn_strided *source, mvn_element target, uint8_t *out)
{
    size_t stop = mvn_strided_to(source, target, out);
    if (stop != source->count) {
        PyMvn_Strided_FailRange(source, stop, target == MVN_ELEMENT_I8);
        return -1;
    }
    return 0;
}

/* Appends one vector of numbers. `item` is borrowed from a list that nobody else changes. */
static int append_vector(const Search *search, PyObject *item, Py_ssize_t index,
                         mvn_element target)
{
    PyMvn_VectorView view = {.buffer.obj = NULL};
    PyObject *object = Py_NewRef(item);
    int status = -1;
    int form = PyMvn_Vector_Open(&object, target, &view);

    if (form < 0) {
        goto done;
    }
    bool whole = target == MVN_ELEMENT_I8 || target == MVN_ELEMENT_U8;
    if (form == MVN_FORM_BYTES) {
        fail_illegal(search);
        goto done;
    }
    if (form == MVN_FORM_OTHER ||
        (form == MVN_FORM_ARRAY && whole && !mvn_element_is_integer(view.element))) {
        fail_unsupported(object);
        goto done;
    }
    size_t count = (size_t)PyMvn_Vector_Length(object, &view);
    size_t width = mvn_element_size(target);
    if (count > MVN_MAX_MESSAGE) {
        (void)check_buffer(search, MVN_ETOOBIG);
        goto done;
    }
    uint8_t *out = begin_value(search, count * width);
    if (out == NULL) {
        goto done;
    }
    if (form == MVN_FORM_ARRAY) {
        mvn_strided source = PyMvn_View_Row(&view, 0);
        status = write_array(&source, target, out);
    } else {
        status = PyMvn_Vector_WriteNumbers(object, target, (Py_ssize_t)count, out);
    }
    if (status == 0) {
        search->out->size += count * width;
    }
done:
    PyMvn_View_Release(&view);
    Py_DECREF(object);
    return status < 0 ? fail_item(index) : 0;
}

static int append_text(const Search *search, PyObject *item, Py_ssize_t index)
{
    Py_ssize_t size = 0;
    if (!PyUnicode_Check(item)) {
        return fail_illegal(search);
    }
    const char *text = PyUnicode_AsUTF8AndSize(item, &size);
    if (text == NULL) {
        return fail_item(index);
    }
    uint8_t *out = begin_value(search, (size_t)size);
    if (out == NULL) {
        return -1;
    }
    memcpy(out, text, (size_t)size);
    search->out->size += (size_t)size;
    return 0;
}

static int append_bytes(const Search *search, PyObject *item, Py_ssize_t index)
{
    PyMvn_VectorView view = {.buffer.obj = NULL};
    PyObject *object = Py_NewRef(item);
    int status = -1;
    int form = PyMvn_Vector_Open(&object, MVN_ELEMENT_U8, &view);

    if (form == MVN_FORM_BYTES) {
        size_t size = (size_t)PyMvn_Vector_Length(object, &view);
        uint8_t *out = begin_value(search, size);
        if (out != NULL) {
            if (view.buffer.obj != NULL) {
                mvn_strided source = PyMvn_View_Row(&view, 0);
                mvn_strided_copy(&source, out);
            } else {
                memcpy(out, PyBytes_AS_STRING(object), size);
            }
            search->out->size += size;
            status = 0;
        }
    } else if (form >= 0) {
        fail_illegal(search);
    }
    PyMvn_View_Release(&view);
    Py_DECREF(object);
    return status < 0 ? fail_item(index) : 0;
}

/* --- the forms of search data --- */

/* What is illegal as a row is illegal as data; a bad index or value is told as it is. */
static int fail_sparse(const Search *search)
{
    if (PyErr_ExceptionMatches(PyExc_TypeError)) {
        return fail_illegal(search);
    }
    PyObject *text = PyMvn_Vector_Complaint();
    if (text != NULL) {
        PyMvn_RaiseMilvus("ParamError", "%U", text);
        Py_DECREF(text);
    }
    return -1;
}

static int append_sparse_row(const Search *search, PyObject *item)
{
    PyObject *row = Py_NewRef(item);
    int status = -1;
    Py_ssize_t count = PyMvn_SparseRow_Open(&row);
    if (count >= 0) {
        size_t size = (size_t)count * MVN_SPARSE_PAIR;
        uint8_t *out = begin_value(search, size);
        if (out != NULL) {
            status = PyMvn_SparseRow_Write(row, count, out);
        }
        if (status == 0) {
            search->out->size += size;
        }
    }
    Py_DECREF(row);
    return status < 0 ? fail_sparse(search) : 0;
}

static int append_csr(const Search *search, const PyMvn_Csr *csr)
{
    if (append_head(search, TYPE_SPARSE_VECTOR + search->embedding_list) < 0) {
        return -1;
    }
    for (Py_ssize_t row = 0; row < csr->n_rows; row++) {
        size_t count = PyMvn_Csr_Count(csr, row);
        if (count > MVN_MAX_MESSAGE) {
            return check_buffer(search, MVN_ETOOBIG);
        }
        uint8_t *out = begin_value(search, count * MVN_SPARSE_PAIR);
        if (out == NULL) {
            return -1;
        }
        if (PyMvn_Csr_Write(csr, row, out) < 0) {
            return fail_sparse(search);
        }
        search->out->size += count * MVN_SPARSE_PAIR;
    }
    return 0;
}

/* Rows of a two-dimensional array. */
static int append_matrix(const Search *search, const PyMvn_VectorView *view)
{
    int type = type_of(view->element);
    if (type == 0) {
        return fail_unsupported(search->data);
    }
    if (append_head(search, type + search->embedding_list) < 0) {
        return -1;
    }
    mvn_element target = element_of(type);
    size_t rows = (size_t)view->buffer.shape[0], columns = (size_t)view->buffer.shape[1];
    size_t size = columns > MVN_MAX_MESSAGE / 4 ? MVN_MAX_MESSAGE
                                                : columns * mvn_element_size(target);
    size_t field = mvn_bytes_field_size(VALUE_VALUES, size);
    if (rows > MVN_MAX_MESSAGE / field) {
        return check_buffer(search, MVN_ETOOBIG);
    }
    if (check_buffer(search, mvn_buffer_reserve(search->out, rows * field)) < 0) {
        return -1;
    }
    for (Py_ssize_t row = 0; row < view->buffer.shape[0]; row++) {
        mvn_strided source = PyMvn_View_Row(view, row);
        uint8_t *out = begin_value(search, size);
        if (out == NULL) {
            return -1;
        }
        if (write_array(&source, target, out) < 0) {
            return fail_item(row);
        }
        search->out->size += size;
    }
    return 0;
}

/* Whether a list of rows is a sparse matrix: all its items are dicts, scipy rows or lists of pairs.
 * The first item that can be nothing else decides. 1, 0 or -1. */
static int is_sparse(PyObject *items)
{
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items); i++) {
        PyObject *item = PyList_GET_ITEM(items, i); /* borrowed; `items` is ours alone */
        switch (kind_of(item)) {
        case KIND_LIST:
            if (PySequence_Fast_GET_SIZE(item) != 0) {
                PyObject *first = PySequence_GetItem(item, 0);
                if (first == NULL) {
                    return -1;
                }
                int pair = PyTuple_Check(first) || PyList_Check(first);
                Py_DECREF(first);
                return pair;
            }
            break; /* an empty row of either kind */
        case KIND_NONE:
            return PyDict_Check(item) ? 1 : PyMvn_HasAttribute(item, "tocsr");
        default:
            return 0;
        }
    }
    return 1;
}

static int append_sparse(const Search *search, PyObject *items)
{
    if (append_head(search, TYPE_SPARSE_VECTOR + search->embedding_list) < 0) {
        return -1;
    }
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items); i++) {
        if (append_sparse_row(search, PyList_GET_ITEM(items, i)) < 0) {
            return -1;
        }
    }
    return 0;
}

/* The placeholder type of vectors that start like `item`, 0 when they are illegal, -1. */
static int dense_type(const Search *search, PyObject *item)
{
    PyMvn_VectorView view;
    int type = 0;

    switch (kind_of(item)) {
    case KIND_TEXT:
        return TYPE_VARCHAR;
    case KIND_LIST:
        return TYPE_FLOAT_VECTOR;
    case KIND_BYTES:
        type = search->bytes_type == 0 ? TYPE_BINARY_VECTOR : search->bytes_type;
        if (type < TYPE_BINARY_VECTOR || type > TYPE_INT8_VECTOR) {
            PyMvn_RaiseMilvus("ParamError", "unsupported data type: %d", type);
            return -1;
        }
        return type + search->embedding_list;
    case KIND_ARRAY:
        if (PyMvn_View_Take(item, &view) < 0) {
            return -1;
        }
        type = type_of(view.element);
        bool number = view.buffer.obj != NULL && view.buffer.ndim == 0;
        PyMvn_View_Release(&view);
        if (number) {
            return 0;
        }
        return type == 0 ? fail_unsupported(item) : type + search->embedding_list;
    default:
        return 0;
    }
}

static int append_dense(const Search *search, PyObject *items)
{
    PyObject *first = PyList_GET_ITEM(items, 0); /* borrowed, like all items: the list is ours */
    Kind kind = kind_of(first);
    int type = dense_type(search, first);
    if (type < 0) {
        return fail_item(0);
    }
    if (type == 0) {
        return fail_illegal(search);
    }
    if (append_head(search, type) < 0) {
        return -1;
    }
    mvn_element target = kind == KIND_LIST ? MVN_ELEMENT_F32
                                           : element_of(type - search->embedding_list);
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items); i++) {
        PyObject *item = PyList_GET_ITEM(items, i);
        int status;
        if (kind == KIND_TEXT) {
            status = append_text(search, item, i);
        } else if (kind == KIND_BYTES) {
            status = append_bytes(search, item, i);
        } else if (kind_of(item) == KIND_LIST || kind_of(item) == KIND_ARRAY) {
            status = append_vector(search, item, i, target);
        } else {
            status = fail_illegal(search);
        }
        if (status < 0) {
            return -1;
        }
    }
    return 0;
}

/* Everything that is a sequence of items, one per query. */
static int append_items(const Search *search, Py_ssize_t *nq)
{
    PyObject *items = NULL;
    int status = -1;

    /* Generators and the like: pymilvus wants to know the length. */
    bool sized = !PyUnicode_Check(search->data) && !PyDict_Check(search->data) &&
                 !PyAnySet_Check(search->data) && PyObject_Size(search->data) > 0;
    if (!sized) {
        if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_TypeError)) {
            return -1;
        }
        PyErr_Clear();
        return fail_illegal(search);
    }
    items = PySequence_List(search->data); /* ours alone, whatever the items' code does */
    if (items == NULL) {
        goto done;
    }
    *nq = PyList_GET_SIZE(items);
    int sparse = *nq == 0 ? 0 : is_sparse(items);
    if (sparse < 0) {
        goto done;
    }
    if (sparse) {
        status = append_sparse(search, items);
    } else if (*nq == 0 || !(PyList_Check(search->data) || PyObject_CheckBuffer(search->data))) {
        status = fail_illegal(search);
    } else {
        status = append_dense(search, items);
    }
done:
    Py_XDECREF(items);
    return status;
}

static int append_data(const Search *search, Py_ssize_t *nq)
{
    PyMvn_VectorView view = {.buffer.obj = NULL};
    PyMvn_Csr csr;

    if (PyList_CheckExact(search->data)) {
        return append_items(search, nq);
    }
    int taken = PyMvn_Csr_Take(search->data, &csr);
    if (taken < 0) {
        return fail_sparse(search);
    }
    if (taken > 0) {
        *nq = csr.n_rows;
        int status = csr.n_rows == 0 ? fail_illegal(search) : append_csr(search, &csr);
        PyMvn_Csr_Release(&csr);
        return status;
    }
    taken = PyMvn_View_Take(search->data, &view);
    if (taken < 0) {
        return -1;
    }
    int status;
    if (view.buffer.obj != NULL && view.buffer.ndim == 2 && view.buffer.shape[0] > 0 &&
        view.element != MVN_ELEMENT_OTHER) {
        *nq = view.buffer.shape[0];
        status = append_matrix(search, &view);
    } else {
        status = append_items(search, nq);
    }
    PyMvn_View_Release(&view);
    return status;
}

int PyMvn_Placeholders_Append(PyMvn_State *state, mvn_buffer *out, PyObject *data, int bytes_type,
                              int embedding_list, Py_ssize_t *nq)
{
    const Search search = {state, out, data, bytes_type, embedding_list ? EMBEDDING_LIST : 0};
    size_t before = out->size, mark = 0;

    *nq = 0;
    if (check_buffer(&search, mvn_buffer_begin(out, GROUP_PLACEHOLDERS, &mark)) < 0 ||
        append_data(&search, nq) < 0 || check_buffer(&search, mvn_buffer_end(out, mark)) < 0) {
        out->size = before;
        return -1;
    }
    return 0;
}
