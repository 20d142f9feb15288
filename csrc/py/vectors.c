#include "vectors.h"

#include <string.h>

#include "compat.h"
#include "errors.h"
#include "../core/half.h"

/* Float objects lie all over the heap: ask for one while some before it are converted. */
#define MVN_PREFETCH_AHEAD 32
#if defined(__GNUC__)
#define MVN_PREFETCH(address) __builtin_prefetch(address)
#else
#define MVN_PREFETCH(address) ((void)(address))
#endif

void PyMvn_View_Release(PyMvn_VectorView *view)
{
    if (view->buffer.obj != NULL) {
        PyBuffer_Release(&view->buffer); /* leaves obj NULL */
    }
}

/* 1 when `object` has a dtype of that name, 0 when not, -1 with an exception. */
static int has_dtype_named(PyObject *object, const char *wanted)
{
    PyObject *dtype = NULL, *name = NULL;
    int result = PyMvn_GetOptional(object, "dtype", &dtype);
    if (result > 0) {
        result = PyMvn_GetOptional(dtype, "name", &name);
    }
    if (result > 0) {
        result = PyUnicode_Check(name) && PyUnicode_CompareWithASCIIString(name, wanted) == 0;
    }
    Py_XDECREF(dtype);
    Py_XDECREF(name);
    return result;
}

/* numpy refuses to write the format of a dtype that is not its own, but not to export the memory
 * without one; older ones refuse both, and show it as unsigned integers when asked. */
static int take_bfloat16(PyObject *object, PyMvn_VectorView *view)
{
    if (PyObject_GetBuffer(object, &view->buffer, PyBUF_STRIDED_RO) < 0) {
        view->buffer.obj = NULL;
        if (PyMvn_ForgetException() < 0) {
            return -1;
        }
        PyObject *integers = PyObject_CallMethod(object, "view", "s", "u2");
        if (integers == NULL) {
            return -1;
        }
        int status = PyObject_GetBuffer(integers, &view->buffer, PyBUF_STRIDED_RO);
        Py_DECREF(integers);
        if (status < 0) {
            view->buffer.obj = NULL;
            return -1;
        }
    }
    view->element = view->buffer.itemsize == 2 ? MVN_ELEMENT_BF16 : MVN_ELEMENT_OTHER;
    return 1;
}

static void clear_view(PyMvn_VectorView *view)
{
    view->buffer.obj = NULL;
    view->element = MVN_ELEMENT_OTHER;
    view->swapped = false;
    view->bytes = false;
}

int PyMvn_View_Take(PyObject *object, PyMvn_VectorView *view)
{
    clear_view(view);
    if (!PyObject_CheckBuffer(object)) {
        return 0;
    }
    if (MVN_LIKELY(PyObject_GetBuffer(object, &view->buffer, PyBUF_RECORDS_RO) == 0)) {
        if (!PyMvn_Buffer_IsStrided(&view->buffer)) {
            PyBuffer_Release(&view->buffer);
            clear_view(view);
            return 0;
        }
        view->element = mvn_element_parse(view->buffer.format, (size_t)view->buffer.itemsize,
                                          &view->swapped);
        view->bytes = view->element == MVN_ELEMENT_U8 &&
                      (PyMemoryView_Check(object) || PyByteArray_Check(object) ||
                       PyBytes_Check(object));
        return 1;
    }
    view->buffer.obj = NULL;
    if (PyErr_ExceptionMatches(PyExc_BufferError)) { /* as good as not being a vector */
        PyObject *refusal = PyMvn_TakeException();
        PyErr_Format(PyExc_TypeError, "%S", refusal);
        Py_XDECREF(refusal);
        return -1;
    }
    if (!PyErr_ExceptionMatches(PyExc_ValueError)) {
        return -1;
    }
    /* An array whose dtype has no format is an array all the same; other refusals stand. */
    PyObject *refusal = PyMvn_TakeException();
    PyObject *dtype = NULL;
    int result = PyMvn_GetOptional(object, "dtype", &dtype);
    Py_XDECREF(dtype);
    if (result == 0) {
        PyMvn_RestoreException(refusal);
        return -1;
    }
    Py_XDECREF(refusal);
    if (result > 0) {
        result = has_dtype_named(object, "bfloat16");
        if (result > 0) {
            return take_bfloat16(object, view);
        }
    }
    return result < 0 ? -1 : 1;
}

mvn_strided PyMvn_View_Row(const PyMvn_VectorView *view, Py_ssize_t row)
{
    const Py_buffer *buffer = &view->buffer;
    int last = buffer->ndim - 1;
    mvn_strided strided = {
        .data = (const uint8_t *)buffer->buf + (last == 1 ? row * buffer->strides[0] : 0),
        .stride = buffer->strides[last],
        .count = (size_t)buffer->shape[last],
        .element = view->element,
        .swapped = view->swapped,
    };
    return strided;
}

/* Calls the array conversion of `object` if its type has one: 1 with a new array that exports
 * memory, 0 when there is none or it does not work out, -1 with an exception. */
static int convert_to_array(PyObject *object, PyObject **array)
{
    PyObject *method = NULL;
    int result = PyMvn_GetOptional((PyObject *)Py_TYPE(object), "__array__", &method);
    *array = NULL;
    if (result > 0) {
        *array = PyObject_CallOneArg(method, object);
        Py_DECREF(method);
        if (*array == NULL) {
            result = PyMvn_ForgetException();
        } else if (!PyObject_CheckBuffer(*array)) {
            Py_CLEAR(*array);
            result = 0;
        }
    }
    return result;
}

/* A new exact list of what a sequence that is neither list nor tuple holds. */
static PyObject *list_of_sequence(PyObject *object)
{
    if (PyUnicode_Check(object) || PyAnySet_Check(object) || PyDict_Check(object)) {
        PyErr_Format(PyExc_TypeError, "%.200s is not a vector", Py_TYPE(object)->tp_name);
        return NULL;
    }
    if (PyObject_Size(object) < 0) {
        return NULL;
    }
    return PySequence_List(object);
}

/* The form of an array whose view was taken. -1, the view released, when it is no vector. */
static int form_of_view(PyObject *object, PyMvn_VectorView *view)
{
    if (view->element == MVN_ELEMENT_OTHER) {
        return MVN_FORM_OTHER;
    }
    int ndim = view->buffer.ndim;
    if (ndim == 1) {
        return view->bytes ? MVN_FORM_BYTES : MVN_FORM_ARRAY;
    }
    PyMvn_View_Release(view);
    if (ndim == 0) {
        PyErr_Format(PyExc_TypeError, "object of type '%.200s' has no len()",
                     Py_TYPE(object)->tp_name);
    } else {
        PyErr_Format(PyExc_TypeError, "expected one dimension, got %d", ndim);
    }
    return -1;
}

/* Like PyMvn_View_Take, but asks for the dtype first if it probably is one that refuses. */
static int take_likely(PyObject *object, mvn_element likely, PyMvn_VectorView *view)
{
    if (likely == MVN_ELEMENT_BF16 && PyObject_CheckBuffer(object)) {
        int bfloat16 = has_dtype_named(object, "bfloat16");
        if (bfloat16 != 0) {
            return bfloat16 < 0 ? -1 : take_bfloat16(object, view);
        }
    }
    return PyMvn_View_Take(object, view);
}

int PyMvn_Vector_Open(PyObject **object, mvn_element likely, PyMvn_VectorView *view)
{
    clear_view(view);
    if (PyList_CheckExact(*object) || PyTuple_CheckExact(*object)) {
        return MVN_FORM_NUMBERS;
    }
    if (PyBytes_CheckExact(*object)) {
        return MVN_FORM_BYTES;
    }
    int taken = take_likely(*object, likely, view);
    if (taken < 0) {
        return -1;
    }
    if (taken > 0) {
        return form_of_view(*object, view);
    }
    PyObject *better = NULL;
    int converted = convert_to_array(*object, &better);
    if (converted < 0) {
        return -1;
    }
    if (converted > 0) {
        taken = PyMvn_View_Take(better, view);
        if (taken > 0) {
            Py_SETREF(*object, better);
            return form_of_view(*object, view);
        }
        Py_CLEAR(better);
        if (taken < 0) {
            return -1;
        }
    }
    better = list_of_sequence(*object);
    if (better == NULL) {
        return -1;
    }
    Py_SETREF(*object, better);
    return MVN_FORM_NUMBERS;
}

Py_ssize_t PyMvn_Vector_Length(PyObject *object, const PyMvn_VectorView *view)
{
    if (view->buffer.obj != NULL) {
        return view->buffer.shape[0];
    }
    if (PyBytes_CheckExact(object)) {
        return PyBytes_GET_SIZE(object);
    }
    return PySequence_Fast_GET_SIZE(object);
}

/* Stores a float as little-endian F32, F16 or BF16. */
static inline void store_float(uint8_t *out, float value, mvn_element target)
{
    uint32_t bits = target == MVN_ELEMENT_F32   ? mvn_f32_bits(value)
                    : target == MVN_ELEMENT_F16 ? mvn_f16_from_f32(value)
                                                : mvn_bf16_from_f32(value);
    out[0] = (uint8_t)bits;
    out[1] = (uint8_t)(bits >> 8);
    if (target == MVN_ELEMENT_F32) {
        out[2] = (uint8_t)(bits >> 16);
        out[3] = (uint8_t)(bits >> 24);
    }
}

static int fail_resized(PyObject *sequence, Py_ssize_t count)
{
    PyErr_Format(PyExc_ValueError, "%s changed its length from %zd while it was being read",
                 Py_TYPE(sequence)->tp_name, count);
    return -1;
}

/* Writes from item `i` on as long as there are four exact floats in a row, far from the end; returns
 * the index of the first that is not written. One test for four objects: the loop's cost is the
 * cache misses, which the prefetches overlap, and then its branches. */
static inline Py_ssize_t write_exact_floats(PyObject *const *items, Py_ssize_t i,
                                            Py_ssize_t count, uint8_t *out, mvn_element target)
{
    const size_t width = target == MVN_ELEMENT_F32 ? 4 : 2;
    const PyTypeObject *const wanted = &PyFloat_Type;
    uint8_t *pos = out + (size_t)i * width;
    for (; i + MVN_PREFETCH_AHEAD + 4 <= count; i += 4) {
        PyObject *const *four = items + i;
        for (int j = 0; j < 4; j++) {
            MVN_PREFETCH(four[MVN_PREFETCH_AHEAD + j]);
        }
        if (Py_TYPE(four[0]) != wanted || Py_TYPE(four[1]) != wanted ||
            Py_TYPE(four[2]) != wanted || Py_TYPE(four[3]) != wanted) {
            break;
        }
        for (int j = 0; j < 4; j++) {
            store_float(pos, (float)PyFloat_AS_DOUBLE(four[j]), target);
            pos += width;
        }
    }
    return i;
}

/* Writes numbers of a list or tuple, exact floats and ints without leaving the loop. Anything else
 * may run Python code, which may change the list: so its items are looked up afresh afterwards.
 * `target` is a constant at each call, so that this becomes one loop per target. */
static inline int write_floats(PyObject *sequence, Py_ssize_t count, uint8_t *out,
                               mvn_element target)
{
    const size_t width = target == MVN_ELEMENT_F32 ? 4 : 2;
    Py_ssize_t i = 0;

    do {
        PyObject *odd = NULL;
        bool resized = false;
        double value = 0.0;
        MVN_BEGIN_CRITICAL_SECTION(sequence);
        if (PySequence_Fast_GET_SIZE(sequence) != count) {
            resized = true;
        } else {
            PyObject **items = PySequence_Fast_ITEMS(sequence); /* borrowed; the lock keeps them */
            i = write_exact_floats(items, i, count, out, target);
            for (; i < count; i++) {
                PyObject *item = items[i];
                if (i + MVN_PREFETCH_AHEAD < count) {
                    MVN_PREFETCH(items[i + MVN_PREFETCH_AHEAD]);
                }
                if (MVN_LIKELY(PyFloat_CheckExact(item))) {
                    value = PyFloat_AS_DOUBLE(item);
                } else if (PyLong_CheckExact(item)) {
                    value = PyLong_AsDouble(item);
                    if (value == -1.0 && PyErr_Occurred()) {
                        break;
                    }
                } else {
                    odd = Py_NewRef(item);
                    break;
                }
                store_float(out + (size_t)i * width, (float)value, target);
            }
        }
        MVN_END_CRITICAL_SECTION();
        if (resized) {
            return fail_resized(sequence, count);
        }
        if (odd != NULL) {
            value = PyFloat_AsDouble(odd);
            Py_DECREF(odd);
        }
        if (i < count) {
            if (value == -1.0 && PyErr_Occurred()) {
                return -1;
            }
            store_float(out + (size_t)i * width, (float)value, target);
            i++;
        }
    } while (i < count);
    return 0;
}

/* Raises ValueError for an integer that is no byte; steals `number`, which may be NULL. */
static int fail_range(PyObject *number, bool is_signed)
{
    if (number != NULL) {
        PyErr_Format(PyExc_ValueError, "%S is not in range(%d, %d)", number,
                     is_signed ? -128 : 0, is_signed ? 128 : 256);
        Py_DECREF(number);
    }
    return -1;
}

/* Writes integers of a list or tuple as bytes. */
static int write_integers(PyObject *sequence, Py_ssize_t count, uint8_t *out, bool is_signed)
{
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *item = NULL;
        MVN_BEGIN_CRITICAL_SECTION(sequence);
        if (PySequence_Fast_GET_SIZE(sequence) == count) {
            item = Py_NewRef(PySequence_Fast_GET_ITEM(sequence, i));
        }
        MVN_END_CRITICAL_SECTION();
        if (item == NULL) {
            return fail_resized(sequence, count);
        }
        PyObject *number = PyNumber_Index(item);
        Py_DECREF(item);
        if (number == NULL) {
            return -1;
        }
        int overflow = 0;
        long long value = PyLong_AsLongLongAndOverflow(number, &overflow);
        long long low = is_signed ? -128 : 0;
        if (overflow != 0 || value < low || value > low + 255) {
            return fail_range(number, is_signed);
        }
        Py_DECREF(number);
        out[i] = (uint8_t)value;
    }
    return 0;
}

void PyMvn_Strided_FailRange(const mvn_strided *source, size_t index, bool is_signed)
{
    (void)fail_range(PyLong_FromDouble(mvn_strided_get(source, index)), is_signed);
}

int PyMvn_Vector_WriteNumbers(PyObject *sequence, mvn_element target, Py_ssize_t count,
                              uint8_t *out)
{
    switch (target) {
    case MVN_ELEMENT_F16:
        return write_floats(sequence, count, out, MVN_ELEMENT_F16);
    case MVN_ELEMENT_BF16:
        return write_floats(sequence, count, out, MVN_ELEMENT_BF16);
    case MVN_ELEMENT_I8:
        return write_integers(sequence, count, out, true);
    case MVN_ELEMENT_U8:
        return write_integers(sequence, count, out, false);
    default:
        return write_floats(sequence, count, out, MVN_ELEMENT_F32);
    }
}

PyObject *PyMvn_Vector_Describe(PyObject *object)
{
    PyObject *dtype = NULL;
    if (PyMvn_GetOptional(object, "dtype", &dtype) > 0) {
        PyObject *text = PyUnicode_FromFormat("an array of dtype %S", dtype);
        Py_DECREF(dtype);
        if (text != NULL) {
            return text;
        }
    }
    if (PyErr_Occurred() && PyMvn_ForgetException() < 0) {
        return NULL;
    }
    return PyUnicode_FromFormat("%.200s", Py_TYPE(object)->tp_name);
}

PyObject *PyMvn_Vector_Complaint(void)
{
    if (PyErr_Occurred() == NULL ||
        (!PyErr_ExceptionMatches(PyExc_TypeError) && !PyErr_ExceptionMatches(PyExc_ValueError) &&
         !PyErr_ExceptionMatches(PyExc_OverflowError))) {
        return NULL;
    }
    PyObject *exception = PyMvn_TakeException();
    PyObject *text = PyObject_Str(exception);
    if (text == NULL) {
        PyErr_Clear(); /* the exception at hand matters more than that it has no text */
        text = PyUnicode_FromString(Py_TYPE(exception)->tp_name);
        if (text == NULL) {
            PyErr_Clear();
        }
    }
    PyMvn_RestoreException(exception);
    return text;
}
