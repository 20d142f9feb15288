/* The Connect handshake: who the client is, and what the server answers. */
#ifndef MVN_PY_CONNECT_H
#define MVN_PY_CONNECT_H

#include "state.h"

/* Adds connect_request and parse_connect to the module. 0 or -1. */
int PyMvn_Connect_Init(PyObject *module, PyMvn_State *state);

#endif
