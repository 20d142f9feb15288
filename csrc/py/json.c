#include "json.h"

#include <stdbool.h>
#include <string.h>

#include "../core/status.h"
#include "compat.h"
#include "errors.h"

#define SHOWN_TEXT 200 /* characters of a bad document that its error message quotes */

/* `*slot`, a member of the state, filled with attribute `name` of orjson on first use: under a lock,
 * and never changed again. Borrowed from the state. */
static PyObject *orjson_function(PyMvn_State *state, PyObject **slot, const char *name)
{
    PyObject *lock = (PyObject *)state->schema_type; /* borrowed: any object of this module */
    (void)lock;                                      /* not needed under the GIL */
    PyObject *found = NULL;
    MVN_BEGIN_CRITICAL_SECTION(lock);
    found = *slot;
    MVN_END_CRITICAL_SECTION();
    if (found != NULL) {
        return found;
    }
    PyObject *module = PyImport_ImportModule("orjson");
    PyObject *function = module == NULL ? NULL : PyObject_GetAttrString(module, name);
    Py_XDECREF(module);
    if (function == NULL) {
        return NULL;
    }
    MVN_BEGIN_CRITICAL_SECTION(lock);
    if (*slot == NULL) {
        *slot = Py_NewRef(function);
    }
    found = *slot;
    MVN_END_CRITICAL_SECTION();
    Py_DECREF(function);
    return found;
}

static PyObject *loads(PyMvn_State *state, PyObject *text)
{
    PyObject *function = orjson_function(state, &state->json_loads, "loads");
    return function == NULL ? NULL : PyObject_CallOneArg(function, text);
}

PyObject *PyMvn_Json_Dumps(PyMvn_State *state, PyObject *value)
{
    PyObject *function = orjson_function(state, &state->json_dumps, "dumps");
    return function == NULL ? NULL : PyObject_CallOneArg(function, value);
}

PyObject *PyMvn_Json_Loads(PyMvn_State *state, const char *data, Py_ssize_t size)
{
    PyObject *view = PyMemoryView_FromMemory((char *)data, size, PyBUF_READ);
    PyObject *value = view == NULL ? NULL : loads(state, view);
    Py_XDECREF(view);
    return value;
}

/* Raises DataNotMatchException for text that is not JSON; the exception set becomes the cause. */
static PyObject *invalid_text(PyObject *text)
{
    PyObject *error = PyMvn_TakeException();
    PyObject *reason = PyObject_Str(error);
    PyObject *shown = reason == NULL ? NULL : PyUnicode_Substring(text, 0, SHOWN_TEXT);
    const char *dots = PyUnicode_GetLength(text) > SHOWN_TEXT ? "..." : "";
    PyErr_Clear(); /* of str() and the like: the error that counts is the first */
    PyMvn_RestoreException(error);
    if (shown == NULL) {
        (void)PyMvn_RaiseMilvus("DataNotMatchException", "Invalid JSON string");
    } else {
        (void)PyMvn_RaiseMilvus("DataNotMatchException", "Invalid JSON string: %U. Input string: "
                                                         "%R%s", reason, shown, dots);
    }
    Py_XDECREF(reason);
    Py_XDECREF(shown);
    return NULL;
}

static PyObject *text_document(PyMvn_State *state, PyObject *text)
{
    PyObject *parsed = loads(state, text);
    PyObject *bytes = NULL;
    if (parsed != NULL) {
        Py_DECREF(parsed);
        bytes = PyUnicode_AsUTF8String(text);
    }
    if (bytes == NULL && PyErr_ExceptionMatches(PyExc_ValueError)) { /* no JSON, or no UTF-8 */
        return invalid_text(text);
    }
    return bytes;
}

/* Raises when a key is no str. The walk runs no Python code. */
static int check_keys(PyObject *dict)
{
    Py_ssize_t pos = 0;
    PyObject *key = NULL, *value = NULL; /* borrowed */
    int bad = 0;
    MVN_BEGIN_CRITICAL_SECTION(dict);
    while (!bad && PyDict_Next(dict, &pos, &key, &value)) {
        bad = !PyUnicode_Check(key);
    }
    MVN_END_CRITICAL_SECTION();
    if (bad) {
        (void)PyMvn_RaiseMilvus("DataNotMatchException", "JSON key must be str.");
        return -1;
    }
    return 0;
}

/* The classes of NumPy whose objects stand for numbers or lists, as a tuple for isinstance; None
 * when the program never imported NumPy. New reference or NULL. */
static PyObject *numpy_types(void)
{
    PyObject *name = PyUnicode_FromString("numpy");
    PyObject *numpy = name == NULL ? NULL : PyImport_GetModule(name);
    PyObject *classes[3] = {NULL, NULL, NULL}, *types = NULL;
    Py_XDECREF(name);
    if (numpy == NULL) {
        return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
    }
    if ((classes[0] = PyObject_GetAttrString(numpy, "ndarray")) != NULL &&
        (classes[1] = PyObject_GetAttrString(numpy, "number")) != NULL &&
        (classes[2] = PyObject_GetAttrString(numpy, "bool_")) != NULL) {
        types = PyTuple_Pack(3, classes[0], classes[1], classes[2]);
    }
    Py_DECREF(numpy);
    for (int i = 0; i < 3; i++) {
        Py_XDECREF(classes[i]);
    }
    return types;
}

/* A NumPy scalar or array as Python's. A long double has no Python twin: tolist() gives it back. */
static PyObject *plain_numpy(PyObject *value)
{
    PyObject *result = PyObject_CallMethod(value, "tolist", NULL);
    if (result != NULL && Py_TYPE(result) == Py_TYPE(value)) {
        Py_SETREF(result, PyNumber_Float(value));
    }
    return result;
}

static PyObject *plain(PyObject *types, PyObject *value);

static PyObject *plain_dict(PyObject *types, PyObject *dict)
{
    PyObject *copy = PyDict_New(), *items = copy == NULL ? NULL : PyMapping_Items(dict);
    if (items == NULL) {
        goto fail;
    }
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items); i++) {
        PyObject *pair = PyList_GET_ITEM(items, i); /* borrowed: `items` is ours alone */
        if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
            PyErr_SetString(PyExc_TypeError, "items() of a dict must give pairs");
            goto fail;
        }
        PyObject *value = plain(types, PyTuple_GET_ITEM(pair, 1));
        int status = value == NULL ? -1 : PyDict_SetItem(copy, PyTuple_GET_ITEM(pair, 0), value);
        Py_XDECREF(value);
        if (status < 0) {
            goto fail;
        }
    }
    Py_DECREF(items);
    return copy;
fail:
    Py_XDECREF(copy);
    Py_XDECREF(items);
    return NULL;
}

static PyObject *plain_list(PyObject *types, PyObject *list)
{
    PyObject *copy = PySequence_List(list);
    for (Py_ssize_t i = 0; copy != NULL && i < PyList_GET_SIZE(copy); i++) {
        PyObject *value = plain(types, PyList_GET_ITEM(copy, i));
        if (value == NULL || PyList_SetItem(copy, i, value) < 0) {
            Py_CLEAR(copy);
        }
    }
    return copy;
}

/* A copy of `value` in which NumPy's numbers and arrays, at any depth of dicts and lists, are
 * Python's. New reference or NULL; RecursionError when nested too deeply. */
static PyObject *plain(PyObject *types, PyObject *value)
{
    PyObject *result = NULL;
    if (Py_EnterRecursiveCall(" while preparing a JSON value")) {
        return NULL;
    }
    if (PyDict_Check(value)) {
        result = plain_dict(types, value);
    } else if (PyList_Check(value)) {
        result = plain_list(types, value);
    } else {
        int numpy = types == Py_None ? 0 : PyObject_IsInstance(value, types);
        if (numpy == 0) {
            result = Py_NewRef(value);
        } else if (numpy > 0) {
            result = plain_numpy(value);
        }
    }
    Py_LeaveRecursiveCall();
    return result;
}

/* Whether the TypeError that is set is orjson's complaint about depth. */
static bool is_depth_error(void)
{
    PyObject *error = PyMvn_TakeException();
    PyObject *text = PyObject_Str(error);
    const char *utf8 = text == NULL ? NULL : PyUnicode_AsUTF8(text);
    bool depth = utf8 != NULL && strstr(utf8, "Recursion limit") != NULL;
    Py_XDECREF(text);
    PyErr_Clear();
    PyMvn_RestoreException(error);
    return depth;
}

/* json.dumps, which goes as deep as the interpreter's own recursion limit. */
static PyObject *deep_document(PyObject *value)
{
    PyObject *module = PyImport_ImportModule("json");
    PyObject *text = module == NULL ? NULL : PyObject_CallMethod(module, "dumps", "O", value);
    PyObject *bytes = text == NULL ? NULL : PyUnicode_AsUTF8String(text);
    Py_XDECREF(module);
    Py_XDECREF(text);
    return bytes;
}

/* The slow half of PyMvn_Json_Document, entered with orjson's TypeError set. */
static MVN_NOINLINE PyObject *second_try(PyMvn_State *state, PyObject *value)
{
    PyObject *types = NULL, *copy = NULL, *bytes = NULL;
    bool deep = is_depth_error();

    PyErr_Clear();
    types = numpy_types();
    if (types != NULL) {
        copy = plain(types, value);
    }
    if (copy == NULL) {
        goto done;
    }
    if (!deep) {
        bytes = PyMvn_Json_Dumps(state, copy);
        if (bytes != NULL || !PyErr_ExceptionMatches(PyExc_TypeError) || !is_depth_error()) {
            goto done;
        }
        PyErr_Clear();
    }
    bytes = deep_document(copy);
done:
    Py_XDECREF(types);
    Py_XDECREF(copy);
    return bytes;
}

PyObject *PyMvn_Json_Document(PyMvn_State *state, PyObject *value)
{
    if (PyUnicode_Check(value)) {
        return text_document(state, value);
    }
    if (PyDict_Check(value) && check_keys(value) < 0) {
        return NULL;
    }
    PyObject *bytes = PyMvn_Json_Dumps(state, value);
    if (bytes == NULL && PyErr_ExceptionMatches(PyExc_TypeError)) {
        return second_try(state, value);
    }
    return bytes;
}
