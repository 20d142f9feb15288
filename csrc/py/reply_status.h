/* The Status of a control reply, as an exception. */
#ifndef MVN_PY_REPLY_STATUS_H
#define MVN_PY_REPLY_STATUS_H

#include "state.h"
#include "../proto/control.pb-c.h"

/* 0 when `status` means success (NULL does: proto3 leaves an all-default message out), otherwise
 * -1 with _core.StatusError set. Bytes of the reason that are not UTF-8 are replaced. */
int PyMvn_ReplyStatus_Check(PyMvn_State *state, const Mvn__Status *status);

#endif
