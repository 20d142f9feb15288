#include "dense_cell.h"

#include <string.h>

static const PyMvn_DenseType binary_type = {
    .slot = 3, .native = MVN_ELEMENT_U8, .unit = "bytes",
    .bad_type = "invalid input for binary vector", .bad_array = "invalid input for binary vector",
};
static const PyMvn_DenseType float_type = {
    .slot = 2, .native = MVN_ELEMENT_F32, .unit = "floats",
    .bad_type = "invalid input for float32 vector", .bad_array = "invalid input for float32 vector",
};
static const PyMvn_DenseType float16_type = {
    .slot = 4, .native = MVN_ELEMENT_F16, .half = true, .strict = true, .unit = "floats",
    .bad_type = "invalid input type for float16 vector",
    .bad_array = "invalid input for float16 vector",
};
static const PyMvn_DenseType bfloat16_type = {
    .slot = 5, .native = MVN_ELEMENT_BF16, .half = true, .strict = true, .unit = "floats",
    .bad_type = "invalid input type for bfloat16 vector",
    .bad_array = "invalid input for bfloat16 vector",
};
static const PyMvn_DenseType int8_type = {
    .slot = 7, .native = MVN_ELEMENT_I8, .strict = true, .unit = "integers",
    .bad_type = "invalid input type for INT8_VECTOR vector",
    .bad_array = "invalid input for int8 vector",
};

const PyMvn_DenseType *PyMvn_Dense_Find(int32_t type)
{
    switch (type) {
    case MVN_TYPE_BINARY_VECTOR:
        return &binary_type;
    case MVN_TYPE_FLOAT_VECTOR:
        return &float_type;
    case MVN_TYPE_FLOAT16_VECTOR:
        return &float16_type;
    case MVN_TYPE_BFLOAT16_VECTOR:
        return &bfloat16_type;
    case MVN_TYPE_INT8_VECTOR:
        return &int8_type;
    default:
        return NULL;
    }
}

/* Elements of a vector in native form: `dim`, or the bytes that hold `dim` bits. */
static int64_t native_count(const PyMvn_DenseType *type, int64_t dim)
{
    return type->native == MVN_ELEMENT_U8 ? dim / 8 + (dim % 8 != 0) : dim;
}

size_t PyMvn_Dense_NativeSize(const PyMvn_DenseType *type, int64_t dim)
{
    if (dim <= 0 || dim > INT32_MAX) {
        return 0;
    }
    return (size_t)native_count(type, dim) * mvn_element_size(type->native);
}

/* A new reference: `text` with the element's index before it, if it is one of many. Steals
 * `text`, which may be NULL. */
static PyObject *with_element(const PyMvn_DensePlace *place, PyObject *text)
{
    if (text == NULL || place->element < 0) {
        return text;
    }
    PyObject *longer = PyUnicode_FromFormat("element %zd: %U", place->element, text);
    Py_DECREF(text);
    return longer;
}

/* Fails with `exception` and `text`, which is stolen and may be NULL. */
static int fail(const PyMvn_DensePlace *place, const char *exception, PyObject *text)
{
    text = with_element(place, text);
    if (text != NULL) {
        PyMvn_Column_Fail(place->column, place->row, exception, "%U", text);
        Py_DECREF(text);
    }
    return -1;
}

/* Makes the exception that a user sees of one that says that `object` is of no use; others stay. */
static int fail_value(const PyMvn_DensePlace *place, const char *param_error, PyObject *object)
{
    PyObject *text = PyMvn_Vector_Complaint();
    if (text == NULL) {
        return -1;
    }
    if (param_error != NULL) {
        PyObject *longer = PyUnicode_FromFormat("%s: %U", param_error, text);
        Py_DECREF(text);
        return fail(place, "ParamError", longer);
    }
    text = with_element(place, text);
    const char *detail = text == NULL ? NULL : PyUnicode_AsUTF8(text);
    if (detail != NULL) {
        PyMvn_Column_Mismatch(place->column, place->row, object, detail);
    }
    Py_XDECREF(text);
    return -1;
}

/* The length of a vector is wrong. That is DataNotMatchException, which makes the client look
 * whether the collection has changed. Milvus's words come last, since programs look for them. */
static int fail_length(const PyMvn_DensePlace *place, const PyMvn_DenseType *type, int64_t dim,
                       int64_t want, const char *unit, Py_ssize_t got)
{
    PyObject *text = PyUnicode_FromFormat("expected %lld %s, got %zd", (long long)want, unit, got);
    PyObject *longer = NULL;
    if (text != NULL && type->native == MVN_ELEMENT_U8) {
        longer = PyUnicode_FromFormat("%U: the num(%lld) of all bits should divide the dim(%lld)",
                                      text, (long long)got * 8, (long long)dim);
    } else if (text != NULL) {
        longer = PyUnicode_FromFormat("%U: the length(%zd) of %s data should divide the dim(%lld)",
                                      text, got, type->native == MVN_ELEMENT_I8 ? "int8" : "float",
                                      (long long)dim);
    }
    Py_XDECREF(text);
    return fail(place, "DataNotMatchException", longer);
}

static int fail_array(const PyMvn_DensePlace *place, const PyMvn_DenseType *type, PyObject *object)
{
    PyObject *what = PyMvn_Vector_Describe(object);
    if (what == NULL) {
        return -1;
    }
    PyObject *text = PyUnicode_FromFormat("%s: expected %s, got %U", type->bad_array, type->unit,
                                          what);
    Py_DECREF(what);
    return fail(place, "ParamError", text);
}

/* Arrays of unsigned bytes that are as long as the native bytes of a half vector are those bytes,
 * the way `array.view("u1")` gives them; packed bits may come in wider integers. */
static bool is_disguised(const PyMvn_DenseType *type, int64_t dim, mvn_element element,
                         Py_ssize_t count)
{
    int64_t size = native_count(type, dim) * (int64_t)mvn_element_size(type->native);
    if (type->half) {
        return element == MVN_ELEMENT_U8 && count == size;
    }
    return type->native == MVN_ELEMENT_U8 && mvn_element_is_integer(element) &&
           (int64_t)mvn_element_size(element) * count == size;
}

/* Whether numbers of type `element` may make a vector of the type. */
static bool is_welcome(const PyMvn_DenseType *type, mvn_element element)
{
    if (element == MVN_ELEMENT_OTHER) {
        return false;
    }
    switch (type->native) {
    case MVN_ELEMENT_U8: /* truth values could be bits or bytes */
        return mvn_element_is_integer(element) && element != MVN_ELEMENT_BOOL;
    case MVN_ELEMENT_I8:
        return mvn_element_is_integer(element);
    default:
        return true;
    }
}

/* The checks that all vectors pass: `form` is not OTHER, `element` matters to form ARRAY. */
static int check(const PyMvn_DensePlace *place, const PyMvn_DenseType *type, int64_t dim,
                 PyObject *object, int form, mvn_element element, Py_ssize_t length, bool *native)
{
    if (dim <= 0 || dim > INT32_MAX) {
        PyObject *text = PyUnicode_FromFormat("the schema gives the dimension %lld",
                                              (long long)dim);
        return fail(place, "DataNotMatchException", text);
    }
    *native = !type->half && type->native != MVN_ELEMENT_F32;
    if (form == MVN_FORM_BYTES) {
        if (type->native == MVN_ELEMENT_F32) {
            return fail_array(place, type, object);
        }
        *native = true;
        int64_t want = (int64_t)PyMvn_Dense_NativeSize(type, dim);
        return length == want ? 0 : fail_length(place, type, dim, want, "bytes", length);
    }
    if (form == MVN_FORM_ARRAY) {
        if (!is_welcome(type, element)) {
            return fail_array(place, type, object);
        }
        if (is_disguised(type, dim, element, length)) {
            *native = true;
            return 0;
        }
        *native = *native || element == type->native;
    }
    int64_t want = native_count(type, dim);
    if (length == want) {
        return 0;
    }
    if (form != MVN_FORM_ARRAY && type->native == MVN_ELEMENT_U8) {
        /* A list of something else than bytes, most likely: that is what pymilvus says of it. */
        PyErr_Format(PyExc_ValueError, "expected %lld bytes, got %zd", (long long)want, length);
        return fail_value(place, NULL, object);
    }
    return fail_length(place, type, dim, want, type->unit, length);
}

int PyMvn_Dense_Check(const PyMvn_DensePlace *place, const PyMvn_DenseType *type, int64_t dim,
                      PyObject **object, PyMvn_VectorView *view, bool *native)
{
    int form = PyMvn_Vector_Open(object, type->native, view);
    if (MVN_UNLIKELY(form < 0)) {
        return fail_value(place, type->strict ? type->bad_type : NULL, *object);
    }
    if (MVN_UNLIKELY(form == MVN_FORM_OTHER)) {
        return fail_array(place, type, *object);
    }
    Py_ssize_t length = PyMvn_Vector_Length(*object, view);
    return check(place, type, dim, *object, form, view->element, length, native);
}

int PyMvn_Dense_CheckMatrix(const PyMvn_DensePlace *place, const PyMvn_DenseType *type,
                            int64_t dim, PyObject *object, const PyMvn_VectorView *view,
                            bool *native)
{
    int form = view->bytes ? MVN_FORM_BYTES : MVN_FORM_ARRAY;
    return check(place, type, dim, object, form, view->element, view->buffer.shape[1], native);
}

size_t PyMvn_Dense_WriteStrided(const PyMvn_DenseType *type, int64_t dim,
                                const mvn_strided *source, bool bytes, bool as_f32, uint8_t *out)
{
    if (!as_f32 &&
        (bytes || is_disguised(type, dim, source->element, (Py_ssize_t)source->count))) {
        mvn_strided_copy(source, out);
        return source->count;
    }
    return mvn_strided_to(source, as_f32 ? MVN_ELEMENT_F32 : type->native, out);
}

int PyMvn_Dense_FailElement(const PyMvn_DensePlace *place, const PyMvn_DenseType *type,
                            PyObject *object, const mvn_strided *source, size_t index)
{
    PyMvn_Strided_FailRange(source, index, type->native == MVN_ELEMENT_I8);
    return fail_value(place, NULL, object);
}

int PyMvn_Dense_Write(const PyMvn_DensePlace *place, const PyMvn_DenseType *type, int64_t dim,
                      PyObject *object, const PyMvn_VectorView *view, bool as_f32, uint8_t *out)
{
    if (view->buffer.obj != NULL) {
        mvn_strided source = PyMvn_View_Row(view, 0);
        size_t stop = PyMvn_Dense_WriteStrided(type, dim, &source, view->bytes, as_f32, out);
        return stop == source.count ? 0
                                    : PyMvn_Dense_FailElement(place, type, object, &source, stop);
    }
    if (PyBytes_CheckExact(object)) {
        memcpy(out, PyBytes_AS_STRING(object), (size_t)PyBytes_GET_SIZE(object));
        return 0;
    }
    mvn_element target = as_f32 ? MVN_ELEMENT_F32 : type->native;
    int status = PyMvn_Vector_WriteNumbers(object, target, (Py_ssize_t)native_count(type, dim),
                                           out);
    return status == 0 ? 0 : fail_value(place, NULL, object);
}
