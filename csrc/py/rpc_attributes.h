/* What an RpcConnection tells of itself: its attributes, all read-only.
 *
 * Those that look into the engine are for the one thread that may be in a method; bytes_sent and
 * bytes_received are copies that any thread may read. */
#ifndef MVN_PY_RPC_ATTRIBUTES_H
#define MVN_PY_RPC_ATTRIBUTES_H

#include "state.h"

/* For the type's Py_tp_getset. Never written to. */
extern PyGetSetDef PyMvn_RpcConnection_Attributes[];

#endif
