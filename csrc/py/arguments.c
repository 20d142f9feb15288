#include "arguments.h"

#include <string.h>

/* Index of the parameter called `name`, or -1 (without an exception) if there is none. The search
 * starts at `hint`: callers name arguments in the order of the table. */
static Py_ssize_t find(const PyMvn_Parameter *parameters, size_t count, size_t hint,
                       const char *name, size_t size)
{
    for (size_t i = 0; i < count; i++) {
        size_t at = hint + i < count ? hint + i : hint + i - count;
        if (strlen(parameters[at].name) == size && memcmp(parameters[at].name, name, size) == 0) {
            return (Py_ssize_t)at;
        }
    }
    return -1;
}

int PyMvn_Arguments_Read(const char *function, const PyMvn_Parameter *parameters, size_t count,
                         size_t positional, PyObject *const *args, Py_ssize_t n_args,
                         PyObject *names, PyObject **values)
{
    size_t given = (size_t)n_args;
    if (given > positional) {
        PyErr_Format(PyExc_TypeError, "%s() takes %zu positional arguments, %zd given", function,
                     positional, n_args);
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        values[i] = i < given ? args[i] : NULL;
    }
    Py_ssize_t n_names = names == NULL ? 0 : PyTuple_GET_SIZE(names);
    size_t hint = given < count ? given : 0;
    for (Py_ssize_t i = 0; i < n_names; i++) {
        PyObject *key = PyTuple_GET_ITEM(names, i); /* borrowed */
        Py_ssize_t size = 0;
        const char *name = PyUnicode_AsUTF8AndSize(key, &size);
        if (name == NULL) {
            return -1;
        }
        Py_ssize_t at = find(parameters, count, hint, name, (size_t)size);
        if (at < 0) {
            PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument %R", function,
                         key);
            return -1;
        }
        if (values[at] != NULL) {
            PyErr_Format(PyExc_TypeError, "%s() got two values for %R", function, key);
            return -1;
        }
        values[at] = args[n_args + i];
        hint = (size_t)at + 1 < count ? (size_t)at + 1 : 0;
    }
    for (size_t i = 0; i < count; i++) {
        if (parameters[i].required && values[i] == NULL) {
            PyErr_Format(PyExc_TypeError, "%s() is missing the argument '%s'", function,
                         parameters[i].name);
            return -1;
        }
    }
    return 0;
}
