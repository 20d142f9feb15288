#include "reply_status.h"

#include "control.h"
#include "errors.h"

static PyObject *entries(Mvn__StringEntry **items, size_t n)
{
    PyObject *dict = PyDict_New();
    for (size_t i = 0; dict != NULL && i < n; i++) {
        if (PyMvn_Control_AddText(dict, items[i]->key, items[i]->value) < 0) {
            Py_CLEAR(dict);
        }
    }
    return dict;
}

int PyMvn_ReplyStatus_Check(PyMvn_State *state, const Mvn__Status *status)
{
    PyObject *reason = NULL, *extra = NULL;

    if (status == NULL || (status->code == 0 && status->error_code == 0)) {
        return 0;
    }
    reason = PyMvn_Control_Text(status->reason);
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
