#include "sparse_rows.h"

#include <math.h>
#include <string.h>

#include "compat.h"

static const char not_sparse[] = "invalid input for sparse float vector";

/* Puts one pair into `out`; 0, or -1 with ValueError. */
static int put_pair(uint8_t *out, long long index, double value)
{
    if (index < 0 || index > (long long)MVN_SPARSE_MAX_INDEX) {
        PyErr_Format(PyExc_ValueError,
                     "sparse vector index must be positive and less than 2^32-1: %lld", index);
        return -1;
    }
    if (isnan(value)) {
        PyErr_SetString(PyExc_ValueError, "sparse vector value must not be NaN");
        return -1;
    }
    float narrow = (float)value;
    if (isinf(narrow) && !isinf(value)) {
        PyErr_SetString(PyExc_ValueError, "sparse vector value is too large for a 32-bit float");
        return -1;
    }
    mvn_sparse_put(out, (uint32_t)index, narrow);
    return 0;
}

static int sort_row(uint8_t *row, size_t count)
{
    if (mvn_sparse_sort(row, count) != MVN_OK) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

/* --- scipy --- */

/* Takes the one-dimensional array `object.name`. 0 or -1. */
static int take_attribute(PyObject *object, const char *name, bool integers,
                          PyMvn_VectorView *view)
{
    PyObject *array = PyObject_GetAttrString(object, name);
    if (array == NULL) {
        return -1;
    }
    int taken = PyMvn_View_Take(array, view);
    Py_DECREF(array); /* the view holds it */
    if (taken < 0) {
        return -1;
    }
    if (view->buffer.obj == NULL || view->buffer.ndim != 1 ||
        view->element == MVN_ELEMENT_OTHER ||
        (integers && !mvn_element_is_integer(view->element))) {
        PyErr_Format(PyExc_TypeError, "%s: unexpected type of its %s", not_sparse, name);
        return -1;
    }
    return 0;
}

/* Reads the row boundaries. 0 or -1. */
static int read_offsets(PyObject *object, PyMvn_Csr *csr)
{
    PyMvn_VectorView view = {.buffer.obj = NULL};
    int status = -1;
    if (take_attribute(object, "indptr", true, &view) < 0) {
        goto done;
    }
    mvn_strided source = PyMvn_View_Row(&view, 0);
    size_t limit = (size_t)csr->indices.buffer.shape[0];
    if (limit > (size_t)csr->values.buffer.shape[0]) {
        limit = (size_t)csr->values.buffer.shape[0];
    }
    bool good = source.count != 0;
    csr->offsets = PyMem_New(size_t, source.count == 0 ? 1 : source.count);
    if (csr->offsets == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    size_t last = 0;
    for (size_t i = 0; good && i < source.count; i++) {
        double offset = mvn_strided_get(&source, i);
        good = offset >= (double)last && offset <= (double)limit;
        if (good) {
            last = csr->offsets[i] = (size_t)offset;
        }
    }
    if (!good) {
        PyErr_Format(PyExc_TypeError, "%s: its index pointers are not consistent", not_sparse);
        goto done;
    }
    csr->n_rows = (Py_ssize_t)source.count - 1;
    status = 0;
done:
    PyMvn_View_Release(&view);
    return status;
}

/* 1 with a new reference to `object` in CSR format, 0 when it is not scipy's, -1. */
static int as_csr(PyObject *object, PyObject **result)
{
    *result = NULL;
    if (PyDict_CheckExact(object) || PyList_Check(object) || PyTuple_Check(object) ||
        PyUnicode_Check(object) || PyBytes_Check(object)) {
        return 0;
    }
    PyObject *format = PyObject_GetAttrString(object, "format");
    PyObject *method = format == NULL ? NULL : PyObject_GetAttrString(object, "tocsr");
    if (method == NULL) {
        Py_XDECREF(format);
        if (!PyErr_ExceptionMatches(PyExc_AttributeError)) {
            return -1;
        }
        PyErr_Clear();
        return 0;
    }
    if (PyUnicode_Check(format) && PyUnicode_CompareWithASCIIString(format, "csr") == 0) {
        *result = Py_NewRef(object);
    } else {
        *result = PyObject_CallNoArgs(method);
    }
    Py_DECREF(format);
    Py_DECREF(method);
    return *result == NULL ? -1 : 1;
}

int PyMvn_Csr_Take(PyObject *object, PyMvn_Csr *csr)
{
    PyObject *rows = NULL;
    memset(csr, 0, sizeof(*csr));
    int result = as_csr(object, &rows);
    if (result > 0 &&
        (take_attribute(rows, "indices", true, &csr->indices) < 0 ||
         take_attribute(rows, "data", false, &csr->values) < 0 || read_offsets(rows, csr) < 0)) {
        PyMvn_Csr_Release(csr);
        result = -1;
    }
    Py_XDECREF(rows);
    return result;
}

void PyMvn_Csr_Release(PyMvn_Csr *csr)
{
    PyMvn_View_Release(&csr->indices);
    PyMvn_View_Release(&csr->values);
    PyMem_Free(csr->offsets);
    csr->offsets = NULL;
}

int PyMvn_Csr_Write(const PyMvn_Csr *csr, Py_ssize_t row, uint8_t *out)
{
    mvn_strided indices = PyMvn_View_Row(&csr->indices, 0);
    mvn_strided values = PyMvn_View_Row(&csr->values, 0);
    size_t begin = csr->offsets[row], count = PyMvn_Csr_Count(csr, row);
    bool plain = indices.element == MVN_ELEMENT_I32 && !indices.swapped;

    for (size_t i = 0; i < count; i++) {
        long long index;
        if (plain) {
            int32_t small;
            memcpy(&small, indices.data + (ptrdiff_t)(begin + i) * indices.stride, sizeof(small));
            index = small;
        } else {
            double wide = mvn_strided_get(&indices, begin + i);
            index = wide < -1e18 || wide > 1e18 ? -1 : (long long)wide;
        }
        double value = mvn_strided_get(&values, begin + i);
        if (put_pair(out + i * MVN_SPARSE_PAIR, index, value) < 0) {
            return -1;
        }
    }
    return sort_row(out, count);
}

/* --- dicts and lists --- */

/* A str that does not say a number is no number: TypeError. */
static int fail_text(PyObject *text, const char *what)
{
    if (PyErr_ExceptionMatches(PyExc_ValueError)) {
        PyErr_Clear();
        PyErr_Format(PyExc_TypeError, "%s: %s is %R", not_sparse, what, text);
    }
    return -1;
}

/* An index: an int, an integer of numpy, or a str that says one. 0 or -1. */
static int read_index(PyObject *object, long long *index)
{
    PyObject *number = NULL;
    int overflow = 0;
    if (PyLong_Check(object)) {
        number = Py_NewRef(object);
    } else if (PyIndex_Check(object)) {
        number = PyNumber_Index(object);
    } else if (PyUnicode_Check(object)) {
        number = PyLong_FromUnicodeObject(object, 10);
        if (number == NULL) {
            return fail_text(object, "an index");
        }
    } else {
        PyErr_Format(PyExc_TypeError, "%s: an index is %.200s", not_sparse,
                     Py_TYPE(object)->tp_name);
    }
    if (number == NULL) {
        return -1;
    }
    *index = PyLong_AsLongLongAndOverflow(number, &overflow);
    if (overflow != 0) {
        PyErr_Format(PyExc_ValueError,
                     "sparse vector index must be positive and less than 2^32-1: %S", number);
    }
    Py_DECREF(number);
    return overflow != 0 || (*index == -1 && PyErr_Occurred()) ? -1 : 0;
}

/* A value: a float, a float of numpy, or a str that says one; no integer, as in pymilvus. 0 or -1. */
static int read_value(PyObject *object, double *value)
{
    if (PyFloat_Check(object)) {
        *value = PyFloat_AS_DOUBLE(object);
        return 0;
    }
    if (PyUnicode_Check(object)) {
        PyObject *number = PyFloat_FromString(object);
        if (number == NULL) {
            return fail_text(object, "a value");
        }
        *value = PyFloat_AS_DOUBLE(number);
        Py_DECREF(number);
        return 0;
    }
    PyNumberMethods *methods = Py_TYPE(object)->tp_as_number;
    const char *name = Py_TYPE(object)->tp_name;
    if (methods == NULL || methods->nb_float == NULL || PyIndex_Check(object) ||
        PyMvn_IsNumpyBool(object)) {
        PyErr_Format(PyExc_TypeError, "%s: a value is %.200s, not float", not_sparse, name);
        return -1;
    }
    *value = PyFloat_AsDouble(object);
    return *value == -1.0 && PyErr_Occurred() ? -1 : 0;
}

static int put_objects(uint8_t *out, PyObject *index_object, PyObject *value_object)
{
    long long index;
    double value;
    if (read_index(index_object, &index) < 0 || read_value(value_object, &value) < 0) {
        return -1;
    }
    return put_pair(out, index, value);
}

static int fail_resized(PyObject *object)
{
    PyErr_Format(PyExc_ValueError, "%s: %s changed its length while it was being read", not_sparse,
                 Py_TYPE(object)->tp_name);
    return -1;
}

/* Code of the keys and values may change the dict; then PyDict_Next still stays inside it, and the
 * pairs are counted. */
static int write_dict(PyObject *dict, Py_ssize_t count, uint8_t *out)
{
    PyObject *key, *value; /* borrowed */
    Py_ssize_t position = 0, n = 0;
    int status = 0;

    MVN_BEGIN_CRITICAL_SECTION(dict);
    while (status == 0 && PyDict_Next(dict, &position, &key, &value)) {
        if (n == count) {
            n++;
            break;
        }
        if (PyLong_CheckExact(key) && PyFloat_CheckExact(value)) {
            status = put_objects(out + n * MVN_SPARSE_PAIR, key, value);
        } else {
            Py_INCREF(key);
            Py_INCREF(value);
            status = put_objects(out + n * MVN_SPARSE_PAIR, key, value);
            Py_DECREF(key);
            Py_DECREF(value);
        }
        n++;
    }
    MVN_END_CRITICAL_SECTION();
    return status < 0 || n == count ? status : fail_resized(dict);
}

/* Writes one pair that is a tuple, a list, or another sequence of two. */
static int put_pair_object(uint8_t *out, PyObject *pair)
{
    PyObject *items = NULL;
    int status = -1;

    if (PyTuple_CheckExact(pair) && PyTuple_GET_SIZE(pair) == 2) {
        return put_objects(out, PyTuple_GET_ITEM(pair, 0), PyTuple_GET_ITEM(pair, 1));
    }
    if (PyUnicode_Check(pair) || PyBytes_Check(pair) || !PySequence_Check(pair)) {
        PyErr_Format(PyExc_TypeError, "%s: %.200s is not a pair of index and value", not_sparse,
                     Py_TYPE(pair)->tp_name);
        goto done;
    }
    items = PySequence_Tuple(pair);
    if (items == NULL) {
        goto done;
    }
    if (PyTuple_GET_SIZE(items) != 2) {
        PyErr_Format(PyExc_TypeError, "%s: a pair has %zd items", not_sparse,
                     PyTuple_GET_SIZE(items));
        goto done;
    }
    status = put_objects(out, PyTuple_GET_ITEM(items, 0), PyTuple_GET_ITEM(items, 1));
done:
    Py_XDECREF(items);
    return status;
}

static int write_pairs(PyObject *pairs, Py_ssize_t count, uint8_t *out)
{
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *pair = NULL;
        MVN_BEGIN_CRITICAL_SECTION(pairs);
        if (PySequence_Fast_GET_SIZE(pairs) == count) {
            pair = Py_NewRef(PySequence_Fast_GET_ITEM(pairs, i));
        }
        MVN_END_CRITICAL_SECTION();
        if (pair == NULL) {
            return fail_resized(pairs);
        }
        int status = put_pair_object(out + i * MVN_SPARSE_PAIR, pair);
        Py_DECREF(pair);
        if (status < 0) {
            return -1;
        }
    }
    return 0;
}

/* Replaces a scipy matrix of one row by its bytes. 1: done; 0: it is none; -1. */
static int open_matrix(PyObject **object)
{
    PyMvn_Csr csr;
    int result = PyMvn_Csr_Take(*object, &csr);
    if (result <= 0) {
        return result;
    }
    PyObject *row = NULL;
    if (csr.n_rows != 1) {
        PyErr_Format(PyExc_TypeError, "%s: expect 1 row", not_sparse);
    } else if (PyMvn_Csr_Count(&csr, 0) > MVN_MAX_MESSAGE / MVN_SPARSE_PAIR) {
        PyErr_Format(PyExc_ValueError, "%s: too many pairs", not_sparse);
    } else {
        size_t size = PyMvn_Csr_Count(&csr, 0) * MVN_SPARSE_PAIR;
        row = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
        if (row != NULL && PyMvn_Csr_Write(&csr, 0, (uint8_t *)PyBytes_AS_STRING(row)) < 0) {
            Py_CLEAR(row);
        }
    }
    PyMvn_Csr_Release(&csr);
    if (row == NULL) {
        return -1;
    }
    Py_SETREF(*object, row);
    return 1;
}

Py_ssize_t PyMvn_SparseRow_Open(PyObject **object)
{
    Py_ssize_t count = -1;
    if (!PyDict_CheckExact(*object)) {
        int matrix = open_matrix(object); /* before dicts, since scipy's DOK is one */
        if (matrix != 0) {
            return matrix < 0 ? -1 : PyBytes_GET_SIZE(*object) / MVN_SPARSE_PAIR;
        }
    }
    if (PyDict_Check(*object)) {
        count = PyDict_Size(*object);
    } else if (PyList_CheckExact(*object) || PyTuple_CheckExact(*object)) {
        count = PySequence_Fast_GET_SIZE(*object);
    } else if (PyList_Check(*object)) {
        PyObject *list = PySequence_List(*object);
        if (list == NULL) {
            return -1;
        }
        Py_SETREF(*object, list);
        count = PyList_GET_SIZE(list);
    } else {
        PyErr_Format(PyExc_TypeError, "%s: got %.200s", not_sparse, Py_TYPE(*object)->tp_name);
        return -1;
    }
    if (count > (Py_ssize_t)(MVN_MAX_MESSAGE / MVN_SPARSE_PAIR)) {
        PyErr_Format(PyExc_ValueError, "%s: too many pairs", not_sparse);
        return -1;
    }
    return count;
}

int PyMvn_SparseRow_Write(PyObject *object, Py_ssize_t count, uint8_t *out)
{
    if (PyBytes_CheckExact(object)) {
        memcpy(out, PyBytes_AS_STRING(object), (size_t)PyBytes_GET_SIZE(object));
        return 0;
    }
    if ((PyDict_Check(object) ? write_dict : write_pairs)(object, count, out) < 0) {
        return -1;
    }
    return sort_row(out, (size_t)count);
}
