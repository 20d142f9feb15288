/* What CPython 3.10 to 3.14 spell differently, in one place. */
#ifndef MVN_PY_COMPAT_H
#define MVN_PY_COMPAT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* A lock on an object in free-threaded builds, nothing under the GIL. The pair opens and closes a
 * C block: no return, break or goto may leave it. */
#if PY_VERSION_HEX >= 0x030D0000
#define MVN_BEGIN_CRITICAL_SECTION(object) Py_BEGIN_CRITICAL_SECTION(object)
#define MVN_END_CRITICAL_SECTION() Py_END_CRITICAL_SECTION()
#else
#define MVN_BEGIN_CRITICAL_SECTION(object) {
#define MVN_END_CRITICAL_SECTION() }
#endif

#endif
