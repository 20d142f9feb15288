/* Control messages of the server's, read by protobuf-c. */
#ifndef MVN_PY_CONTROL_H
#define MVN_PY_CONTROL_H

#include "../proto/control.pb-c.h"
#include "state.h"

/* The message of kind `descriptor` in the bytes object `reply`, to be freed by PyMvn_Control_Free,
 * or NULL with MemoryError, or DecodeError that names the kind as `what`. */
void *PyMvn_Control_Unpack(PyMvn_State *state, const ProtobufCMessageDescriptor *descriptor,
                           PyObject *reply, const char *what);

/* `message` may be NULL. */
void PyMvn_Control_Free(void *message);

#endif
