/* Control messages of the server's, read by protobuf-c. */
#ifndef MVN_PY_CONTROL_H
#define MVN_PY_CONTROL_H

#include "../proto/control.pb-c.h"
#include "state.h"

/* The message of kind `descriptor` in the bytes object `reply`, to be freed by PyMvn_Control_Free,
 * or NULL with MemoryError, or DecodeError that names the kind as `what`. */
void *PyMvn_Control_Unpack(PyMvn_State *state, const ProtobufCMessageDescriptor *descriptor,
                           PyObject *reply, const char *what);

/* A message as a new bytes object, or NULL with MemoryError. */
PyObject *PyMvn_Control_Pack(const ProtobufCMessage *message);

/* The text of `name`, borrowed from it. NULL with TypeError unless it is a str, ValueError if it
 * holds a NUL. */
const char *PyMvn_Control_Name(PyObject *name);

/* Text of the server's as a str; what is not UTF-8 in it is replaced. New reference or NULL. */
PyObject *PyMvn_Control_Text(const char *text);

/* Puts key: value into a dict, both such text. 0 or -1. */
int PyMvn_Control_AddText(PyObject *dict, const char *key, const char *value);

/* A new dict of such text, or NULL. */
PyObject *PyMvn_Control_Dict(Mvn__StringEntry *const *entries, size_t count);

/* 0 when `status` means success (NULL does: proto3 leaves an all-default message out), otherwise
 * -1 with _core.StatusError set. */
int PyMvn_Control_CheckStatus(PyMvn_State *state, const Mvn__Status *status);

/* `message` may be NULL. */
void PyMvn_Control_Free(void *message);

#endif
