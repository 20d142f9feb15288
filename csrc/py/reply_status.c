#include "reply_status.h"

#include <string.h>

#include "errors.h"

static PyObject *text(const char *bytes)
{
    return PyUnicode_DecodeUTF8(bytes, (Py_ssize_t)strlen(bytes), "replace");
}

static PyObject *entries(Mvn__StringEntry **items, size_t n)
{
    PyObject *dict = PyDict_New();
    for (size_t i = 0; dict != NULL && i < n; i++) {
        PyObject *key = text(items[i]->key);
        PyObject *value = key == NULL ? NULL : text(items[i]->value);
        if (value == NULL || PyDict_SetItem(dict, key, value) < 0) {
            Py_CLEAR(dict);
        }
        Py_XDECREF(key);
        Py_XDECREF(value);
    }
    return dict;
}

int PyMvn_ReplyStatus_Check(PyMvn_State *state, const Mvn__Status *status)
{
    PyObject *reason = NULL, *extra = NULL;

    if (status == NULL || (status->code == 0 && status->error_code == 0)) {
        return 0;
    }
    reason = text(status->reason);
    if (reason == NULL) {
        goto done;
    }
    extra = entries(status->extra_info, status->n_extra_info);
    if (extra == NULL) {
        goto done;
    }
    PyMvn_RaiseServerStatus(state, status->code, status->error_code, reason, status->retriable,
                            extra);
done:
    Py_XDECREF(reason);
    Py_XDECREF(extra);
    return -1;
}
