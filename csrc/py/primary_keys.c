#include "primary_keys.h"

#include <stdbool.h>

#include "arguments.h"
#include "buffers.h"
#include "compat.h"
#include "codecs/codec.h"
#include "errors.h"
#include "../core/literal.h"

static int illegal_key(PyObject *key, const char *expected)
{
    /* Milvus's words come first: it is what pymilvus sends the key in a filter for. */
    PyMvn_RaiseMilvus("ParamError", "cannot parse expression: primary key %R is illegal, expected %s",
                      key, expected);
    return -1;
}

static int append_text(mvn_buffer *out, PyObject *text)
{
    Py_ssize_t size = 0;
    const char *utf8 = PyUnicode_AsUTF8AndSize(text, &size);
    if (utf8 == NULL) {
        return -1;
    }
    return PyMvn_Buffer_Check(mvn_literal_append_string(out, utf8, (size_t)size));
}

static int append_number(mvn_buffer *out, PyObject *key)
{
    int result = -1, overflow = 0;
    PyObject *number = PyNumber_Index(key);
    if (number == NULL) {
        return -1;
    }
    long long value = PyLong_AsLongLongAndOverflow(number, &overflow);
    if (overflow != 0) {
        illegal_key(key, "an int64");
    } else if (value != -1 || !PyErr_Occurred()) {
        result = PyMvn_Buffer_Check(mvn_literal_append_int(out, value));
    }
    Py_DECREF(number);
    return result;
}

/* Whether `text` is a decimal number as one writes it: the server reads 010 as 8, so it is none. */
static bool is_decimal(const char *text, Py_ssize_t size)
{
    Py_ssize_t start = size > 0 && text[0] == '-' ? 1 : 0;
    if (size == start || (text[start] == '0' && size > 1)) {
        return false;
    }
    for (Py_ssize_t i = start; i < size; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
    }
    return true;
}

/* A str given for a number. */
static int append_digits(mvn_buffer *out, PyObject *key)
{
    Py_ssize_t size = 0;
    const char *utf8 = PyUnicode_AsUTF8AndSize(key, &size);
    if (utf8 == NULL) {
        return -1;
    }
    if (!is_decimal(utf8, size)) {
        return illegal_key(key, "an int");
    }
    PyObject *number = PyLong_FromUnicodeObject(key, 10);
    if (number == NULL) { /* more digits than Python cares to convert */
        return PyMvn_ForgetException() < 0 ? -1 : illegal_key(key, "an int64");
    }
    int result = append_number(out, number);
    Py_DECREF(number);
    return result;
}

static int append_integer_key(mvn_buffer *out, PyObject *key)
{
    if (PyUnicode_Check(key)) {
        return append_digits(out, key);
    }
    if (PyBool_Check(key) || PyMvn_IsNumpyBool(key) || PySequence_Check(key) ||
        !PyIndex_Check(key)) {
        return illegal_key(key, "an int");
    }
    return append_number(out, key);
}

static int append_string_key(mvn_buffer *out, PyObject *key)
{
    if (PyUnicode_Check(key)) {
        return append_text(out, key);
    }
    /* NumPy's integers are mappings, as all its scalars. */
    if (key == Py_None || PySequence_Check(key) || PyAnySet_Check(key) ||
        (PyMapping_Check(key) && !PyIndex_Check(key))) {
        return illegal_key(key, "a str");
    }
    PyObject *text = PyObject_Str(key); /* a number, a UUID */
    if (text == NULL) {
        return -1;
    }
    int result = append_text(out, text);
    Py_DECREF(text);
    return result;
}

static int append_key(mvn_buffer *out, PyObject *key, int type)
{
    switch (type) {
    case MVN_TYPE_STRING:
    case MVN_TYPE_VARCHAR:
        return append_string_key(out, key);
    case 0:
        return PyUnicode_Check(key) ? append_text(out, key) : append_integer_key(out, key);
    default:
        return append_integer_key(out, key);
    }
}

static PyObject *expression(PyObject *name, PyObject *ids, int type)
{
    PyObject *result = NULL, *keys = NULL;
    Py_ssize_t size = 0;
    const char *field = NULL;
    mvn_buffer out;
    mvn_buffer_init(&out);
    field = PyUnicode_AsUTF8AndSize(name, &size);
    keys = field == NULL ? NULL : PySequence_Tuple(ids); /* a key's code may change the list */
    if (keys == NULL) {
        goto done;
    }
    if (PyMvn_Buffer_Check(mvn_buffer_append(&out, field, (size_t)size)) < 0 ||
        PyMvn_Buffer_Check(mvn_buffer_append(&out, " in [", 5)) < 0) {
        goto done;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(keys); i++) {
        if (i > 0 && PyMvn_Buffer_Check(mvn_buffer_append(&out, ",", 1)) < 0) {
            goto done;
        }
        if (append_key(&out, PyTuple_GET_ITEM(keys, i), type) < 0) {
            goto done;
        }
    }
    if (PyMvn_Buffer_Check(mvn_buffer_append(&out, "]", 1)) < 0) {
        goto done;
    }
    result = PyUnicode_DecodeUTF8((const char *)out.data, (Py_ssize_t)out.size, NULL);
done:
    mvn_buffer_reset(&out);
    Py_XDECREF(keys);
    return result;
}

static PyObject *primary_key_expression(PyObject *module, PyObject *const *args,
                                        Py_ssize_t n_args, PyObject *names)
{
    enum { NAME, IDS, TYPE, COUNT };
    static const PyMvn_Parameter parameters[COUNT] = {
        {"field_name", true},
        {"ids", true},
        {"primary_type", false},
    };
    PyObject *values[COUNT];
    (void)module;
    if (PyMvn_Arguments_Read("primary_key_expression", parameters, COUNT, COUNT, args, n_args,
                             names, values) < 0) {
        return NULL;
    }
    long type = values[TYPE] == NULL ? 0 : PyLong_AsLong(values[TYPE]);
    if (type == -1 && PyErr_Occurred()) {
        return NULL;
    }
    return expression(values[NAME], values[IDS], (int)type);
}

static PyObject *key_literal(PyObject *module, PyObject *key)
{
    PyObject *result = NULL;
    mvn_buffer out;
    (void)module;
    mvn_buffer_init(&out);
    if (append_key(&out, key, 0) == 0) {
        result = PyUnicode_DecodeUTF8((const char *)out.data, (Py_ssize_t)out.size, NULL);
    }
    mvn_buffer_reset(&out);
    return result;
}

static PyMethodDef functions[] = {
    {"key_literal", key_literal, METH_O, "One primary key as a literal of the filter language."},
    {"primary_key_expression", (PyCFunction)(void (*)(void))primary_key_expression,
     METH_FASTCALL | METH_KEYWORDS, "The filter that matches exactly these primary keys."},
    {NULL, NULL, 0, NULL},
};

int PyMvn_PrimaryKeys_Init(PyObject *module, PyMvn_State *state)
{
    (void)state;
    return PyModule_AddFunctions(module, functions);
}
