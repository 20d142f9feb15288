#include "buffers.h"

#include "errors.h"

int PyMvn_Buffer_Check(mvn_status status)
{
    if (status == MVN_OK) {
        return 0;
    }
    if (status == MVN_ENOMEM) {
        PyErr_NoMemory();
    } else {
        PyMvn_RaiseMilvus("ParamError", "The request is too large: a message holds at most 2 GiB");
    }
    return -1;
}

int PyMvn_Buffer_Text(PyMvn_State *state, mvn_buffer *buffer, uint32_t field, PyObject *value,
                      const char *what)
{
    Py_ssize_t size = 0;
    const char *text = NULL;
    if (PyUnicode_Check(value)) {
        text = PyUnicode_AsUTF8AndSize(value, &size);
        if (text == NULL) {
            return -1;
        }
    } else if (PyBytes_Check(value)) {
        text = PyBytes_AS_STRING(value);
        size = PyBytes_GET_SIZE(value);
        PyObject *decoded = PyUnicode_DecodeUTF8(text, size, NULL);
        if (decoded == NULL) {
            return -1;
        }
        Py_DECREF(decoded);
    } else {
        PyErr_Format(state->text_error, "%s must be str, not %s", what, Py_TYPE(value)->tp_name);
        return -1;
    }
    return PyMvn_Buffer_Check(mvn_buffer_append_bytes_field(buffer, field, text, (size_t)size));
}

int PyMvn_Buffer_OptionalText(PyMvn_State *state, mvn_buffer *buffer, uint32_t field,
                              PyObject *value, const char *what)
{
    if (value == NULL || value == Py_None ||
        (PyUnicode_Check(value) && PyUnicode_GetLength(value) == 0) ||
        (PyBytes_Check(value) && PyBytes_GET_SIZE(value) == 0)) {
        return 0;
    }
    return PyMvn_Buffer_Text(state, buffer, field, value, what);
}

int PyMvn_Buffer_Texts(PyMvn_State *state, mvn_buffer *buffer, uint32_t field, PyObject *values,
                       const char *what)
{
    int result = -1;
    PyObject *snapshot = NULL;
    if (values == NULL || values == Py_None) {
        return 0;
    }
    if (PyUnicode_Check(values) || PyBytes_Check(values)) {
        PyErr_Format(PyExc_TypeError, "%s must be a list of str, not %s", what,
                     Py_TYPE(values)->tp_name);
        goto done;
    }
    snapshot = PySequence_Tuple(values); /* nobody else can change this one */
    if (snapshot == NULL) {
        goto done;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(snapshot); i++) {
        if (PyMvn_Buffer_Text(state, buffer, field, PyTuple_GET_ITEM(snapshot, i), what) < 0) {
            goto done;
        }
    }
    result = 0;
done:
    Py_XDECREF(snapshot);
    return result;
}

int PyMvn_Buffer_Integer(mvn_buffer *buffer, uint32_t field, PyObject *value, int64_t low,
                         uint64_t high, const char *what)
{
    uint64_t number = 0;
    if (value == NULL || value == Py_None) {
        return 0;
    }
    if (!PyLong_Check(value)) {
        PyErr_Format(PyExc_TypeError, "%s must be int, not %s", what, Py_TYPE(value)->tp_name);
        return -1;
    }
    int overflow = 0;
    long long narrow = PyLong_AsLongLongAndOverflow(value, &overflow);
    bool inside = overflow == 0 && narrow >= low && (narrow < 0 || (uint64_t)narrow <= high);
    if (narrow == -1 && PyErr_Occurred()) {
        return -1;
    }
    number = (uint64_t)narrow;
    if (overflow > 0 && high > INT64_MAX) {
        number = PyLong_AsUnsignedLongLong(value);
        if (number == UINT64_MAX && PyErr_Occurred()) {
            PyErr_Clear();
        } else {
            inside = number <= high;
        }
    }
    if (!inside) {
        PyErr_Format(PyExc_OverflowError, "%s is out of range: %R", what, value);
        return -1;
    }
    return number == 0 ? 0
                       : PyMvn_Buffer_Check(mvn_buffer_append_varint_field(buffer, field, number));
}

PyObject *PyMvn_Buffer_ToBytes(const mvn_buffer *buffer)
{
    return PyBytes_FromStringAndSize((const char *)buffer->data, (Py_ssize_t)buffer->size);
}
