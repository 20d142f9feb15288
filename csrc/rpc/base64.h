/* Base64 (RFC 4648, section 4) for binary metadata. Pure functions, thread-safe. */
#ifndef MVN_RPC_BASE64_H
#define MVN_RPC_BASE64_H

#include <stddef.h>
#include <stdint.h>

#include "../core/status.h"

/* Characters that `size` bytes take, without padding. Precondition: size < SIZE_MAX / 4 * 3. */
static inline size_t mvn_base64_encoded_size(size_t size)
{
    return size / 3 * 4 + (size % 3 == 0 ? 0 : size % 3 + 1);
}

/* Writes mvn_base64_encoded_size(size) characters to `out`, without padding and without NUL. */
void mvn_base64_encode(const uint8_t *data, size_t size, uint8_t *out);

/* Decodes padded or unpadded text to `out`, which has room for size / 4 * 3 + 2 bytes and may be
 * `text` itself. MVN_EFORMAT leaves `out` undefined. */
MVN_MUST_CHECK mvn_status mvn_base64_decode(const uint8_t *text, size_t size, uint8_t *out,
                                            size_t *out_size);

#endif
