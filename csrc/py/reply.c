#include "reply.h"

#include "arguments.h"

int PyMvn_Reply_Arguments(const char *function, PyObject *const *args, Py_ssize_t n_args,
                          PyObject *keyword_names, const char *keyword, Py_buffer *reply,
                          PyObject **option)
{
    const PyMvn_Parameter parameters[] = {{"reply", true}, {keyword, false}};
    PyObject *values[2] = {NULL, NULL}; /* borrowed */
    size_t count = keyword == NULL ? 1 : 2;
    if (PyMvn_Arguments_Read(function, parameters, count, count, args, n_args, keyword_names,
                             values) < 0) {
        return -1;
    }
    if (values[1] != NULL) {
        *option = values[1];
    }
    return PyObject_GetBuffer(values[0], reply, PyBUF_SIMPLE);
}

/* Turns UnicodeDecodeError into DecodeError; passes everything else on. */
static PyObject *not_text(PyMvn_State *state)
{
    if (PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) {
        PyErr_Clear();
        PyErr_SetString(state->decode_error, "a string is not UTF-8");
    }
    return NULL;
}

PyObject *PyMvn_Reply_Text(PyMvn_State *state, mvn_span text)
{
    PyObject *result =
        PyUnicode_DecodeUTF8((const char *)text.data, (Py_ssize_t)text.size, "strict");
    return result == NULL ? not_text(state) : result;
}

PyObject *PyMvn_Reply_Name(PyMvn_State *state, mvn_span text)
{
    PyObject *result = PyMvn_Reply_Text(state, text);
    if (result != NULL) {
        PyUnicode_InternInPlace(&result);
    }
    return result;
}

PyObject *PyMvn_Reply_Malformed(PyMvn_State *state, const char *format, ...)
{
    va_list va;
    va_start(va, format);
    PyErr_FormatV(state->decode_error, format, va);
    va_end(va);
    return NULL;
}

/* The map Status.extra_info as a dict; text that is not UTF-8 is replaced, because a broken map
 * must not hide the server's error. */
static PyObject *extra_info(PyMvn_State *state, const mvn_reply_status *status)
{
    mvn_reader reader = mvn_reader_of(status->extra_info.message);
    PyObject *dict = PyDict_New(), *key = NULL, *value = NULL;
    for (size_t i = 0; dict != NULL && i < status->extra_info.count; i++) {
        mvn_span entry = {NULL, 0}, name = {NULL, 0}, text = {NULL, 0};
        mvn_status read = mvn_items_next(&reader, status->extra_info.number, &entry);
        if (read == MVN_OK) {
            read = mvn_read_map_entry(entry, &name, &text);
        }
        if (read != MVN_OK) {
            PyMvn_RaiseStatus(state, read, NULL, "status");
            goto fail;
        }
        key = PyUnicode_DecodeUTF8((const char *)name.data, (Py_ssize_t)name.size, "replace");
        if (key == NULL) {
            goto fail;
        }
        value = PyUnicode_DecodeUTF8((const char *)text.data, (Py_ssize_t)text.size, "replace");
        if (value == NULL || PyDict_SetItem(dict, key, value) < 0) {
            goto fail;
        }
        Py_CLEAR(key);
        Py_CLEAR(value);
    }
    return dict;
fail:
    Py_XDECREF(key);
    Py_XDECREF(value);
    Py_XDECREF(dict);
    return NULL;
}

int PyMvn_Reply_CheckStatus(PyMvn_State *state, const mvn_reply_status *status)
{
    if (!mvn_reply_failed(status)) {
        return 0;
    }
    PyObject *reason = PyUnicode_DecodeUTF8((const char *)status->reason.data,
                                            (Py_ssize_t)status->reason.size, "replace");
    PyObject *extra = reason == NULL ? NULL : extra_info(state, status);
    PyMvn_RaiseServerStatus(state, status->code, status->error_code, reason, status->retriable,
                            extra);
    return -1;
}

typedef enum { NUMBER_INT, NUMBER_FLOAT } number_kind;

/* A number in the text of extra[key] as a new reference; NULL with no exception set when it is not
 * there or no number, NULL with one set on failure. */
static PyObject *number_at(PyObject *extra, const char *key, number_kind kind)
{
    PyObject *name = PyUnicode_FromString(key), *text, *number = NULL;
    if (name == NULL) {
        return NULL;
    }
    text = PyDict_GetItemWithError(extra, name); /* borrowed; nobody else has the dict */
    if (text != NULL) {
        number = kind == NUMBER_INT ? PyLong_FromUnicodeObject(text, 10)
                                    : PyFloat_FromString(text);
        if (number == NULL && PyErr_ExceptionMatches(PyExc_ValueError)) {
            PyErr_Clear();
        }
    }
    Py_DECREF(name);
    return number;
}

PyObject *PyMvn_Reply_Extra(PyMvn_State *state, const mvn_reply_status *status, bool always_cost)
{
    static const struct {
        const char *source, *target;
        number_kind kind;
    } numbers[] = {
        {"report_value", "cost", NUMBER_INT},
        {"scanned_remote_bytes", "scanned_remote_bytes", NUMBER_INT},
        {"scanned_total_bytes", "scanned_total_bytes", NUMBER_INT},
        {"cache_hit_ratio", "cache_hit_ratio", NUMBER_FLOAT},
    };
    PyObject *result = PyDict_New(), *extra = NULL, *number = NULL;
    if (result == NULL) {
        return NULL;
    }
    if (status->extra_info.count != 0) {
        extra = extra_info(state, status);
        if (extra == NULL) {
            goto fail;
        }
    }
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (extra != NULL) {
            number = number_at(extra, numbers[i].source, numbers[i].kind);
            if (number == NULL && PyErr_Occurred()) {
                goto fail;
            }
        }
        if (number == NULL && i == 0 && always_cost) {
            number = PyLong_FromLong(0);
            if (number == NULL) {
                goto fail;
            }
        }
        if (number != NULL && PyDict_SetItemString(result, numbers[i].target, number) < 0) {
            goto fail;
        }
        Py_CLEAR(number);
    }
    Py_XDECREF(extra);
    return result;
fail:
    Py_XDECREF(number);
    Py_XDECREF(extra);
    Py_DECREF(result);
    return NULL;
}

PyObject *PyMvn_Reply_Cost(PyMvn_State *state, const mvn_reply_status *status)
{
    PyObject *extra, *cost;
    if (status->extra_info.count == 0) {
        return PyLong_FromLong(0);
    }
    extra = extra_info(state, status);
    if (extra == NULL) {
        return NULL;
    }
    cost = number_at(extra, "report_value", NUMBER_INT);
    if (cost == NULL && !PyErr_Occurred()) {
        cost = PyLong_FromLong(0);
    }
    Py_DECREF(extra);
    return cost;
}

PyObject *PyMvn_Reply_Ints(PyMvn_State *state, mvn_reader *numbers, size_t count)
{
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; list != NULL && i < count; i++) {
        uint64_t value = 0;
        mvn_status read = mvn_read_varint(numbers, &value);
        PyObject *item = NULL;
        if (read == MVN_OK) {
            item = PyLong_FromLongLong((long long)value);
        } else {
            PyMvn_RaiseStatus(state, read, NULL, "numbers");
        }
        if (item == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, item);
    }
    return list;
}

PyObject *PyMvn_Reply_Texts(PyMvn_State *state, mvn_reader *message, uint32_t number, size_t count)
{
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; list != NULL && i < count; i++) {
        mvn_span text = {NULL, 0};
        mvn_status read = mvn_items_next(message, number, &text);
        PyObject *item = NULL;
        if (read == MVN_OK) {
            item = PyMvn_Reply_Text(state, text);
        } else {
            PyMvn_RaiseStatus(state, read, NULL, "strings");
        }
        if (item == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, item);
    }
    return list;
}

PyObject *PyMvn_Reply_Floats(const uint8_t *numbers, size_t count)
{
    PyObject *list = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; list != NULL && i < count; i++) {
        PyObject *item = PyFloat_FromDouble((double)mvn_load_f32le(numbers + 4 * i));
        if (item == NULL) {
            Py_CLEAR(list);
            break;
        }
        PyList_SET_ITEM(list, (Py_ssize_t)i, item);
    }
    return list;
}
