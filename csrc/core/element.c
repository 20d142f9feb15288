#include "element.h"

#include <string.h>

#include "half.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define MVN_BIG_ENDIAN 1
#else
#define MVN_BIG_ENDIAN 0
#endif

size_t mvn_element_size(mvn_element element)
{
    switch (element) {
    case MVN_ELEMENT_OTHER:
        return 0;
    case MVN_ELEMENT_BOOL:
    case MVN_ELEMENT_I8:
    case MVN_ELEMENT_U8:
        return 1;
    case MVN_ELEMENT_I16:
    case MVN_ELEMENT_U16:
    case MVN_ELEMENT_F16:
    case MVN_ELEMENT_BF16:
        return 2;
    case MVN_ELEMENT_I32:
    case MVN_ELEMENT_U32:
    case MVN_ELEMENT_F32:
        return 4;
    case MVN_ELEMENT_I64:
    case MVN_ELEMENT_U64:
    case MVN_ELEMENT_F64:
        return 8;
    }
    return 0;
}

static mvn_element integer_of(size_t itemsize, bool is_signed)
{
    switch (itemsize) {
    case 1:
        return is_signed ? MVN_ELEMENT_I8 : MVN_ELEMENT_U8;
    case 2:
        return is_signed ? MVN_ELEMENT_I16 : MVN_ELEMENT_U16;
    case 4:
        return is_signed ? MVN_ELEMENT_I32 : MVN_ELEMENT_U32;
    case 8:
        return is_signed ? MVN_ELEMENT_I64 : MVN_ELEMENT_U64;
    default:
        return MVN_ELEMENT_OTHER;
    }
}

mvn_element mvn_element_parse(const char *format, size_t itemsize, bool *swapped)
{
    mvn_element element = MVN_ELEMENT_OTHER;

    *swapped = false;
    if (format == NULL) {
        return itemsize == 1 ? MVN_ELEMENT_U8 : MVN_ELEMENT_OTHER;
    }
    switch (format[0]) {
    case '<':
        *swapped = MVN_BIG_ENDIAN != 0;
        format++;
        break;
    case '>':
    case '!':
        *swapped = MVN_BIG_ENDIAN == 0;
        format++;
        break;
    case '@':
    case '=':
        format++;
        break;
    default:
        break;
    }
    if (format[0] == '\0' || format[1] != '\0') {
        return MVN_ELEMENT_OTHER;
    }
    switch (format[0]) {
    case '?':
        element = MVN_ELEMENT_BOOL;
        break;
    case 'b':
    case 'h':
    case 'i':
    case 'l':
    case 'q':
    case 'n':
        element = integer_of(itemsize, true);
        break;
    case 'B':
    case 'c':
    case 'H':
    case 'I':
    case 'L':
    case 'Q':
    case 'N':
        element = integer_of(itemsize, false);
        break;
    case 'e':
        element = MVN_ELEMENT_F16;
        break;
    case 'f':
        element = MVN_ELEMENT_F32;
        break;
    case 'd':
        element = MVN_ELEMENT_F64;
        break;
    default:
        break;
    }
    return mvn_element_size(element) == itemsize ? element : MVN_ELEMENT_OTHER;
}

static inline uint16_t swap16(uint16_t v)
{
    return (uint16_t)(v >> 8 | v << 8);
}

static inline uint32_t swap32(uint32_t v)
{
    return v >> 24 | ((v >> 8) & 0xff00u) | ((v << 8) & 0xff0000u) | v << 24;
}

static inline uint64_t swap64(uint64_t v)
{
    return (uint64_t)swap32((uint32_t)v) << 32 | swap32((uint32_t)(v >> 32));
}

/* load_<element>(address, swapped) */
#define MVN_LOADER(name, type, word, swap)                                                        \
    static inline type load_##name(const uint8_t *p, bool swapped)                                \
    {                                                                                             \
        word bits;                                                                                \
        type value;                                                                               \
        memcpy(&bits, p, sizeof(bits));                                                           \
        if (swapped) {                                                                            \
            bits = swap(bits);                                                                    \
        }                                                                                         \
        memcpy(&value, &bits, sizeof(value));                                                     \
        return value;                                                                             \
    }
#define MVN_SAME(v) (v)
MVN_LOADER(i8, int8_t, uint8_t, MVN_SAME)
MVN_LOADER(u8, uint8_t, uint8_t, MVN_SAME)
MVN_LOADER(i16, int16_t, uint16_t, swap16)
MVN_LOADER(u16, uint16_t, uint16_t, swap16)
MVN_LOADER(i32, int32_t, uint32_t, swap32)
MVN_LOADER(u32, uint32_t, uint32_t, swap32)
MVN_LOADER(i64, int64_t, uint64_t, swap64)
MVN_LOADER(u64, uint64_t, uint64_t, swap64)
MVN_LOADER(f32, float, uint32_t, swap32)
MVN_LOADER(f64, double, uint64_t, swap64)
#undef MVN_SAME
#undef MVN_LOADER

static inline uint8_t load_bool(const uint8_t *p, bool swapped)
{
    (void)swapped;
    return *p != 0;
}

static inline float load_f16(const uint8_t *p, bool swapped)
{
    return mvn_f32_from_f16(load_u16(p, swapped));
}

static inline float load_bf16(const uint8_t *p, bool swapped)
{
    return mvn_f32_from_bf16(load_u16(p, swapped));
}

static inline void store16(uint8_t *out, uint16_t bits)
{
    out[0] = (uint8_t)bits;
    out[1] = (uint8_t)(bits >> 8);
}

static inline void store32(uint8_t *out, uint32_t bits)
{
#if MVN_BIG_ENDIAN
    bits = swap32(bits);
#endif
    memcpy(out, &bits, sizeof(bits));
}

/* True when the elements already lie in memory as they are to be written. */
static bool is_little_endian_run(const mvn_strided *source)
{
    size_t size = mvn_element_size(source->element);
    bool little = size == 1 || source->swapped == (MVN_BIG_ENDIAN != 0);
    return little && source->stride == (ptrdiff_t)size;
}

/* One loop per element type, so that the type is decided once and not per element. BODY sees
 * `value`, a double, and the index `i`. */
#define MVN_LOOP(name, BODY)                                                                      \
    for (size_t i = 0; i < source->count; i++, p += source->stride) {                             \
        const double value = (double)load_##name(p, source->swapped);                             \
        BODY                                                                                      \
    }                                                                                             \
    break;
#define MVN_EACH(BODY)                                                                            \
    switch (source->element) {                                                                    \
    case MVN_ELEMENT_BOOL:                                                                        \
        MVN_LOOP(bool, BODY)                                                                      \
    case MVN_ELEMENT_I8:                                                                          \
        MVN_LOOP(i8, BODY)                                                                        \
    case MVN_ELEMENT_U8:                                                                          \
        MVN_LOOP(u8, BODY)                                                                        \
    case MVN_ELEMENT_I16:                                                                         \
        MVN_LOOP(i16, BODY)                                                                       \
    case MVN_ELEMENT_U16:                                                                         \
        MVN_LOOP(u16, BODY)                                                                       \
    case MVN_ELEMENT_I32:                                                                         \
        MVN_LOOP(i32, BODY)                                                                       \
    case MVN_ELEMENT_U32:                                                                         \
        MVN_LOOP(u32, BODY)                                                                       \
    case MVN_ELEMENT_I64:                                                                         \
        MVN_LOOP(i64, BODY)                                                                       \
    case MVN_ELEMENT_U64:                                                                         \
        MVN_LOOP(u64, BODY)                                                                       \
    case MVN_ELEMENT_F16:                                                                         \
        MVN_LOOP(f16, BODY)                                                                       \
    case MVN_ELEMENT_BF16:                                                                        \
        MVN_LOOP(bf16, BODY)                                                                      \
    case MVN_ELEMENT_F32:                                                                         \
        MVN_LOOP(f32, BODY)                                                                       \
    case MVN_ELEMENT_F64:                                                                         \
        MVN_LOOP(f64, BODY)                                                                       \
    case MVN_ELEMENT_OTHER:                                                                       \
        break;                                                                                    \
    }

/* Copies a run of elements that are of type `target` already; false when they are not. */
static bool copy_run(const mvn_strided *source, mvn_element target, uint8_t *out)
{
    if (source->element != target || !is_little_endian_run(source)) {
        return false;
    }
    if (source->count != 0) {
        memcpy(out, source->data, source->count * mvn_element_size(target));
    }
    return true;
}

/* Doubles side by side, numpy's usual array: four at a time, for the compiler to use vectors. */
static void narrow_run(const uint8_t *p, size_t count, uint8_t *out)
{
    size_t i = 0;
    for (; i + 4 <= count; i += 4) {
        double wide[4];
        float narrow[4];
        memcpy(wide, p + 8 * i, sizeof(wide));
        for (int j = 0; j < 4; j++) {
            narrow[j] = (float)wide[j];
        }
        memcpy(out + 4 * i, narrow, sizeof(narrow));
    }
    for (; i < count; i++) {
        store32(out + 4 * i, mvn_f32_bits((float)load_f64(p + 8 * i, false)));
    }
}

void mvn_strided_to_f32(const mvn_strided *source, uint8_t *out)
{
    const uint8_t *p = source->data;
    if (copy_run(source, MVN_ELEMENT_F32, out)) {
        return;
    }
    if (source->element == MVN_ELEMENT_F64 && !MVN_BIG_ENDIAN && is_little_endian_run(source)) {
        narrow_run(p, source->count, out);
        return;
    }
    MVN_EACH(store32(out + 4 * i, mvn_f32_bits((float)value));)
}

void mvn_strided_to_f16(const mvn_strided *source, uint8_t *out)
{
    const uint8_t *p = source->data;
    if (copy_run(source, MVN_ELEMENT_F16, out)) {
        return;
    }
    if (source->element == MVN_ELEMENT_F16) { /* bit for bit: NaN payloads stay */
        for (size_t i = 0; i < source->count; i++, p += source->stride) {
            store16(out + 2 * i, load_u16(p, source->swapped));
        }
        return;
    }
    MVN_EACH(store16(out + 2 * i, mvn_f16_from_f32((float)value));)
}

void mvn_strided_to_bf16(const mvn_strided *source, uint8_t *out)
{
    const uint8_t *p = source->data;
    if (copy_run(source, MVN_ELEMENT_BF16, out)) {
        return;
    }
    if (source->element == MVN_ELEMENT_BF16) {
        for (size_t i = 0; i < source->count; i++, p += source->stride) {
            store16(out + 2 * i, load_u16(p, source->swapped));
        }
        return;
    }
    MVN_EACH(store16(out + 2 * i, mvn_bf16_from_f32((float)value));)
}

/* Doubles hold every integer that matters here: what exceeds 2^53 exceeds a byte too. */
size_t mvn_strided_to_i8(const mvn_strided *source, uint8_t *out)
{
    const uint8_t *p = source->data;
    if (copy_run(source, MVN_ELEMENT_I8, out)) {
        return source->count;
    }
    MVN_EACH(if (value < -128.0 || value > 127.0) { return i; } out[i] = (uint8_t)(int8_t)value;)
    return source->count;
}

size_t mvn_strided_to_u8(const mvn_strided *source, uint8_t *out)
{
    const uint8_t *p = source->data;
    if (copy_run(source, MVN_ELEMENT_U8, out)) {
        return source->count;
    }
    MVN_EACH(if (value < 0.0 || value > 255.0) { return i; } out[i] = (uint8_t)value;)
    return source->count;
}

size_t mvn_strided_to(const mvn_strided *source, mvn_element target, uint8_t *out)
{
    switch (target) {
    case MVN_ELEMENT_F16:
        mvn_strided_to_f16(source, out);
        return source->count;
    case MVN_ELEMENT_BF16:
        mvn_strided_to_bf16(source, out);
        return source->count;
    case MVN_ELEMENT_I8:
        return mvn_strided_to_i8(source, out);
    case MVN_ELEMENT_U8:
        return mvn_strided_to_u8(source, out);
    default:
        mvn_strided_to_f32(source, out);
        return source->count;
    }
}

void mvn_strided_copy(const mvn_strided *source, uint8_t *out)
{
    const uint8_t *p = source->data;
    size_t size = mvn_element_size(source->element);
    if (source->stride == (ptrdiff_t)size) {
        if (source->count != 0) {
            memcpy(out, p, source->count * size);
        }
        return;
    }
    for (size_t i = 0; i < source->count; i++, p += source->stride) {
        memcpy(out + i * size, p, size);
    }
}

double mvn_strided_get(const mvn_strided *source, size_t index)
{
    mvn_strided one = *source;
    one.data += (ptrdiff_t)index * source->stride;
    one.count = 1;
    source = &one;
    const uint8_t *p = source->data;
    MVN_EACH(return value;)
    return 0.0;
}

bool mvn_strided_get_int(const mvn_strided *source, size_t index, int64_t *value)
{
    const uint8_t *p = source->data + (ptrdiff_t)index * source->stride;
    const bool swapped = source->swapped;
    uint64_t wide;
    switch (source->element) {
    case MVN_ELEMENT_BOOL:
        *value = load_bool(p, swapped);
        return true;
    case MVN_ELEMENT_I8:
        *value = load_i8(p, swapped);
        return true;
    case MVN_ELEMENT_U8:
        *value = load_u8(p, swapped);
        return true;
    case MVN_ELEMENT_I16:
        *value = load_i16(p, swapped);
        return true;
    case MVN_ELEMENT_U16:
        *value = load_u16(p, swapped);
        return true;
    case MVN_ELEMENT_I32:
        *value = load_i32(p, swapped);
        return true;
    case MVN_ELEMENT_U32:
        *value = load_u32(p, swapped);
        return true;
    case MVN_ELEMENT_I64:
        *value = load_i64(p, swapped);
        return true;
    case MVN_ELEMENT_U64:
        wide = load_u64(p, swapped);
        if (wide > INT64_MAX) {
            return false;
        }
        *value = (int64_t)wide;
        return true;
    default:
        return false;
    }
}
