#include "base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void mvn_base64_encode(const uint8_t *data, size_t size, uint8_t *out)
{
    size_t i = 0;
    for (; size - i >= 3; i += 3) {
        uint32_t bits = (uint32_t)data[i] << 16 | (uint32_t)data[i + 1] << 8 | data[i + 2];
        *out++ = (uint8_t)alphabet[bits >> 18];
        *out++ = (uint8_t)alphabet[bits >> 12 & 63];
        *out++ = (uint8_t)alphabet[bits >> 6 & 63];
        *out++ = (uint8_t)alphabet[bits & 63];
    }
    if (size - i == 0) {
        return;
    }
    uint32_t bits = (uint32_t)data[i] << 16 | (size - i == 2 ? (uint32_t)data[i + 1] << 8 : 0);
    *out++ = (uint8_t)alphabet[bits >> 18];
    *out++ = (uint8_t)alphabet[bits >> 12 & 63];
    if (size - i == 2) {
        *out++ = (uint8_t)alphabet[bits >> 6 & 63];
    }
}

static int digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

mvn_status mvn_base64_decode(const uint8_t *text, size_t size, uint8_t *out, size_t *out_size)
{
    uint32_t bits = 0;
    unsigned have = 0; /* bits waiting in `bits` */
    size_t written = 0;

    if (size % 4 == 0 && size != 0 && text[size - 1] == '=') {
        size -= text[size - 2] == '=' ? 2 : 1;
    }
    if (size % 4 == 1) {
        return MVN_EFORMAT;
    }
    for (size_t i = 0; i < size; i++) {
        int value = digit(text[i]);
        if (value < 0) {
            return MVN_EFORMAT;
        }
        bits = bits << 6 | (uint32_t)value;
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[written++] = (uint8_t)(bits >> have);
        }
    }
    *out_size = written;
    return MVN_OK;
}
