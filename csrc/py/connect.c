#include "connect.h"

#include <string.h>

#include "control.h"
#include "errors.h"

/* Entries of ClientInfo.reserved, made from a dict of str to str. */
typedef struct {
    PyObject *items;            /* owned: list of (key, value) tuples; keeps the text alive */
    Mvn__StringEntry *entries;  /* PyMem */
    Mvn__StringEntry **table;   /* PyMem: what protobuf-c wants */
    size_t count;
} reserved_entries;

/* The UTF-8 of a str without NUL, borrowed from it; NULL with an exception set. */
static char *plain_text(PyObject *text, const char *what)
{
    Py_ssize_t size = 0;
    if (!PyUnicode_Check(text)) {
        PyErr_Format(PyExc_TypeError, "%s must be a str, not %.200s", what,
                     Py_TYPE(text)->tp_name);
        return NULL;
    }
    const char *utf8 = PyUnicode_AsUTF8AndSize(text, &size);
    if (utf8 != NULL && strlen(utf8) != (size_t)size) {
        PyErr_Format(PyExc_ValueError, "%s cannot hold a NUL character", what);
        return NULL;
    }
    return (char *)utf8; /* protobuf-c's structs have no const; it is only read */
}

static void reserved_clear(reserved_entries *reserved)
{
    Py_CLEAR(reserved->items);
    PyMem_Free(reserved->entries);
    PyMem_Free(reserved->table);
}

/* Fills a zeroed `reserved`; the caller clears it in any case. 0 or -1. */
static int reserved_fill(reserved_entries *reserved, PyObject *dict)
{
    reserved->items = PyMapping_Items(dict);
    if (reserved->items == NULL) {
        return -1;
    }
    size_t count = (size_t)PyList_GET_SIZE(reserved->items);
    reserved->entries = PyMem_Calloc(count ? count : 1, sizeof(*reserved->entries));
    reserved->table = PyMem_Calloc(count ? count : 1, sizeof(*reserved->table));
    if (reserved->entries == NULL || reserved->table == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        PyObject *item = PyList_GET_ITEM(reserved->items, (Py_ssize_t)i); /* borrowed */
        Mvn__StringEntry *entry = &reserved->entries[i];
        if (!PyTuple_Check(item) || PyTuple_GET_SIZE(item) != 2) {
            PyErr_SetString(PyExc_TypeError, "reserved must be a mapping");
            return -1;
        }
        mvn__string_entry__init(entry);
        entry->key = plain_text(PyTuple_GET_ITEM(item, 0), "a reserved key");
        entry->value = plain_text(PyTuple_GET_ITEM(item, 1), "a reserved value");
        if (entry->key == NULL || entry->value == NULL) {
            return -1;
        }
        reserved->table[i] = entry;
    }
    reserved->count = count;
    return 0;
}

PyDoc_STRVAR(connect_request_doc,
             "connect_request(*, sdk_type, sdk_version, local_time, user, host, reserved=None)\n"
             "--\n\n"
             "ConnectRequest as bytes. `reserved` is a mapping of str to str, or None.");

static PyObject *connect_request(PyObject *module, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"sdk_type", "sdk_version", "local_time", "user",
                            "host",     "reserved",    NULL};
    PyObject *text[5] = {NULL}; /* borrowed from the arguments */
    PyObject *reserved_dict = Py_None, *bytes = NULL;
    reserved_entries reserved = {NULL, NULL, NULL, 0};
    Mvn__ConnectRequest request = MVN__CONNECT_REQUEST__INIT;
    Mvn__ClientInfo info = MVN__CLIENT_INFO__INIT;
    char **slots[5] = {&info.sdk_type, &info.sdk_version, &info.local_time, &info.user,
                       &info.host};

    (void)module;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|$OOOOOO:connect_request", names, &text[0],
                                     &text[1], &text[2], &text[3], &text[4], &reserved_dict)) {
        return NULL;
    }
    for (size_t i = 0; i < 5; i++) {
        if (text[i] == NULL) {
            return PyErr_Format(PyExc_TypeError, "connect_request() needs the keyword argument %s",
                                names[i]);
        }
        *slots[i] = plain_text(text[i], names[i]);
        if (*slots[i] == NULL) {
            return NULL;
        }
    }
    if (reserved_dict != Py_None && reserved_fill(&reserved, reserved_dict) < 0) {
        goto done;
    }
    info.reserved = reserved.table;
    info.n_reserved = reserved.count;
    request.client_info = &info;
    bytes = PyMvn_Control_Pack(&request.base);
done:
    reserved_clear(&reserved);
    return bytes;
}

/* A new dict of the server's own description; empty when it sent none. */
static PyObject *server_info(const Mvn__ServerInfo *server)
{
    if (server == NULL) {
        return PyDict_New();
    }
    /* The named members last: a reserved entry cannot pretend to be one. */
    PyObject *info = PyMvn_Control_Dict(server->reserved, server->n_reserved);
    if (info == NULL) {
        return NULL;
    }
    if (PyMvn_Control_AddText(info, "build_tags", server->build_tags) < 0 ||
        PyMvn_Control_AddText(info, "build_time", server->build_time) < 0 ||
        PyMvn_Control_AddText(info, "git_commit", server->git_commit) < 0 ||
        PyMvn_Control_AddText(info, "go_version", server->go_version) < 0 ||
        PyMvn_Control_AddText(info, "deploy_mode", server->deploy_mode) < 0) {
        Py_CLEAR(info);
    }
    return info;
}

PyDoc_STRVAR(parse_connect_doc,
             "parse_connect(reply, /)\n--\n\n"
             "(identifier, server_info) of ConnectResponse bytes; server_info is a dict of str to\n"
             "str, empty when the server sent none. StatusError if the reply's status is an error.");

static PyObject *parse_connect(PyObject *module, PyObject *reply)
{
    PyMvn_State *state = PyMvn_StateOfModule(module);
    Mvn__ConnectResponse *response = NULL;
    PyObject *info = NULL, *result = NULL;

    if (!PyBytes_Check(reply)) {
        return PyErr_Format(PyExc_TypeError, "reply must be bytes, not %.200s",
                            Py_TYPE(reply)->tp_name);
    }
    response = PyMvn_Control_Unpack(state, &mvn__connect_response__descriptor, reply,
                                    "ConnectResponse");
    if (response == NULL) {
        return NULL;
    }
    if (PyMvn_Control_CheckStatus(state, response->status) < 0) {
        goto done;
    }
    info = server_info(response->server_info);
    if (info != NULL) {
        result = Py_BuildValue("(LO)", (long long)response->identifier, info);
    }
done:
    Py_XDECREF(info);
    PyMvn_Control_Free(response);
    return result;
}

static PyMethodDef methods[] = {
    {"connect_request", (PyCFunction)(void (*)(void))connect_request,
     METH_VARARGS | METH_KEYWORDS, connect_request_doc},
    {"parse_connect", parse_connect, METH_O, parse_connect_doc},
    {NULL, NULL, 0, NULL},
};

int PyMvn_Connect_Init(PyObject *module, PyMvn_State *state)
{
    (void)state;
    return PyModule_AddFunctions(module, methods);
}
