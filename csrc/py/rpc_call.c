#include "rpc_call.h"

#include <math.h>

#include "../rpc/metadata.h"

/* ---- in ---- */

/* One buffer of a message. `*holder` becomes a new reference that keeps it in place: the bytes
 * themselves, which cannot change, or a memoryview, which locks what it shows. */
static int read_part(PyObject *object, PyObject **holder, mvn_span *span)
{
    if (PyBytes_CheckExact(object)) {
        *holder = Py_NewRef(object);
        *span = (mvn_span){(const uint8_t *)PyBytes_AS_STRING(object),
                           (size_t)PyBytes_GET_SIZE(object)};
        return 0;
    }
    PyObject *view = PyMemoryView_FromObject(object);
    if (view == NULL) {
        return -1;
    }
    const Py_buffer *buffer = PyMemoryView_GET_BUFFER(view);
    if (!PyBuffer_IsContiguous(buffer, 'C')) {
        PyErr_SetString(PyExc_BufferError, "a message must be a contiguous buffer");
        Py_DECREF(view);
        return -1;
    }
    *span = (mvn_span){buffer->buf, (size_t)buffer->len};
    *holder = view;
    return 0;
}

/* `items` is the caller's list or tuple. */
static int read_parts(PyMvn_RpcArguments *arguments, PyObject *items)
{
    PyObject *given = PySequence_Tuple(items);
    PyObject *holders = given == NULL ? NULL : PyTuple_New(PyTuple_GET_SIZE(given));
    int status = -1;

    if (holders == NULL) {
        goto done;
    }
    Py_ssize_t count = PyTuple_GET_SIZE(given);
    if (count > MVN_RPC_PARTS) {
        arguments->parts = PyMem_Calloc((size_t)count, sizeof(mvn_span));
        if (arguments->parts == NULL) {
            PyErr_NoMemory();
            goto done;
        }
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *holder = NULL;
        if (read_part(PyTuple_GET_ITEM(given, i), &holder, &arguments->parts[i]) < 0) {
            goto done;
        }
        PyTuple_SET_ITEM(holders, i, holder);
    }
    arguments->part_count = (size_t)count;
    arguments->message = Py_NewRef(holders);
    status = 0;
done:
    Py_XDECREF(given);
    Py_XDECREF(holders);
    return status;
}

static int read_text(PyObject *object, mvn_span *span)
{
    Py_ssize_t size = 0;
    const char *text = PyUnicode_AsUTF8AndSize(object, &size);
    *span = (mvn_span){(const uint8_t *)text, (size_t)size};
    return text == NULL ? -1 : 0;
}

static int read_pair(PyObject *object, mvn_metadata *pair)
{
    PyObject *name = NULL, *value = NULL; /* borrowed; the tuple holds them */
    if (PyTuple_Check(object) && PyTuple_GET_SIZE(object) == 2) {
        name = PyTuple_GET_ITEM(object, 0);
        value = PyTuple_GET_ITEM(object, 1);
    }
    if (name == NULL || !PyUnicode_Check(name)) {
        PyErr_SetString(PyExc_TypeError, "metadata must be tuples of (str, str or bytes)");
        return -1;
    }
    if (read_text(name, &pair->name) < 0) {
        return -1;
    }
    bool binary = mvn_metadata_is_binary(pair->name);
    if (!binary && PyUnicode_Check(value)) {
        return read_text(value, &pair->value);
    }
    if (!PyBytes_Check(value)) {
        PyErr_Format(PyExc_TypeError, "the value of metadata %U must be %s, not %s", name,
                     binary ? "bytes" : "str or bytes", Py_TYPE(value)->tp_name);
        return -1;
    }
    pair->value = (mvn_span){(const uint8_t *)PyBytes_AS_STRING(value),
                             (size_t)PyBytes_GET_SIZE(value)};
    return 0;
}

static int read_metadata(PyMvn_RpcArguments *arguments, PyObject *metadata)
{
    arguments->metadata = PySequence_Tuple(metadata);
    if (arguments->metadata == NULL) {
        return -1;
    }
    Py_ssize_t count = PyTuple_GET_SIZE(arguments->metadata);
    if (count > MVN_RPC_METADATA) {
        arguments->pairs = PyMem_Calloc((size_t)count, sizeof(mvn_metadata));
        if (arguments->pairs == NULL) {
            PyErr_NoMemory();
            return -1;
        }
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        if (read_pair(PyTuple_GET_ITEM(arguments->metadata, i), &arguments->pairs[i]) < 0) {
            return -1;
        }
    }
    arguments->pair_count = (size_t)count;
    return 0;
}

int PyMvn_RpcArguments_Read(PyMvn_RpcArguments *arguments, PyObject *message, PyObject *metadata)
{
    arguments->metadata = arguments->message = NULL;
    arguments->parts = arguments->part_room;
    arguments->pairs = arguments->pair_room;
    arguments->part_count = arguments->pair_count = 0;
    if (PyList_Check(message) || PyTuple_Check(message)) {
        if (read_parts(arguments, message) < 0) {
            return -1;
        }
    } else {
        if (read_part(message, &arguments->message, arguments->parts) < 0) {
            return -1;
        }
        arguments->part_count = 1;
    }
    return metadata == Py_None ? 0 : read_metadata(arguments, metadata);
}

void PyMvn_RpcArguments_Clear(PyMvn_RpcArguments *arguments)
{
    if (arguments->parts != arguments->part_room) {
        PyMem_Free(arguments->parts);
    }
    if (arguments->pairs != arguments->pair_room) {
        PyMem_Free(arguments->pairs);
    }
    arguments->parts = arguments->part_room;
    arguments->pairs = arguments->pair_room;
    Py_CLEAR(arguments->metadata);
    Py_CLEAR(arguments->message);
}

int PyMvn_RpcSeconds(PyObject *seconds, int64_t none, int64_t *nanoseconds)
{
    if (seconds == Py_None) {
        *nanoseconds = none;
        return 0;
    }
    double value = PyFloat_AsDouble(seconds);
    if (value == -1.0 && PyErr_Occurred()) {
        return -1;
    }
    if (isnan(value)) {
        PyErr_SetString(PyExc_ValueError, "a time in seconds is not a number");
        return -1;
    }
    /* 2^62 ns, 146 years: room to add two of them. */
    const double longest = 4611686018.0;
    *nanoseconds = value <= 0 ? 0 : (int64_t)((value < longest ? value : longest) * 1e9);
    return 0;
}

/* ---- out ---- */

uint8_t *PyMvn_RpcMessage_New(size_t size, void **handle)
{
    PyObject *message =
        size > PY_SSIZE_T_MAX ? NULL : PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    if (message == NULL) {
        PyErr_Clear(); /* the call fails with RESOURCE_EXHAUSTED */
        return NULL;
    }
    *handle = message;
    return (uint8_t *)PyBytes_AS_STRING(message);
}

/* What a server sends need not be UTF-8. */
static PyObject *text_from(const uint8_t *data, size_t size)
{
    return PyUnicode_DecodeUTF8((const char *)data, (Py_ssize_t)size, "replace");
}

static PyObject *metadata_from(const mvn_buffer *store)
{
    PyObject *list = PyList_New(0);
    mvn_metadata pair;
    size_t cursor = 0;

    if (list == NULL) {
        return NULL;
    }
    while (mvn_metadata_next(store, &cursor, &pair)) {
        PyObject *name = text_from(pair.name.data, pair.name.size);
        PyObject *value = mvn_metadata_is_binary(pair.name)
                              ? PyBytes_FromStringAndSize((const char *)pair.value.data,
                                                          (Py_ssize_t)pair.value.size)
                              : text_from(pair.value.data, pair.value.size);
        PyObject *item = name == NULL || value == NULL ? NULL : PyTuple_Pack(2, name, value);
        int status = item == NULL ? -1 : PyList_Append(list, item);
        Py_XDECREF(name);
        Py_XDECREF(value);
        Py_XDECREF(item);
        if (status < 0) {
            Py_DECREF(list);
            return NULL;
        }
    }
    return list;
}

PyObject *PyMvn_RpcResult(const mvn_call *call)
{
    const PyMvn_RpcCall *own = call->user;
    bool ok = call->code == MVN_GRPC_OK;
    PyObject *message = ok ? call->reply.handle : Py_None; /* borrowed */
    PyObject *result = NULL, *code = NULL, *text = NULL, *metadata = NULL;

    code = PyLong_FromLong(call->code);
    text = ok ? Py_NewRef(Py_None) : text_from(call->text.data, call->text.size);
    metadata = call->reply.metadata.size == 0 ? Py_NewRef(Py_None)
                                              : metadata_from(&call->reply.metadata);
    if (code != NULL && text != NULL && metadata != NULL) {
        result = PyTuple_Pack(6, own->tag, code, text, metadata, message,
                              call->sent ? Py_True : Py_False);
    }
    Py_XDECREF(code);
    Py_XDECREF(text);
    Py_XDECREF(metadata);
    return result;
}
