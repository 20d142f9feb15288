#include "requests.h"

#include "arguments.h"
#include "buffers.h"
#include "compat.h"
#include "errors.h"
#include "placeholders.h"
#include "templates.h"

/* How an argument becomes a field. An argument that was not given is no field. */
typedef enum {
    FORM_NONE, /* written elsewhere */
    FORM_TEXT, /* string; "" and None are left out */
    FORM_PRESENT_TEXT, /* optional string; None is left out, "" is not */
    FORM_TEXTS, /* repeated string */
    FORM_PAIRS, /* repeated KeyValuePair from a list of (str, str) */
    FORM_TIMESTAMP,
    FORM_ENUM,
    FORM_FLAG,
    FORM_TEMPLATES,
    FORM_MESSAGES, /* repeated messages from a list of bytes */
    FORM_FIELDS    /* fields that somebody else serialised */
} form;

/* A parameter of a function here, by the same index as its PyMvn_Parameter. */
typedef struct {
    uint32_t field;
    form form;
} member;

enum { PAIR_KEY = 1, PAIR_VALUE = 2 }; /* of KeyValuePair */
enum { IDS_INT = 1, IDS_STR = 2, IDS_DATA = 1 }; /* of IDs, and of its arrays */
enum { SEARCH_PLACEHOLDERS = 6, SEARCH_DSL_TYPE = 7, SEARCH_NQ = 12, SEARCH_IDS = 22 };

#define DSL_TYPE_BOOL_EXPR_V1 1
#define MAX_ID_LENGTH 65535 /* characters of a VARCHAR */

static int append_flag(mvn_buffer *out, uint32_t field, PyObject *value)
{
    int truth = PyObject_IsTrue(value);
    if (truth <= 0) {
        return truth;
    }
    return PyMvn_Buffer_Check(mvn_buffer_append_varint_field(out, field, 1));
}

static int append_pair(PyMvn_State *state, mvn_buffer *out, uint32_t field, PyObject *pair)
{
    size_t mark = 0;
    if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
        PyErr_SetString(PyExc_TypeError, "params must be a list of (key, value) tuples");
        return -1;
    }
    PyObject *key = PyTuple_GET_ITEM(pair, 0), *value = PyTuple_GET_ITEM(pair, 1); /* borrowed */
    if (PyMvn_Buffer_Check(mvn_buffer_begin(out, field, &mark)) < 0 ||
        PyMvn_Buffer_OptionalText(state, out, PAIR_KEY, key, "the key of a parameter") < 0 ||
        PyMvn_Buffer_OptionalText(state, out, PAIR_VALUE, value, "the value of a parameter") < 0) {
        return -1;
    }
    return PyMvn_Buffer_Check(mvn_buffer_end(out, mark));
}

static int append_serialized(mvn_buffer *out, uint32_t field, PyObject *value, const char *what)
{
    if (!PyBytes_Check(value)) {
        PyErr_Format(PyExc_TypeError, "%s must be bytes, not %s", what, Py_TYPE(value)->tp_name);
        return -1;
    }
    const char *data = PyBytes_AS_STRING(value);
    size_t size = (size_t)PyBytes_GET_SIZE(value);
    return PyMvn_Buffer_Check(field == 0 ? mvn_buffer_append(out, data, size)
                                         : mvn_buffer_append_bytes_field(out, field, data, size));
}

/* FORM_PAIRS and FORM_MESSAGES. */
static int append_repeated(PyMvn_State *state, mvn_buffer *out, member to, PyObject *values,
                           const char *what)
{
    int result = -1;
    PyObject *snapshot = PySequence_Tuple(values); /* nobody else can change this one */
    if (snapshot == NULL) {
        return -1;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(snapshot); i++) {
        PyObject *value = PyTuple_GET_ITEM(snapshot, i); /* borrowed from snapshot */
        int status = to.form == FORM_PAIRS ? append_pair(state, out, to.field, value)
                                           : append_serialized(out, to.field, value, what);
        if (status < 0) {
            goto done;
        }
    }
    result = 0;
done:
    Py_DECREF(snapshot);
    return result;
}

/* Appends one argument. `what` is its name. */
static int append_member(PyMvn_State *state, mvn_buffer *out, member to, PyObject *value,
                         const char *what)
{
    if (value == NULL || value == Py_None) {
        return 0;
    }
    switch (to.form) {
    case FORM_TEXT:
        return PyMvn_Buffer_OptionalText(state, out, to.field, value, what);
    case FORM_PRESENT_TEXT:
        return PyMvn_Buffer_Text(state, out, to.field, value, what);
    case FORM_TEXTS:
        return PyMvn_Buffer_Texts(state, out, to.field, value, what);
    case FORM_TIMESTAMP:
        return PyMvn_Buffer_Integer(out, to.field, value, 0, UINT64_MAX, what);
    case FORM_ENUM:
        if (PyUnicode_Check(value)) { /* protobuf's words: the names it has were looked up before */
            PyErr_Format(PyExc_ValueError, "unknown enum label \"%U\"", value);
            return -1;
        }
        return PyMvn_Buffer_Integer(out, to.field, value, INT32_MIN, INT32_MAX, what);
    case FORM_FLAG:
        return append_flag(out, to.field, value);
    case FORM_TEMPLATES:
        return PyMvn_Templates_Append(state, out, to.field, value);
    case FORM_PAIRS:
    case FORM_MESSAGES:
        return append_repeated(state, out, to, value, what);
    case FORM_FIELDS:
        return append_serialized(out, 0, value, what);
    default:
        return 0;
    }
}

/* Reads the arguments into `values` and appends those that have a form, in order. 0 or -1. */
static int append_arguments(PyMvn_State *state, mvn_buffer *out, const char *function,
                            const PyMvn_Parameter *parameters, const member *members, size_t count,
                            PyObject *const *args, Py_ssize_t n_args, PyObject *names,
                            PyObject **values)
{
    if (PyMvn_Arguments_Read(function, parameters, count, 0, args, n_args, names, values) < 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        if (append_member(state, out, members[i], values[i], parameters[i].name) < 0) {
            return -1;
        }
    }
    return 0;
}

static int illegal_ids(PyObject *ids)
{
    PyMvn_RaiseMilvus("ParamError", "`ids` value %R is illegal", ids);
    return -1;
}

/* Appends the varint of an int id, which may be a NumPy integer. */
static int append_int_id(mvn_buffer *out, PyObject *ids, PyObject *id)
{
    int result = -1, overflow = 0;
    PyObject *number = NULL;
    if (PyBool_Check(id) || PyMvn_IsNumpyBool(id) || !PyIndex_Check(id)) {
        return illegal_ids(ids);
    }
    number = PyNumber_Index(id);
    if (number == NULL) {
        goto done;
    }
    long long value = PyLong_AsLongLongAndOverflow(number, &overflow);
    if (overflow != 0) {
        illegal_ids(ids);
    } else if (value != -1 || !PyErr_Occurred()) {
        result = PyMvn_Buffer_Check(mvn_buffer_append_varint(out, (uint64_t)value));
    }
done:
    Py_XDECREF(number);
    return result;
}

static int append_str_id(PyMvn_State *state, mvn_buffer *out, PyObject *ids, PyObject *id)
{
    if (!PyUnicode_Check(id) || PyUnicode_GetLength(id) == 0 ||
        PyUnicode_GetLength(id) > MAX_ID_LENGTH) {
        return illegal_ids(ids);
    }
    return PyMvn_Buffer_Text(state, out, IDS_DATA, id, "ids");
}

/* An IDs message from a list of ints or of str; its length is nq. */
static int append_ids(PyMvn_State *state, mvn_buffer *out, PyObject *ids, Py_ssize_t *nq)
{
    int result = -1;
    size_t message = 0, array = 0, packed = 0;
    PyObject *snapshot = NULL;
    if (!PyList_Check(ids)) {
        return illegal_ids(ids);
    }
    snapshot = PyList_AsTuple(ids); /* an id's __index__ may change the list */
    if (snapshot == NULL) {
        goto done;
    }
    *nq = PyTuple_GET_SIZE(snapshot);
    if (*nq == 0) {
        illegal_ids(ids);
        goto done;
    }
    PyObject *first = PyTuple_GET_ITEM(snapshot, 0); /* borrowed from snapshot */
    bool text = PyUnicode_Check(first);
    if (!text && !PyIndex_Check(first)) {
        PyMvn_RaiseMilvus("ParamError", "Unsupported id type: %R", Py_TYPE(first));
        goto done;
    }
    if (PyMvn_Buffer_Check(mvn_buffer_begin(out, SEARCH_IDS, &message)) < 0 ||
        PyMvn_Buffer_Check(mvn_buffer_begin(out, text ? IDS_STR : IDS_INT, &array)) < 0 ||
        (!text && PyMvn_Buffer_Check(mvn_buffer_begin(out, IDS_DATA, &packed)) < 0)) {
        goto done;
    }
    for (Py_ssize_t i = 0; i < *nq; i++) {
        PyObject *id = PyTuple_GET_ITEM(snapshot, i); /* borrowed from snapshot */
        if ((text ? append_str_id(state, out, ids, id) : append_int_id(out, ids, id)) < 0) {
            goto done;
        }
    }
    if ((!text && PyMvn_Buffer_Check(mvn_buffer_end(out, packed)) < 0) ||
        PyMvn_Buffer_Check(mvn_buffer_end(out, array)) < 0) {
        goto done;
    }
    result = PyMvn_Buffer_Check(mvn_buffer_end(out, message));
done:
    Py_XDECREF(snapshot);
    return result;
}

/* The query vectors as a PlaceholderGroup; their number is nq. */
static int append_placeholders(PyMvn_State *state, mvn_buffer *out, PyObject *data,
                               PyObject *bytes_type, PyObject *embedding_list, Py_ssize_t *nq)
{
    size_t mark = 0;
    long type = bytes_type == NULL ? 0 : PyLong_AsLong(bytes_type);
    if (type == -1 && PyErr_Occurred()) {
        return -1;
    }
    int nested = embedding_list == NULL ? 0 : PyObject_IsTrue(embedding_list);
    if (nested < 0 || PyMvn_Buffer_Check(mvn_buffer_begin(out, SEARCH_PLACEHOLDERS, &mark)) < 0 ||
        PyMvn_Placeholders_Append(state, out, data, (int)type, nested, nq) < 0) {
        return -1;
    }
    return PyMvn_Buffer_Check(mvn_buffer_end(out, mark));
}

static PyObject *encode_search(PyObject *module, PyObject *const *args, Py_ssize_t n_args,
                               PyObject *names)
{
    enum { DATA = 3, IDS = 4, BYTES_TYPE = 5, EMBEDDING_LIST = 6, COUNT = 15 };
    static const PyMvn_Parameter parameters[COUNT] = {
        {"collection_name", true},
        {"partition_names", false},
        {"dsl", false},
        {"data", false},
        {"ids", false},
        {"bytes_type", false},
        {"embedding_list", false},
        {"output_fields", false},
        {"params", true},
        {"guarantee_timestamp", false},
        {"consistency_level", false},
        {"use_default_consistency", false},
        {"templates", false},
        {"namespace", false},
        {"extra", false},
    };
    static const member members[COUNT] = {
        {3, FORM_TEXT},   {4, FORM_TEXTS},          {5, FORM_TEXT},  {0, FORM_NONE},
        {0, FORM_NONE},   {0, FORM_NONE},           {0, FORM_NONE},  {8, FORM_TEXTS},
        {9, FORM_PAIRS},  {11, FORM_TIMESTAMP},     {14, FORM_ENUM}, {15, FORM_FLAG},
        {18, FORM_TEMPLATES}, {20, FORM_PRESENT_TEXT}, {0, FORM_FIELDS},
    };
    PyMvn_State *state = PyMvn_StateOfModule(module);
    PyObject *result = NULL, *values[COUNT];
    Py_ssize_t nq = 0;
    mvn_buffer out;
    mvn_buffer_init(&out);
    if (append_arguments(state, &out, "encode_search", parameters, members, COUNT, args, n_args,
                         names, values) < 0) {
        goto done;
    }
    if (values[DATA] != NULL && values[DATA] != Py_None) {
        if (append_placeholders(state, &out, values[DATA], values[BYTES_TYPE],
                                values[EMBEDDING_LIST], &nq) < 0) {
            goto done;
        }
    } else if (values[IDS] != NULL && values[IDS] != Py_None) {
        if (append_ids(state, &out, values[IDS], &nq) < 0) {
            goto done;
        }
    } else {
        PyErr_SetString(PyExc_ValueError, "Either data or ids must be provided");
        goto done;
    }
    if (PyMvn_Buffer_Check(
            mvn_buffer_append_varint_field(&out, SEARCH_DSL_TYPE, DSL_TYPE_BOOL_EXPR_V1)) < 0 ||
        PyMvn_Buffer_Check(mvn_buffer_append_varint_field(&out, SEARCH_NQ, (uint64_t)nq)) < 0) {
        goto done;
    }
    result = PyMvn_Buffer_ToBytes(&out);
done:
    mvn_buffer_reset(&out);
    return result;
}

/* The messages that are nothing but their arguments. `values` has room for `count`. */
static PyObject *encode(PyObject *module, const char *function, const PyMvn_Parameter *parameters,
                        const member *members, size_t count, PyObject *const *args,
                        Py_ssize_t n_args, PyObject *names, PyObject **values)
{
    PyObject *result = NULL;
    mvn_buffer out;
    mvn_buffer_init(&out);
    if (append_arguments(PyMvn_StateOfModule(module), &out, function, parameters, members, count,
                         args, n_args, names, values) == 0) {
        result = PyMvn_Buffer_ToBytes(&out);
    }
    mvn_buffer_reset(&out);
    return result;
}

static PyObject *encode_hybrid_search(PyObject *module, PyObject *const *args, Py_ssize_t n_args,
                                      PyObject *names)
{
    enum { COUNT = 10 };
    static const PyMvn_Parameter parameters[COUNT] = {
        {"collection_name", true},
        {"requests", true},
        {"params", true},
        {"partition_names", false},
        {"output_fields", false},
        {"guarantee_timestamp", false},
        {"consistency_level", false},
        {"use_default_consistency", false},
        {"namespace", false},
        {"extra", false},
    };
    static const member members[COUNT] = {
        {3, FORM_TEXT},   {5, FORM_MESSAGES}, {6, FORM_PAIRS}, {4, FORM_TEXTS},
        {10, FORM_TEXTS}, {8, FORM_TIMESTAMP}, {11, FORM_ENUM}, {12, FORM_FLAG},
        {14, FORM_PRESENT_TEXT}, {0, FORM_FIELDS},
    };
    PyObject *values[COUNT];
    return encode(module, "encode_hybrid_search", parameters, members, COUNT, args, n_args, names,
                  values);
}

static PyObject *encode_query(PyObject *module, PyObject *const *args, Py_ssize_t n_args,
                              PyObject *names)
{
    enum { COUNT = 10 };
    static const PyMvn_Parameter parameters[COUNT] = {
        {"collection_name", true},
        {"expr", true},
        {"output_fields", true},
        {"partition_names", false},
        {"params", true},
        {"guarantee_timestamp", false},
        {"consistency_level", false},
        {"use_default_consistency", false},
        {"templates", false},
        {"namespace", false},
    };
    static const member members[COUNT] = {
        {3, FORM_TEXT},  {4, FORM_TEXT},      {5, FORM_TEXTS}, {6, FORM_TEXTS},
        {9, FORM_PAIRS}, {8, FORM_TIMESTAMP}, {11, FORM_ENUM}, {12, FORM_FLAG},
        {13, FORM_TEMPLATES}, {14, FORM_PRESENT_TEXT},
    };
    PyObject *values[COUNT];
    return encode(module, "encode_query", parameters, members, COUNT, args, n_args, names,
                  values);
}

static PyObject *encode_delete(PyObject *module, PyObject *const *args, Py_ssize_t n_args,
                               PyObject *names)
{
    enum { COUNT = 6 };
    static const PyMvn_Parameter parameters[COUNT] = {
        {"collection_name", true},
        {"expr", true},
        {"partition_name", false},
        {"consistency_level", false},
        {"templates", false},
        {"namespace", false},
    };
    static const member members[COUNT] = {
        {3, FORM_TEXT}, {5, FORM_TEXT},      {4, FORM_TEXT},
        {7, FORM_ENUM}, {8, FORM_TEMPLATES}, {9, FORM_PRESENT_TEXT},
    };
    PyObject *values[COUNT];
    return encode(module, "encode_delete", parameters, members, COUNT, args, n_args, names,
                  values);
}

#define FUNCTION(name, doc)                                                                       \
    {                                                                                             \
        #name, (PyCFunction)(void (*)(void))name, METH_FASTCALL | METH_KEYWORDS, doc              \
    }

static PyMethodDef functions[] = {
    FUNCTION(encode_search, "A SearchRequest as bytes."),
    FUNCTION(encode_hybrid_search, "A HybridSearchRequest as bytes."),
    FUNCTION(encode_query, "A QueryRequest as bytes."),
    FUNCTION(encode_delete, "A DeleteRequest as bytes."),
    {NULL, NULL, 0, NULL},
};

int PyMvn_Requests_Init(PyObject *module, PyMvn_State *state)
{
    (void)state;
    return PyModule_AddFunctions(module, functions);
}
