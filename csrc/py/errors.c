#include "errors.h"

PyObject *PyMvn_TakeException(void)
{
#if PY_VERSION_HEX >= 0x030C0000
    return PyErr_GetRaisedException();
#else
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (type == NULL) {
        return NULL;
    }
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL) {
        PyException_SetTraceback(value, traceback);
    }
    Py_DECREF(type);
    Py_XDECREF(traceback);
    return value;
#endif
}

void PyMvn_RestoreException(PyObject *exception)
{
#if PY_VERSION_HEX >= 0x030C0000
    PyErr_SetRaisedException(exception);
#else
    if (exception == NULL) {
        PyErr_Clear();
        return;
    }
    PyErr_Restore(Py_NewRef(Py_TYPE(exception)), exception, PyException_GetTraceback(exception));
#endif
}

int PyMvn_ForgetException(void)
{
    if (!PyErr_ExceptionMatches(PyExc_Exception) || PyErr_ExceptionMatches(PyExc_MemoryError)) {
        return -1;
    }
    PyErr_Clear();
    return 0;
}

int PyMvn_GetOptional(PyObject *object, const char *name, PyObject **value)
{
    *value = PyObject_GetAttrString(object, name);
    if (*value != NULL) {
        return 1;
    }
    if (!PyErr_ExceptionMatches(PyExc_AttributeError)) {
        return -1;
    }
    PyErr_Clear();
    return 0;
}

int PyMvn_HasAttribute(PyObject *object, const char *name)
{
    PyObject *value = NULL;
    int result = PyMvn_GetOptional(object, name, &value);
    Py_XDECREF(value);
    return result;
}

PyObject *PyMvn_RaiseMilvus(const char *name, const char *format, ...)
{
    PyObject *cause = PyMvn_TakeException();
    PyObject *message = NULL, *module = NULL, *cls = NULL, *args = NULL, *kwargs = NULL;
    PyObject *exception = NULL;
    va_list va;

    va_start(va, format);
    message = PyUnicode_FromFormatV(format, va);
    va_end(va);
    if (message == NULL) {
        goto done;
    }
    module = PyImport_ImportModule("pymilvus.exceptions");
    if (module == NULL) {
        goto done;
    }
    if ((cls = PyObject_GetAttrString(module, name)) == NULL ||
        (args = PyTuple_New(0)) == NULL ||
        (kwargs = Py_BuildValue("{sO}", "message", message)) == NULL) {
        goto done;
    }
    exception = PyObject_Call(cls, args, kwargs);
    if (exception == NULL) {
        goto done;
    }
    if (cause != NULL) {
        PyException_SetContext(exception, Py_NewRef(cause));
        PyException_SetCause(exception, Py_NewRef(cause));
    }
    PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
done:
    Py_XDECREF(cause);
    Py_XDECREF(message);
    Py_XDECREF(module);
    Py_XDECREF(cls);
    Py_XDECREF(args);
    Py_XDECREF(kwargs);
    Py_XDECREF(exception);
    return NULL;
}

PyObject *PyMvn_RaiseStatus(PyMvn_State *state, mvn_status status, const mvn_error *error,
                            const char *what)
{
    if (status == MVN_ENOMEM) {
        return PyErr_NoMemory();
    }
    if (error != NULL && error->message[0] != '\0') {
        PyErr_Format(state->decode_error, "%s: %s (%s)", what, mvn_status_text(status),
                     error->message);
    } else {
        PyErr_Format(state->decode_error, "%s: %s", what, mvn_status_text(status));
    }
    return NULL;
}

void PyMvn_RaiseServerStatus(PyMvn_State *state, int code, int error_code, PyObject *reason,
                             int retriable, PyObject *extra_info)
{
    PyObject *exception = NULL;
    if (reason != NULL && extra_info != NULL) {
        exception = PyObject_CallFunction(state->status_error, "iiOOO", code, error_code, reason,
                                          retriable ? Py_True : Py_False, extra_info);
    }
    Py_XDECREF(reason);
    Py_XDECREF(extra_info);
    if (exception != NULL) {
        PyErr_SetObject(state->status_error, exception);
        Py_DECREF(exception);
    }
}

/* StatusError(code, error_code, reason, retriable, extra_info): named access to args. */
static PyObject *status_error_get(PyObject *self, void *index)
{
    PyObject *args = PyObject_GetAttrString(self, "args");
    if (args == NULL) {
        return NULL;
    }
    PyObject *item = PySequence_GetItem(args, (Py_ssize_t)(intptr_t)index);
    Py_DECREF(args);
    return item;
}

static PyGetSetDef status_error_getset[] = {
    {"code", status_error_get, NULL, "Milvus error code (Status.code).", (void *)0},
    {"error_code", status_error_get, NULL, "Legacy error code (Status.error_code).", (void *)1},
    {"reason", status_error_get, NULL, "The server's text.", (void *)2},
    {"retriable", status_error_get, NULL, "What the server says of retrying.", (void *)3},
    {"extra_info", status_error_get, NULL, "dict of str to str.", (void *)4},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot status_error_slots[] = {
    {Py_tp_doc, "A reply whose Status is an error. Internal: callers see pymilvus's exceptions."},
    {Py_tp_getset, status_error_getset},
    {0, NULL},
};

static PyType_Spec status_error_spec = {
    .name = "milvus_native._core.StatusError",
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
    .slots = status_error_slots,
};

int PyMvn_Errors_Init(PyObject *module, PyMvn_State *state)
{
    PyObject *bases = PyTuple_Pack(1, PyExc_Exception);
    if (bases == NULL) {
        return -1;
    }
    state->status_error = PyType_FromModuleAndSpec(module, &status_error_spec, bases);
    Py_DECREF(bases);
    if (state->status_error == NULL) {
        return -1;
    }
    state->decode_error = PyErr_NewExceptionWithDoc(
        "milvus_native._core.DecodeError",
        "Bytes from the server that do not parse as the message they should be.",
        PyExc_ValueError, NULL);
    state->text_error = state->decode_error == NULL ? NULL : PyErr_NewExceptionWithDoc(
        "milvus_native._core.TextError",
        "A value of a request that is no str where one must be; it says which.",
        PyExc_TypeError, NULL);
    if (state->text_error == NULL) {
        return -1;
    }
    if (PyModule_AddObjectRef(module, "StatusError", state->status_error) < 0 ||
        PyModule_AddObjectRef(module, "DecodeError", state->decode_error) < 0) {
        return -1;
    }
    return PyModule_AddObjectRef(module, "TextError", state->text_error);
}
