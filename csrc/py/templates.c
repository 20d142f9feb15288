#include "templates.h"

#include "buffers.h"
#include "errors.h"
#include "json.h"
#include "../core/wire_writer.h"

/* Field numbers of a map's entry, of TemplateValue, and of TemplateArrayValue. */
enum { ENTRY_KEY = 1, ENTRY_VALUE = 2 };
enum {
    VALUE_BOOL = 1,
    VALUE_INT = 2,
    VALUE_FLOAT = 3,
    VALUE_STRING = 4,
    VALUE_ARRAY = 5,
    VALUE_BYTES = 6
};
enum {
    ARRAY_BOOL = 1,
    ARRAY_INT = 2,
    ARRAY_FLOAT = 3,
    ARRAY_STRING = 4,
    ARRAY_ARRAY = 5,
    ARRAY_JSON = 6
};
#define ELEMENTS 1 /* in each of the array messages */

typedef enum { KIND_OTHER, KIND_BOOL, KIND_INT, KIND_FLOAT, KIND_STR, KIND_BYTES, KIND_LIST } kind;

typedef struct {
    PyMvn_State *state;
    mvn_buffer *out;
    PyObject *name;          /* borrowed: the template in hand, for messages */
    PyObject *numpy_generic; /* strong; NULL until looked up, and when NumPy is not loaded */
    PyObject *numpy_array;   /* likewise */
    bool looked_up;
} encoder;

static int append_array(encoder *e, uint32_t field, PyObject *list);

static kind kind_of(PyObject *value)
{
    if (PyUnicode_Check(value)) {
        return KIND_STR;
    }
    if (PyBool_Check(value)) {
        return KIND_BOOL;
    }
    if (PyLong_Check(value)) {
        return KIND_INT;
    }
    if (PyFloat_Check(value)) {
        return KIND_FLOAT;
    }
    if (PyList_Check(value) || PyTuple_Check(value)) {
        return KIND_LIST;
    }
    return PyBytes_Check(value) ? KIND_BYTES : KIND_OTHER;
}

/* The base classes of NumPy's values, if NumPy is loaded: otherwise no value can be one of them.
 * 0 or -1. */
static int find_numpy(encoder *e)
{
    int result = -1;
    PyObject *name = NULL, *module = NULL;
    e->looked_up = true;
    name = PyUnicode_FromString("numpy");
    if (name == NULL) {
        goto done;
    }
    module = PyImport_GetModule(name);
    if (module == NULL) {
        result = PyErr_Occurred() ? -1 : 0;
        goto done;
    }
    e->numpy_generic = PyObject_GetAttrString(module, "generic");
    if (e->numpy_generic == NULL) {
        goto done;
    }
    e->numpy_array = PyObject_GetAttrString(module, "ndarray");
    result = e->numpy_array == NULL ? -1 : 0;
done:
    Py_XDECREF(name);
    Py_XDECREF(module);
    return result;
}

/* dtype.kind of a NumPy value: one of "biufcmMOSUV". 0 with an exception set on failure. */
static Py_UCS4 numpy_kind(PyObject *value)
{
    Py_UCS4 result = 0;
    PyObject *dtype = NULL, *text = NULL;
    dtype = PyObject_GetAttrString(value, "dtype");
    text = dtype == NULL ? NULL : PyObject_GetAttrString(dtype, "kind");
    if (text != NULL && PyUnicode_Check(text) && PyUnicode_GetLength(text) == 1) {
        result = PyUnicode_ReadChar(text, 0);
    } else if (!PyErr_Occurred()) {
        PyErr_SetString(PyExc_TypeError, "dtype.kind is not a letter");
    }
    Py_XDECREF(dtype);
    Py_XDECREF(text);
    return result;
}

/* What a NumPy scalar or array stands for as a Python value; any other value itself. Times and
 * records are left as they are: their numbers would mean something else. New reference or NULL. */
static PyObject *plain(encoder *e, PyObject *value)
{
    if (kind_of(value) != KIND_OTHER || PyDict_Check(value) || value == Py_None) {
        return Py_NewRef(value);
    }
    if (!e->looked_up && find_numpy(e) < 0) {
        return NULL;
    }
    if (e->numpy_generic == NULL) {
        return Py_NewRef(value);
    }
    int scalar = PyObject_IsInstance(value, e->numpy_generic);
    int array = scalar == 0 ? PyObject_IsInstance(value, e->numpy_array) : 0;
    if (scalar < 0 || array < 0) {
        return NULL;
    }
    if (!scalar && !array) {
        return Py_NewRef(value);
    }
    Py_UCS4 letter = numpy_kind(value);
    if (letter == 0) {
        return NULL;
    }
    if (letter == 'm' || letter == 'M' || (letter == 'V' && array)) {
        return Py_NewRef(value);
    }
    PyObject *result = PyObject_CallMethod(value, "tolist", NULL);
    if (result != NULL && letter == 'f' && kind_of(result) == KIND_OTHER) {
        /* longdouble is its own Python value. */
        PyObject *number = PyNumber_Float(result);
        Py_DECREF(result);
        result = number;
    }
    if (result != NULL && letter == 'V' && kind_of(result) != KIND_FLOAT) {
        /* bfloat16 and its like are of kind V too, and become floats; the rest are records. */
        Py_DECREF(result);
        result = Py_NewRef(value);
    }
    return result;
}

static int unsupported(encoder *e, PyObject *value)
{
    PyMvn_RaiseMilvus("ParamError", "Unsupported element type: %s, in the value of template %R",
                      Py_TYPE(value)->tp_name, e->name);
    return -1;
}

static int to_int64(PyObject *value, int64_t *result)
{
    int overflow = 0;
    long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow != 0) {
        PyErr_Format(PyExc_ValueError, "Value out of range: %R", value);
        return -1;
    }
    *result = number;
    return number == -1 && PyErr_Occurred() ? -1 : 0;
}

static int append_double(encoder *e, PyObject *value)
{
    double number = PyFloat_AsDouble(value);
    if (number == -1.0 && PyErr_Occurred()) {
        return -1;
    }
    if (PyMvn_Buffer_Check(mvn_buffer_reserve(e->out, sizeof(number))) < 0) {
        return -1;
    }
    uint64_t bits;
    memcpy(&bits, &number, sizeof(bits));
    mvn_writer writer = mvn_writer_over(e->out->data + e->out->size, sizeof(bits));
    mvn_write_u64le(&writer, bits);
    e->out->size += sizeof(bits);
    return 0;
}

/* The body of a TemplateValue: one member, written whatever it holds. */
static int append_value(encoder *e, PyObject *given)
{
    int result = -1;
    int64_t number = 0;
    PyObject *value = plain(e, given);
    if (value == NULL) {
        goto done;
    }
    switch (kind_of(value)) {
    case KIND_BOOL:
        result = PyMvn_Buffer_Check(
            mvn_buffer_append_varint_field(e->out, VALUE_BOOL, value == Py_True));
        break;
    case KIND_INT:
        if (to_int64(value, &number) == 0) {
            result = PyMvn_Buffer_Check(
                mvn_buffer_append_varint_field(e->out, VALUE_INT, (uint64_t)number));
        }
        break;
    case KIND_FLOAT:
        result = PyMvn_Buffer_Check(
            mvn_buffer_append_varint(e->out, mvn_tag(VALUE_FLOAT, MVN_WIRE_FIXED64)));
        if (result == 0) {
            result = append_double(e, value);
        }
        break;
    case KIND_STR:
        result = PyMvn_Buffer_Text(e->state, e->out, VALUE_STRING, value, "a template value");
        break;
    case KIND_BYTES:
        result = PyMvn_Buffer_Check(mvn_buffer_append_bytes_field(
            e->out, VALUE_BYTES, PyBytes_AS_STRING(value), (size_t)PyBytes_GET_SIZE(value)));
        break;
    case KIND_LIST:
        result = append_array(e, VALUE_ARRAY, value);
        break;
    default:
        result = unsupported(e, given);
        break;
    }
done:
    Py_XDECREF(value);
    return result;
}

/* How the elements of an array are sent. */
typedef struct {
    PyObject *items; /* strong: tuple of plain values, nobody else's */
    kind kind;       /* of all elements, when `typed` */
    bool typed;      /* else each element is a JSON document */
} elements;

/* Sorts the elements of a sequence as pymilvus does: an array is typed when every element is an
 * instance of the first one's class, and JSON otherwise; but bool is no int here. 0 or -1. */
static int sort_elements(encoder *e, PyObject *list, elements *result)
{
    int status = -1;
    PyObject *given = PySequence_Tuple(list); /* Python code may run below and change `list` */
    PyObject *items = given == NULL ? NULL : PyTuple_New(PyTuple_GET_SIZE(given));
    if (items == NULL) {
        goto done;
    }
    PyObject *first = NULL; /* borrowed from given */
    bool same_class = true, same_kind = true;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(given); i++) {
        PyObject *item = PyTuple_GET_ITEM(given, i); /* borrowed from given */
        first = i == 0 ? item : first;
        PyObject *value = plain(e, item);
        if (value == NULL) {
            goto done;
        }
        PyTuple_SET_ITEM(items, i, value);
        same_class = same_class && PyObject_TypeCheck(item, Py_TYPE(first));
        result->kind = i == 0 ? kind_of(value) : result->kind;
        same_kind = same_kind && kind_of(value) == result->kind;
    }
    result->typed = same_kind && (same_class || result->kind == KIND_STR);
    if (first != NULL && result->typed &&
        (result->kind == KIND_OTHER || result->kind == KIND_BYTES)) {
        if (!PyDict_Check(first)) {
            unsupported(e, first);
            goto done;
        }
        result->typed = false;
    }
    result->items = Py_NewRef(items);
    status = 0;
done:
    Py_XDECREF(given);
    Py_XDECREF(items);
    return status;
}

static int append_json(encoder *e, PyObject *item)
{
    PyObject *document = PyUnicode_Check(item) ? PyMvn_Json_Dumps(e->state, item)
                                               : PyMvn_Json_Document(e->state, item);
    if (document == NULL) {
        return -1;
    }
    int result = PyMvn_Buffer_Check(mvn_buffer_append_bytes_field(
        e->out, ELEMENTS, PyBytes_AS_STRING(document), (size_t)PyBytes_GET_SIZE(document)));
    Py_DECREF(document);
    return result;
}

static int append_element(encoder *e, const elements *all, PyObject *item)
{
    int64_t number = 0;
    if (!all->typed) {
        return append_json(e, item);
    }
    switch (all->kind) {
    case KIND_BOOL:
        return PyMvn_Buffer_Check(mvn_buffer_append_varint(e->out, item == Py_True));
    case KIND_INT:
        if (to_int64(item, &number) < 0) {
            return -1;
        }
        return PyMvn_Buffer_Check(mvn_buffer_append_varint(e->out, (uint64_t)number));
    case KIND_FLOAT:
        return append_double(e, item);
    case KIND_STR:
        return PyMvn_Buffer_Text(e->state, e->out, ELEMENTS, item, "a template value");
    default:
        return append_array(e, ELEMENTS, item);
    }
}

/* The member of TemplateArrayValue for the elements, and whether its payload is packed. */
static uint32_t member_of(const elements *all, bool *packed)
{
    *packed = false;
    if (!all->typed) {
        return ARRAY_JSON;
    }
    switch (all->kind) {
    case KIND_BOOL:
        *packed = true;
        return ARRAY_BOOL;
    case KIND_INT:
        *packed = true;
        return ARRAY_INT;
    case KIND_FLOAT:
        *packed = true;
        return ARRAY_FLOAT;
    case KIND_STR:
        return ARRAY_STRING;
    default:
        return ARRAY_ARRAY;
    }
}

static int append_elements(encoder *e, const elements *all)
{
    bool packed = false;
    size_t member_mark = 0, packed_mark = 0;
    uint32_t member = member_of(all, &packed);
    if (PyMvn_Buffer_Check(mvn_buffer_begin(e->out, member, &member_mark)) < 0) {
        return -1;
    }
    if (packed && PyMvn_Buffer_Check(mvn_buffer_begin(e->out, ELEMENTS, &packed_mark)) < 0) {
        return -1;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(all->items); i++) {
        if (append_element(e, all, PyTuple_GET_ITEM(all->items, i)) < 0) {
            return -1;
        }
    }
    if (packed && PyMvn_Buffer_Check(mvn_buffer_end(e->out, packed_mark)) < 0) {
        return -1;
    }
    return PyMvn_Buffer_Check(mvn_buffer_end(e->out, member_mark));
}

/* A TemplateArrayValue as field number `field`; an empty list is an empty message. */
static int append_array(encoder *e, uint32_t field, PyObject *list)
{
    int result = -1;
    size_t mark = 0;
    elements all = {NULL, KIND_OTHER, false};
    if (Py_EnterRecursiveCall(" in the list of a template value")) {
        return -1;
    }
    if (PyMvn_Buffer_Check(mvn_buffer_begin(e->out, field, &mark)) < 0) {
        goto done;
    }
    if (sort_elements(e, list, &all) < 0) {
        goto done;
    }
    if (PyTuple_GET_SIZE(all.items) > 0 && append_elements(e, &all) < 0) {
        goto done;
    }
    result = PyMvn_Buffer_Check(mvn_buffer_end(e->out, mark));
done:
    Py_LeaveRecursiveCall();
    Py_XDECREF(all.items);
    return result;
}

int PyMvn_Templates_Append(PyMvn_State *state, mvn_buffer *out, uint32_t field,
                           PyObject *templates)
{
    int result = -1;
    encoder e = {.state = state, .out = out};
    PyObject *items = NULL;
    if (templates == NULL || templates == Py_None) {
        return 0;
    }
    items = PyMapping_Items(templates); /* ours: converting a value may run Python code */
    if (items == NULL) {
        goto done;
    }
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items); i++) {
        PyObject *pair = PyList_GET_ITEM(items, i); /* borrowed from items */
        size_t entry = 0, value = 0;
        if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
            PyErr_SetString(PyExc_TypeError, "filter_params must be a dict");
            goto done;
        }
        e.name = PyTuple_GET_ITEM(pair, 0);
        if (PyMvn_Buffer_Check(mvn_buffer_begin(out, field, &entry)) < 0 ||
            PyMvn_Buffer_Text(state, out, ENTRY_KEY, e.name, "the name of a template") < 0 ||
            PyMvn_Buffer_Check(mvn_buffer_begin(out, ENTRY_VALUE, &value)) < 0 ||
            append_value(&e, PyTuple_GET_ITEM(pair, 1)) < 0 ||
            PyMvn_Buffer_Check(mvn_buffer_end(out, value)) < 0 ||
            PyMvn_Buffer_Check(mvn_buffer_end(out, entry)) < 0) {
            goto done;
        }
    }
    result = 0;
done:
    Py_XDECREF(items);
    Py_XDECREF(e.numpy_generic);
    Py_XDECREF(e.numpy_array);
    return result;
}
