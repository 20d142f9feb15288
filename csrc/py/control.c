#include "control.h"

#include <string.h>

#include "../core/mem.h"
#include "errors.h"

/* protobuf-c returns NULL for bad bytes and for want of memory alike; `context` is where the latter
 * is noted, or NULL.
 *
 * Memory is zeroed because the generated initialisers are not enough: from GCC 15 on, `{0}` sets the
 * first member of a oneof's union alone, and protobuf-c frees what it finds in the others. */
static void *take(void *context, size_t size)
{
    void *block = mvn_malloc_array(size, 1);
    if (block != NULL) {
        memset(block, 0, size);
    } else if (context != NULL) {
        *(int *)context = 1;
    }
    return block;
}

static void give_back(void *context, void *block)
{
    (void)context;
    mvn_free(block);
}

void *PyMvn_Control_Unpack(PyMvn_State *state, const ProtobufCMessageDescriptor *descriptor,
                           PyObject *reply, const char *what)
{
    int no_memory = 0;
    ProtobufCAllocator allocator = {take, give_back, &no_memory};
    void *message =
        protobuf_c_message_unpack(descriptor, &allocator, (size_t)PyBytes_GET_SIZE(reply),
                                  (const uint8_t *)PyBytes_AS_STRING(reply));
    if (message == NULL) {
        (void)PyMvn_RaiseStatus(state, no_memory ? MVN_ENOMEM : MVN_EFORMAT, NULL, what);
    }
    return message;
}

PyObject *PyMvn_Control_Pack(const ProtobufCMessage *message)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    if (bytes != NULL) {
        protobuf_c_message_pack(message, (uint8_t *)PyBytes_AS_STRING(bytes));
    }
    return bytes;
}

const char *PyMvn_Control_Name(PyObject *name)
{
    Py_ssize_t length = 0;
    if (!PyUnicode_Check(name)) {
        PyErr_Format(PyExc_TypeError, "collection_name must be a str, not %.200s",
                     Py_TYPE(name)->tp_name);
        return NULL;
    }
    const char *utf8 = PyUnicode_AsUTF8AndSize(name, &length);
    if (utf8 != NULL && strlen(utf8) != (size_t)length) {
        PyErr_SetString(PyExc_ValueError, "a collection name cannot hold a NUL character");
        return NULL;
    }
    return utf8;
}

PyObject *PyMvn_Control_Text(const char *text)
{
    return PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
}

int PyMvn_Control_AddText(PyObject *dict, const char *key, const char *value)
{
    PyObject *name = PyMvn_Control_Text(key);
    PyObject *text = name == NULL ? NULL : PyMvn_Control_Text(value);
    int result = text == NULL ? -1 : PyDict_SetItem(dict, name, text);
    Py_XDECREF(name);
    Py_XDECREF(text);
    return result;
}

PyObject *PyMvn_Control_Dict(Mvn__StringEntry *const *entries, size_t count)
{
    PyObject *dict = PyDict_New();
    for (size_t i = 0; dict != NULL && i < count; i++) {
        if (PyMvn_Control_AddText(dict, entries[i]->key, entries[i]->value) < 0) {
            Py_CLEAR(dict);
        }
    }
    return dict;
}

int PyMvn_Control_CheckStatus(PyMvn_State *state, const Mvn__Status *status)
{
    if (status == NULL || (status->code == 0 && status->error_code == 0)) {
        return 0;
    }
    PyObject *reason = PyMvn_Control_Text(status->reason);
    PyObject *extra = reason == NULL
                          ? NULL
                          : PyMvn_Control_Dict(status->extra_info, status->n_extra_info);
    PyMvn_RaiseServerStatus(state, status->code, status->error_code, reason, status->retriable,
                            extra);
    return -1;
}

void PyMvn_Control_Free(void *message)
{
    ProtobufCAllocator allocator = {take, give_back, NULL};
    if (message != NULL) {
        protobuf_c_message_free_unpacked(message, &allocator);
    }
}
