#include "utf8.h"

static size_t size_latin1(const uint8_t *points, size_t count)
{
    size_t size = count;
    for (size_t i = 0; i < count; i++) {
        size += points[i] >> 7;
    }
    return size;
}

static mvn_status size_ucs2(const uint16_t *points, size_t count, size_t *size)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        uint16_t point = points[i];
        if ((point & 0xf800) == 0xd800) {
            *size = i;
            return MVN_EFORMAT;
        }
        total += 1 + (size_t)(point >= 0x80) + (size_t)(point >= 0x800);
    }
    *size = total;
    return MVN_OK;
}

static mvn_status size_ucs4(const uint32_t *points, size_t count, size_t *size)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t point = points[i];
        if ((point >= 0xd800 && point < 0xe000) || point > 0x10ffff) {
            *size = i;
            return MVN_EFORMAT;
        }
        total += 1 + (size_t)(point >= 0x80) + (size_t)(point >= 0x800) +
                 (size_t)(point >= 0x10000);
    }
    *size = total;
    return MVN_OK;
}

mvn_status mvn_utf8_size(const void *points, int width, size_t count, size_t *size)
{
    switch (width) {
    case 1:
        *size = size_latin1(points, count);
        return MVN_OK;
    case 2:
        return size_ucs2(points, count, size);
    default:
        return size_ucs4(points, count, size);
    }
}

static inline uint8_t *put(uint8_t *out, uint32_t point)
{
    if (point < 0x80) {
        *out++ = (uint8_t)point;
    } else if (point < 0x800) {
        *out++ = (uint8_t)(0xc0 | point >> 6);
        *out++ = (uint8_t)(0x80 | (point & 0x3f));
    } else if (point < 0x10000) {
        *out++ = (uint8_t)(0xe0 | point >> 12);
        *out++ = (uint8_t)(0x80 | (point >> 6 & 0x3f));
        *out++ = (uint8_t)(0x80 | (point & 0x3f));
    } else {
        *out++ = (uint8_t)(0xf0 | point >> 18);
        *out++ = (uint8_t)(0x80 | (point >> 12 & 0x3f));
        *out++ = (uint8_t)(0x80 | (point >> 6 & 0x3f));
        *out++ = (uint8_t)(0x80 | (point & 0x3f));
    }
    return out;
}

uint8_t *mvn_utf8_encode(const void *points, int width, size_t count, uint8_t *out)
{
    if (width == 1) {
        const uint8_t *latin1 = points;
        for (size_t i = 0; i < count; i++) {
            out = put(out, latin1[i]);
        }
    } else if (width == 2) {
        const uint16_t *ucs2 = points;
        for (size_t i = 0; i < count; i++) {
            out = put(out, ucs2[i]);
        }
    } else {
        const uint32_t *ucs4 = points;
        for (size_t i = 0; i < count; i++) {
            out = put(out, ucs4[i]);
        }
    }
    return out;
}
