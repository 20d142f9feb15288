/* Arguments of METH_FASTCALL | METH_KEYWORDS functions, by a table of names.
 *
 * No dict is built and no text copied, which is what makes a call with fifteen keywords cheap. */
#ifndef MVN_PY_ARGUMENTS_H
#define MVN_PY_ARGUMENTS_H

#include <stdbool.h>

#include "state.h"

typedef struct {
    const char *name;
    bool required;
} PyMvn_Parameter;

/* Sorts what a call was given into `values`, one slot for each of the `count` parameters: a
 * borrowed reference (the caller of the function holds it for the length of the call), or NULL
 * for one that was not given. The first `positional` parameters may be given without a name.
 * 0, or -1 with a TypeError that names `function` and the parameter that is unknown, missing or
 * given twice. */
int PyMvn_Arguments_Read(const char *function, const PyMvn_Parameter *parameters, size_t count,
                         size_t positional, PyObject *const *args, Py_ssize_t n_args,
                         PyObject *names, PyObject **values);

#endif
