/* The system's monotonic clock, which csrc/core and csrc/rpc are only told of. */
#ifndef MVN_PY_CLOCK_H
#define MVN_PY_CLOCK_H

#include <stdint.h>

/* Nanoseconds since some point in the past. Thread-safe; needs no GIL. */
int64_t PyMvn_Now(void);

#endif
