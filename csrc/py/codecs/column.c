/* What all codecs share: finding each other, and saying where something is wrong. */
#include "codec.h"

#include "../../core/status.h"
#include "../errors.h"

const PyMvn_Codec *PyMvn_Codec_Find(int32_t type)
{
    switch (type) {
    case MVN_TYPE_BOOL:
        return &PyMvn_Codec_Bool;
    case MVN_TYPE_INT8:
        return &PyMvn_Codec_Int8;
    case MVN_TYPE_INT16:
        return &PyMvn_Codec_Int16;
    case MVN_TYPE_INT32:
        return &PyMvn_Codec_Int32;
    case MVN_TYPE_INT64:
        return &PyMvn_Codec_Int64;
    case MVN_TYPE_FLOAT:
        return &PyMvn_Codec_Float;
    case MVN_TYPE_DOUBLE:
        return &PyMvn_Codec_Double;
    case MVN_TYPE_STRING:
    case MVN_TYPE_TEXT:
        return &PyMvn_Codec_Text;
    case MVN_TYPE_VARCHAR:
        return &PyMvn_Codec_Varchar;
    case MVN_TYPE_GEOMETRY:
        return &PyMvn_Codec_Geometry;
    case MVN_TYPE_TIMESTAMPTZ:
        return &PyMvn_Codec_Timestamptz;
    case MVN_TYPE_JSON:
        return &PyMvn_Codec_Json;
    case MVN_TYPE_ARRAY:
        return &PyMvn_Codec_Array;
    case MVN_TYPE_BINARY_VECTOR:
        return &PyMvn_Codec_BinaryVector;
    case MVN_TYPE_FLOAT_VECTOR:
        return &PyMvn_Codec_FloatVector;
    case MVN_TYPE_FLOAT16_VECTOR:
        return &PyMvn_Codec_Float16Vector;
    case MVN_TYPE_BFLOAT16_VECTOR:
        return &PyMvn_Codec_BFloat16Vector;
    case MVN_TYPE_SPARSE_FLOAT_VECTOR:
        return &PyMvn_Codec_SparseVector;
    case MVN_TYPE_INT8_VECTOR:
        return &PyMvn_Codec_Int8Vector;
    case MVN_TYPE_ARRAY_OF_VECTOR:
        return &PyMvn_Codec_VectorArray;
    case MVN_TYPE_ARRAY_OF_STRUCT:
        return &PyMvn_Codec_StructArray;
    default:
        return NULL;
    }
}

PyObject *PyMvn_Column_Place(const PyMvn_Column *column, Py_ssize_t row)
{
    PyObject *name = column->field->name; /* borrowed */
    if (column->parent != NULL) {
        PyObject *outer = PyMvn_Column_Place(column->parent, row);
        PyObject *place = outer == NULL ? NULL : PyUnicode_FromFormat("%U[\"%U\"]", outer, name);
        Py_XDECREF(outer);
        return place;
    }
    return column->columnar ? PyUnicode_FromFormat("data[\"%U\"][%zd]", name, row)
                            : PyUnicode_FromFormat("rows[%zd][\"%U\"]", row, name);
}

int PyMvn_Column_Fail(const PyMvn_Column *column, Py_ssize_t row, const char *exception,
                      const char *format, ...)
{
    PyObject *cause = PyMvn_TakeException();
    PyObject *place = PyMvn_Column_Place(column, row), *text = NULL;
    va_list args;

    va_start(args, format);
    if (place != NULL) {
        text = PyUnicode_FromFormatV(format, args);
    }
    va_end(args);
    if (text != NULL) {
        if (cause != NULL) {
            PyMvn_RestoreException(Py_NewRef(cause));
        }
        (void)PyMvn_RaiseMilvus(exception, "%U: %U", place, text);
    }
    Py_XDECREF(cause);
    Py_XDECREF(place);
    Py_XDECREF(text);
    return -1;
}

/* Whether the exception that is set says what is wrong with a value. */
static bool is_about_value(void)
{
    return PyErr_ExceptionMatches(PyExc_TypeError) || PyErr_ExceptionMatches(PyExc_ValueError) ||
           PyErr_ExceptionMatches(PyExc_OverflowError) ||
           PyErr_ExceptionMatches(PyExc_RecursionError);
}

int PyMvn_Column_Mismatch(const PyMvn_Column *column, Py_ssize_t row, PyObject *value,
                          const char *detail)
{
    PyObject *cause = NULL, *reason = NULL;
    if (PyErr_Occurred()) {
        if (!is_about_value()) {
            return -1;
        }
        cause = PyMvn_TakeException();
    }
    if (detail != NULL) {
        reason = PyUnicode_FromString(detail);
    } else {
        reason = cause == NULL ? PyUnicode_FromString("wrong type") : PyObject_Str(cause);
    }
    if (reason != NULL) {
        if (cause != NULL) {
            PyMvn_RestoreException(Py_NewRef(cause));
        }
        const PyMvn_Codec *codec = column->field->codec;
        (void)PyMvn_Column_Fail(
            column, row, "DataNotMatchException",
            "The Input data type is inconsistent with defined schema, {%U} field should be a %s, "
            "but got a {%R} instead. Detail: %U",
            column->field->name, codec == NULL ? "known type" : codec->label,
            (PyObject *)Py_TYPE(value), reason);
    }
    Py_XDECREF(cause);
    Py_XDECREF(reason);
    return -1;
}

int PyMvn_Column_Status(mvn_status status)
{
    if (status == MVN_OK) {
        return 0;
    }
    if (status == MVN_ETOOBIG) {
        (void)PyMvn_RaiseMilvus("ParamError", "the request is over 2 GiB, the largest that "
                                              "protobuf allows: send fewer rows at a time");
    } else {
        (void)PyErr_NoMemory();
    }
    return -1;
}
