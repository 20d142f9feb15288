#include "literal.h"

#include <stdbool.h>

mvn_status mvn_literal_append_int(mvn_buffer *buffer, int64_t value)
{
    char digits[20]; /* -9223372036854775808 */
    size_t at = sizeof(digits);
    uint64_t left = value < 0 ? 0u - (uint64_t)value : (uint64_t)value;
    do {
        digits[--at] = (char)('0' + left % 10);
        left /= 10;
    } while (left != 0);
    if (value < 0) {
        digits[--at] = '-';
    }
    return mvn_buffer_append(buffer, digits + at, sizeof(digits) - at);
}

/* If an ideograph outside the basic plane begins at `p` (4 bytes of UTF-8, all there), its code
 * point, else 0. Planes 2 and 3 are ideographs throughout; plane 1 has a few at 16FE0-16FFF. */
static uint32_t supplementary_ideograph(const uint8_t *p)
{
    if (p[0] != 0xf0) {
        return 0;
    }
    uint32_t code = (uint32_t)(p[1] & 0x3f) << 12 | (uint32_t)(p[2] & 0x3f) << 6 | (p[3] & 0x3f);
    bool han = (code >= 0x20000 && code <= 0x3ffff) || (code >= 0x16fe0 && code <= 0x16fff);
    return han ? code : 0;
}

typedef struct {
    bool single; /* contains ' */
    bool twofold; /* contains " */
    bool escape; /* contains what only an escape can express */
} needs;

static needs scan(const uint8_t *text, size_t size)
{
    needs found = {false, false, false};
    for (size_t i = 0; i < size; i++) {
        switch (text[i]) {
        case '\'':
            found.single = true;
            break;
        case '"':
            found.twofold = true;
            break;
        case '\\':
        case '\n':
        case '\r':
            found.escape = true;
            break;
        case 0xf0:
            found.escape = found.escape || supplementary_ideograph(text + i) != 0;
            break;
        default:
            break;
        }
    }
    return found;
}

static mvn_status append_plain(mvn_buffer *buffer, const uint8_t *text, size_t size, char quote)
{
    mvn_status status = mvn_buffer_reserve(buffer, size + 2);
    if (status == MVN_OK) {
        status = mvn_buffer_append(buffer, &quote, 1);
    }
    if (status == MVN_OK) {
        status = mvn_buffer_append(buffer, text, size);
    }
    if (status == MVN_OK) {
        status = mvn_buffer_append(buffer, &quote, 1);
    }
    return status;
}

static mvn_status append_escaped(mvn_buffer *buffer, const uint8_t *text, size_t size)
{
    static const char hex[] = "0123456789abcdef";
    mvn_status status = mvn_buffer_append(buffer, "\"", 1);
    for (size_t i = 0; status == MVN_OK && i < size;) {
        char escape[10] = {'\\'}; /* \U and eight digits */
        size_t taken = 1, length = 2;
        uint32_t code = 0;
        switch (text[i]) {
        case '"':
        case '\\':
            escape[1] = (char)text[i];
            break;
        case '\n':
            escape[1] = 'n';
            break;
        case '\r':
            escape[1] = 'r';
            break;
        case 0xf0:
            code = supplementary_ideograph(text + i);
            /* fall through */
        default:
            if (code != 0) {
                escape[1] = 'U';
                for (unsigned digit = 0; digit < 8; digit++) {
                    escape[2 + digit] = hex[code >> (28 - 4 * digit) & 0xf];
                }
                length = 10;
                taken = 4;
            } else {
                escape[0] = (char)text[i];
                length = 1;
            }
            break;
        }
        status = mvn_buffer_append(buffer, escape, length);
        i += taken;
    }
    return status == MVN_OK ? mvn_buffer_append(buffer, "\"", 1) : status;
}

mvn_status mvn_literal_append_string(mvn_buffer *buffer, const char *text, size_t size)
{
    const uint8_t *bytes = (const uint8_t *)text;
    if (size > MVN_MAX_MESSAGE) {
        return MVN_ETOOBIG;
    }
    needs found = scan(bytes, size);
    size_t before = buffer->size;
    mvn_status status;
    if (found.escape || (found.single && found.twofold)) {
        status = append_escaped(buffer, bytes, size);
    } else {
        status = append_plain(buffer, bytes, size, found.single ? '"' : '\'');
    }
    if (status != MVN_OK) {
        buffer->size = before;
    }
    return status;
}
