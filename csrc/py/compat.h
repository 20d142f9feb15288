/* What CPython 3.10 to 3.14, and versions of NumPy, do differently, in one place. */
#ifndef MVN_PY_COMPAT_H
#define MVN_PY_COMPAT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <string.h>

/* A lock on an object in free-threaded builds, nothing under the GIL. The pair opens and closes a
 * C block: no return, break or goto may leave it. */
#if PY_VERSION_HEX >= 0x030D0000
#define MVN_BEGIN_CRITICAL_SECTION(object) Py_BEGIN_CRITICAL_SECTION(object)
#define MVN_END_CRITICAL_SECTION() Py_END_CRITICAL_SECTION()
#else
#define MVN_BEGIN_CRITICAL_SECTION(object) {
#define MVN_END_CRITICAL_SECTION() }
#endif

/* dict[key] as a new reference: 1 found, 0 not found (*value is NULL, no exception), -1. */
static inline int PyMvn_Dict_Get(PyObject *dict, PyObject *key, PyObject **value)
{
#if PY_VERSION_HEX >= 0x030D0000
    return PyDict_GetItemRef(dict, key, value);
#else
    *value = Py_XNewRef(PyDict_GetItemWithError(dict, key));
    return *value != NULL ? 1 : PyErr_Occurred() != NULL ? -1 : 0;
#endif
}

/* The items of an iterable as a list or tuple, for PySequence_Fast_GET_ITEM. Under the GIL a list
 * or tuple is returned as it is; without it another thread might change the list, so it is copied.
 * New reference, or NULL with TypeError. */
static inline PyObject *PyMvn_Sequence(PyObject *iterable, const char *complaint)
{
#ifdef Py_GIL_DISABLED
    (void)complaint;
    return PySequence_Tuple(iterable);
#else
    return PySequence_Fast(iterable, complaint);
#endif
}

/* Whether a buffer that was asked for with PyBUF_STRIDES has what it needs. NumPy's datetime64
 * scalar says one dimension and leaves the strides out. */
static inline int PyMvn_Buffer_IsStrided(const Py_buffer *view)
{
    return view->ndim == 0 || (view->shape != NULL && view->strides != NULL);
}

/* NumPy before 2.3 lets its bool pass for an index. */
static inline bool PyMvn_IsNumpyBool(PyObject *object)
{
    const char *name = Py_TYPE(object)->tp_name;
    return strcmp(name, "numpy.bool") == 0 || strcmp(name, "numpy.bool_") == 0;
}

#endif
