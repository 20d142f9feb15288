/* A C string as the span that csrc/core and csrc/rpc take. */
#ifndef MVN_TESTS_TEXT_H
#define MVN_TESTS_TEXT_H

#include <stdint.h>
#include <string.h>

#include "../core/wire.h"

static inline mvn_span text(const char *from)
{
    return (mvn_span){(const uint8_t *)from, strlen(from)};
}

#endif
